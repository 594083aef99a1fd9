"""A tokenizer for models with random weights: trained on the spot, since no vocabulary ships with a shape.

How well it spells is of no account, how many tokens a text takes is: it learns the judge's questions and the prompts,
so that a word becomes one token, as it does in the vocabularies of real models.
"""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from emofeedback.affect import EMOTIONS
from emofeedback.generators.pipelines.emotion_words import with_emotion_words
from emofeedback.judges.questions import LABEL_SETS, describe_question, rating_questions

TOKENS = 1000
"""At most; every shape's vocabulary is larger."""
PROMPTS = ("a lighthouse by the sea", "a dog in a park", "a boat by a lake")
"""What is drawn."""
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
SPECIAL = (PAD, START, END, VISION_START, VISION_END, IMAGE, VIDEO)

TEMPLATE = f"""\
{{%- for message in messages -%}}
{START}{{{{ message.role }}}}
{{% if message.content is string %}}{{{{ message.content }}}}{{% else %}}
{{%- for part in message.content -%}}
{{%- if part.type == 'image' %}}{VISION_START}{IMAGE}{VISION_END}{{% else %}}{{{{ part.text }}}}{{% endif -%}}
{{%- endfor -%}}
{{%- endif %}}{END}
{{% endfor -%}}
{{%- if add_generation_prompt %}}{START}assistant
{{% endif -%}}"""
"""A turn as the Qwen models take it, a picture as one placeholder that their processor repeats."""


def trained_tokenizer(length: int = 8192) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with a chat template, in which every digit is one token; reads `length` tokens."""
    backend = Tokenizer(models.BPE())
    digits, letters = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([digits, letters])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    questions = [question.text() for labels in LABEL_SETS for question in rating_questions(labels)]
    prompts = [with_emotion_words(prompt, affect) for prompt in PROMPTS for affect in EMOTIONS.values()]
    backend.train_from_iterator([*questions, describe_question(), *prompts], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=END, pad_token=PAD, chat_template=TEMPLATE, model_max_length=length
    )

"""The bundled judge's language: its queries and answers, its tokenizer, and how its sequences are laid out.

Every sequence begins with the picture and the queries, so the queries' answers cannot depend on any words:

    <image> x 64  <valence?> <arousal?> <place?> ... <ground?>                      reading (one forward pass)
    ... <attempt> <+2> <-5> words ... <target> <+7> <-5> <reply> {"analysis": ...} <eos>      advice
"""

import re
from collections.abc import Iterable, Sequence

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from emofeedback.affect import Affect
from emofeedback.judges.ratings import RATING_TOKENS, rating_token
from emofeedback.scenes.grammar import (
    COLOURS,
    FAR_ELEMENTS,
    GROUND_ELEMENTS,
    LIGHTS,
    MAX_COUNT,
    PALETTES,
    PLACES,
    POSES,
    SEASONS,
    SIZES,
    SKY_ELEMENTS,
    SUBJECTS,
    TIMES,
    WEATHERS,
    Scene,
)

NONE = "none"
ASPECTS: dict[str, tuple[str, ...]] = {
    "place": PLACES,
    "subject": (*SUBJECTS, NONE),
    "companion": (*SUBJECTS, NONE),
    "time": TIMES,
    "weather": WEATHERS,
    "season": SEASONS,
    "palette": PALETTES,
    "light": LIGHTS,
    "sky": (*SKY_ELEMENTS, NONE),
    "far": (*FAR_ELEMENTS, NONE),
    "ground": (*GROUND_ELEMENTS, NONE),
    "pose": POSES,
    "colour": (*COLOURS, NONE),
    "size": (*SIZES, NONE),
    "count": tuple(map(str, range(1, MAX_COUNT + 1))),
}
"""What a judge of the whole grammar is asked to name, and the words it may answer with (see `JudgeTokens.aspects`)."""
UNREMARKABLE = (NONE, "natural", "even", "plain", "1")
"""Answers that name nothing a person would mention."""
QUERY_TOKENS = ("<valence?>", "<arousal?>", *(f"<{aspect}?>" for aspect in ASPECTS))

PAD, UNKNOWN, END, IMAGE = "<pad>", "<unk>", "<eos>", "<image>"
ATTEMPT, TARGET, REPLY = "<attempt>", "<target>", "<reply>"
JSON_PIECES = (
    '{"analysis": "',
    '", "carries": ["',
    '", "carries": [], "edits": [',
    '", "',
    '"], "edits": [',
    '{"replace": "',
    '", "with": "',
    '{"add": "',
    '{"remove": "',
    '"}, ',
    '"}]}',
    "]}",
)
PUNCTUATION = tuple(".,;:!?()")
MAX_PROMPT_TOKENS = 48
MAX_ATTEMPTS = 3  # the current one and at most two before it


def answer_token(word: str) -> str:
    """The one token that stands for a word of the grammar as an answer."""
    return f"<={word}>"


def answers_of(scene: Scene) -> dict[str, str]:
    """What a perfect judge answers for each aspect, in the order of ASPECTS.

    Subjects come in the grammar's order: a picture has no other.
    """
    subjects = [s for s in SUBJECTS if s in (scene.subject, scene.companion)] + [NONE, NONE]
    answers = {
        "place": scene.place,
        "subject": subjects[0],
        "companion": subjects[1],
        "time": scene.time,
        "weather": scene.weather,
        "season": scene.season,
        "palette": scene.palette,
        "light": scene.light,
        "pose": scene.pose,
        "colour": scene.colour or NONE,
        "size": scene.size or NONE,
        "count": str(scene.count),
    }
    for aspect, group in (("sky", SKY_ELEMENTS), ("far", FAR_ELEMENTS), ("ground", GROUND_ELEMENTS)):
        answers[aspect] = next((e for e in scene.elements if e in group), NONE)
    return {aspect: answers[aspect] for aspect in ASPECTS}


def plain_words(prompt: str) -> str:
    """A prompt in lower case with nothing but words and simple punctuation: no text can pass for a token."""
    return " ".join(re.sub(r"[^\w\s'’.,;:!?()-]", " ", prompt.lower()).split())


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A word-level tokenizer over the words of `texts`, sorted; anything else becomes <unk>."""
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"[^\w'’-]"), behavior="isolated")]
    )
    words: set[str] = set()
    for text in texts:
        for piece in JSON_PIECES:
            text = text.replace(piece, " ")
        words.update(word for word, _ in split.pre_tokenize_str(text))
    answers = dict.fromkeys(answer_token(word) for options in ASPECTS.values() for word in options)
    special = [PAD, UNKNOWN, END, IMAGE, ATTEMPT, TARGET, REPLY, *QUERY_TOKENS, *RATING_TOKENS, *answers]
    plain = [*PUNCTUATION, *sorted(words - set(PUNCTUATION))]
    vocabulary = {token: i for i, token in enumerate([*special, *JSON_PIECES, *plain])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    backend.pre_tokenizer = split
    backend.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    backend.add_special_tokens(special)
    backend.add_tokens(list(JSON_PIECES))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        extra_special_tokens={"image_token": IMAGE},
    )


class JudgeTokens:
    """Token ids of a judge's tokenizer and the sequences made of them.

    Args:
        tokenizer: one that `build_tokenizer` made, of this grammar or of an earlier, smaller one.
        image_tokens: positions that one picture takes.

    Attributes:
        aspects: of ASPECTS, those that this tokenizer asks for, with the answers that it knows.

    Raises:
        ValueError: a query, rating or answer is not one token of its own.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, image_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.image_tokens = image_tokens
        known = tokenizer.get_vocab()
        self.aspects = {
            aspect: tuple(word for word in options if answer_token(word) in known)
            for aspect, options in ASPECTS.items()
            if f"<{aspect}?>" in known
        }
        queries = [token for token in QUERY_TOKENS if token in known]
        answers = list(dict.fromkeys(answer_token(word) for options in self.aspects.values() for word in options))
        self._ids = self._single([PAD, UNKNOWN, END, IMAGE, ATTEMPT, TARGET, REPLY, *queries, *RATING_TOKENS, *answers])
        self.query_ids = [self._ids[token] for token in queries]
        self.rating_ids = torch.tensor([self._ids[token] for token in RATING_TOKENS])
        self.answer_ids = {
            aspect: torch.tensor([self._ids[answer_token(word)] for word in options])
            for aspect, options in self.aspects.items()
        }
        self.pad_id, self.end_id, self.image_id = self._ids[PAD], self._ids[END], self._ids[IMAGE]

    def _single(self, tokens: Sequence[str]) -> dict[str, int]:
        ids: dict[str, int] = {}
        for token in tokens:
            encoded = self.tokenizer(token, add_special_tokens=False)["input_ids"]
            if len(encoded) != 1 or (encoded[0] == self.tokenizer.unk_token_id and token != UNKNOWN):
                raise ValueError(f"the tokenizer does not hold {token} as one token")
            ids[token] = encoded[0]
        if len(set(ids.values())) != len(ids):
            raise ValueError("the tokenizer gives two tokens the same id")
        return ids

    def concepts(self) -> frozenset[tuple[str, str]]:
        """(aspect, concept) that this judge can name, "elements" for what stands in the sky, far away or in front."""
        places = {"sky": "elements", "far": "elements", "ground": "elements"}
        named = ((places.get(aspect, aspect), word) for aspect, words in self.aspects.items() for word in words)
        return frozenset(pair for pair in named if pair[1] != NONE)

    def _words(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def reading(self) -> list[int]:
        """The ids that ask for a reading: the picture, then the queries."""
        return [self.image_id] * self.image_tokens + self.query_ids

    def advice(self, attempts: Sequence[tuple[str, Affect | None]], target: Affect) -> list[int]:
        """The ids that ask for advice: a reading, the last attempts (prompt, what was read), the target.

        Half the way from the last reading to the target follows, so that the model need not learn to subtract.
        """
        ids = self.reading()
        for prompt, read in attempts[-MAX_ATTEMPTS:]:
            ids.append(self._ids[ATTEMPT])
            if read is not None:
                ids += self._point(read)
            ids += self._words(plain_words(prompt))[:MAX_PROMPT_TOKENS]
        ids += [self._ids[TARGET], *self._point(target)]
        read = attempts[-1][1]
        if read is not None:
            ids += self._point(Affect((target.valence - read.valence) / 2, (target.arousal - read.arousal) / 2))
        return [*ids, self._ids[REPLY]]

    def _point(self, affect: Affect) -> list[int]:
        return [self._ids[rating_token(affect.valence)], self._ids[rating_token(affect.arousal)]]

    def reply(self, text: str) -> list[int]:
        """The ids of a reply in JSON, closed by <eos>."""
        return [*self._words(text), self.end_id]

    def text(self, ids: list[int]) -> str:
        """A reply's ids -> JSON text; strings may carry outer blanks, which the parser strips."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

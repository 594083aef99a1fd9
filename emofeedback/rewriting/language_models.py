"""Language models that answer a company's questions: on a chat server, or local ones of transformers."""

import threading
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from emofeedback.errors import UserError
from emofeedback.machine.loading import one_at_a_time
from emofeedback.rewriting.language import MAX_TOKENS, NoAnswer
from emofeedback.servers.chat import ChatServer, Refused, ServerFailed

TEMPERATURE = 0.8


class ServerLanguageModel:
    """Implements `language.LanguageModel` with a chat server."""

    def __init__(self, server: ChatServer, parallel: int = 4) -> None:
        self.server, self.parallel = server, parallel
        self.name = f"{server.model} at {server.host}"
        self._schema = True  # until the server shows that it takes none

    def answer(self, system: str, question: str, schema: dict[str, Any], seed: int) -> str:
        """The server's first choice.

        Raises:
            NoAnswer: no answer came in time, or the server takes no such request.
            UserError: the key, the address or the model's name is wrong.
        """
        for held in (True, False) if self._schema else (False,):
            try:
                return self.server.ask(
                    None,
                    question,
                    system=system,
                    max_tokens=MAX_TOKENS,
                    temperature=TEMPERATURE,
                    seed=seed,
                    schema=schema if held else None,
                )[0].text
            except Refused as refused:
                if not held:
                    raise NoAnswer(str(refused)) from None
                self._schema = False
            except ServerFailed as failed:
                raise NoAnswer(str(failed)) from None
        raise AssertionError("unreachable")


class LocalLanguageModel:
    """Implements `language.LanguageModel` with a causal language model of transformers."""

    parallel = 1

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        self._alone = threading.Lock()  # several visitors may ask at once, and the seed is the process's

    @classmethod
    def from_folder(cls, folder: Path, *, name: str | None = None, device: str = "cpu") -> "LocalLanguageModel":
        """A model in transformers format.

        Raises:
            UserError: the folder holds no language model that transformers can load.
        """
        kind = torch.float32 if device == "cpu" else torch.bfloat16
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            with one_at_a_time():
                model = AutoModelForCausalLM.from_pretrained(
                    folder, dtype=kind, local_files_only=True, use_safetensors=True
                ).to(device)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            what = " ".join(str(error).split())[:160]
            raise UserError(f"{folder} holds no language model that can be loaded ({what}); give another.") from None
        return cls(model, tokenizer, name or folder.name)

    @torch.no_grad()
    def answer(self, system: str, question: str, schema: dict[str, Any], seed: int) -> str:
        """The model's answer, sampled.

        Raises:
            NoAnswer: the question is longer than the model can read.
        """
        ids = self._ids(system, question).to(self.model.device)
        longest = getattr(self.model.config, "max_position_embeddings", None)
        if longest is not None and ids.shape[1] + MAX_TOKENS > longest:
            raise NoAnswer("the question is longer than it can read")
        config = GenerationConfig(
            max_new_tokens=MAX_TOKENS,
            do_sample=True,
            temperature=TEMPERATURE,
            pad_token_id=self._pad(),
            eos_token_id=self._ends() or None,
        )
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with self._alone, torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            out = self.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
        return str(self.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))

    def _ids(self, system: str, question: str) -> torch.Tensor:
        """[1, T] token ids; a tokenizer without a chat template gets both texts one after the other."""
        if not getattr(self.tokenizer, "chat_template", None):
            return self.tokenizer(f"{system}\n\n{question}\n", return_tensors="pt")["input_ids"]
        turns = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        try:
            text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        except Exception:  # a template may refuse a system turn, each in its own way
            turns = [{"role": "user", "content": f"{system}\n\n{question}"}]
            text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]

    def _ends(self) -> list[int]:
        configured = getattr(self.model.generation_config, "eos_token_id", None)
        ends = [self.tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
        return [token for token in dict.fromkeys(ends) if token is not None]

    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return pad if pad is not None else next(iter(self._ends()), 0)

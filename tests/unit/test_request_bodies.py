"""What is sent, held against the published forms of servers that are not run here: vLLM, Ollama and LM Studio.

The forms are written down here after their sources, in as far as a request of the judge touches them. vLLM:
`ChatCompletionRequest` of vllm/entrypoints/openai (unknown fields are ignored with a warning). Ollama:
`ChatCompletionRequest` and `FromChatRequest` of openai/openai.go. LM Studio: "Supported payload parameters" and
"Structured Output" of its documentation.
"""

import base64
import io
import json
from typing import Annotated, Any, Literal

import pytest
from fake_openai import FakeOpenAI, completion, serve
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from emofeedback.affect import Affect
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.records import Attempt, Picture, PictureRequest
from emofeedback.servers.chat import ChatServer

FORBID, IGNORE = ConfigDict(extra="forbid", strict=True), ConfigDict(extra="ignore", strict=True)


class ImageUrl(BaseModel):
    model_config = FORBID
    url: Annotated[str, StringConstraints(pattern=r"^data:image/png;base64,[A-Za-z0-9+/]+={0,2}$")]


class ImagePart(BaseModel):
    model_config = FORBID
    type: Literal["image_url"]
    image_url: ImageUrl


class TextPart(BaseModel):
    model_config = FORBID
    type: Literal["text"]
    text: Annotated[str, StringConstraints(min_length=1)]


class Message(BaseModel):
    model_config = FORBID
    role: Literal["user", "system"]
    content: str | list[ImagePart | TextPart]


class Schema(BaseModel):
    model_config = FORBID
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool


class ResponseFormat(BaseModel):
    model_config = FORBID
    type: Literal["json_schema"]
    json_schema: Schema


class Shared(BaseModel):
    """What all three take."""

    model_config = IGNORE
    model: str
    messages: list[Message]
    max_tokens: Annotated[int, Field(gt=0)]
    temperature: Annotated[float, Field(ge=0, le=2)]
    seed: Annotated[int | None, Field(ge=0, lt=2**31)] = None
    response_format: ResponseFormat | None = None


class Vllm(Shared):
    model_config = FORBID
    logprobs: bool | None = False
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = 0  # --max-logprobs is 20 where nothing else is given
    n: Annotated[int | None, Field(ge=1)] = 1


class Ollama(Shared):
    """logprobs, top_logprobs and n are not in its form: Go's decoder passes over them, and one choice comes back."""


class LmStudio(Shared):
    """The same three are not among its parameters."""


PICTURE = Picture(Image.new("RGB", (9, 5), "navy"), PictureRequest("a boat", None, 0), "test", 0.0)


@pytest.fixture(scope="module")
def sent() -> list[dict[str, Any]]:
    """Every kind of request, to a server with log-probabilities and to one without."""
    bodies: list[dict[str, Any]] = []
    for gives in (True, False):
        with serve(FakeOpenAI(lambda payload, gives=gives: completion(["5"], [{"5": 1.0}] if gives else None))) as fake:
            judge = RemoteJudge(ChatServer("org/vlm", fake.url), workers=1)
            judge.read([PICTURE])
            judge.shows([PICTURE], ["a boat"])
            judge.advise([Attempt("a boat", PICTURE, None)], Affect(0.5, 0.5))
            judge.server.ask(None, "Who are you?", system="You are Ana.", max_tokens=9, temperature=0.8, seed=3)
            bodies += fake.payloads
    return bodies


@pytest.mark.parametrize("form", [Vllm, Ollama, LmStudio])
def test_every_request_has_the_servers_form(form: type[Shared], sent: list[dict[str, Any]]) -> None:
    assert {"logprobs", "n", "seed", "response_format"} <= {name for body in sent for name in body}
    for body in sent:
        form.model_validate(json.loads(json.dumps(body)))


def test_a_picture_stands_before_its_question_and_can_be_opened(sent: list[dict[str, Any]]) -> None:
    first = sent[0]["messages"][0]["content"]
    assert [part["type"] for part in first] == ["image_url", "text"]
    content = base64.b64decode(first[0]["image_url"]["url"].partition(",")[2], validate=True)
    assert Image.open(io.BytesIO(content)).size == (9, 5)


def test_schemas_hold_what_constrained_decoders_know(sent: list[dict[str, Any]]) -> None:
    """xgrammar (vLLM) and llama.cpp's grammars (Ollama, LM Studio) take objects, arrays, text, anyOf and $ref."""
    known = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "$ref", "$defs"}
    known |= {"description", "title"}

    def keys(schema: Any) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(keys, schema))
        if not isinstance(schema, dict):
            return set()
        inside = [value for name, value in schema.items() if name not in ("properties", "$defs")]
        named = [part for name in ("properties", "$defs") for part in schema.get(name, {}).values()]
        return set(schema) | keys(inside) | keys(named)

    schemas = [body["response_format"]["json_schema"]["schema"] for body in sent if "response_format" in body]
    assert schemas and all(keys(schema) <= known for schema in schemas)

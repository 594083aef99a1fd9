"""What real servers say when they refuse, in their own words: quoted with what to do, or taken as a hint and obeyed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fake_openai import FakeOpenAI, Reply, completion, failure, serve
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.records import Attempt, Picture, PictureRequest, Reading
from emofeedback.servers.chat import ChatServer
from emofeedback.servers.patience import Patience

PICTURE = Picture(Image.new("RGB", (8, 8), "navy"), PictureRequest("a boat", None, 0), "test", 0.0)
ONCE = Patience(deadline=20.0, tries=1)
ADVICE = {"analysis": "Calm.", "carries": ["water"], "edits": [{"add": "at sunset", "reason": "warm light"}]}


def says(status: int, message: str) -> Reply:
    return status, {}, json.dumps({"error": {"message": message, "type": "invalid_request_error"}}).encode()


def judge_of(fake: FakeOpenAI, **options: Any) -> RemoteJudge:
    return RemoteJudge(ChatServer("org/vlm", fake.url, patience=ONCE), describe=False, **options)


@pytest.mark.parametrize(
    ("status", "message", "mend"),
    [
        (400, "This model's maximum context length is 2048 tokens. However, you requested 2600.", "--max-model-len"),
        (400, "the request exceeds the available context size (64 tokens), try increasing it", "llama.cpp: -c"),
        (500, "image input is not supported - hint: you may need to provide the mmproj", "--mmproj"),
        (400, "org/vlm is not a multimodal model", "choose a vision-language model"),
        (429, "You exceeded your current quota, please check your plan and billing details.", "top it up"),
        (402, "Insufficient credits", "top it up"),
        (401, "Incorrect API key provided", "EMOFEEDBACK_JUDGE_KEY"),
        (404, "model 'org/vlm' not found, try pulling it first", "check both"),
        (400, "unknown architecture", "choose another model"),
        (503, "Loading model", "see what its log says"),
        (429, "Rate limit reached", "try again later"),
        (400, "The response was filtered due to the prompt triggering content management policy", "another model"),
    ],
)
def test_the_servers_own_words_come_with_what_to_do(status: int, message: str, mend: str) -> None:
    """All of these ended in "gave no answer; start it or check its address"."""
    with serve(FakeOpenAI(lambda payload: says(status, message))) as fake, pytest.raises(UserError) as caught:
        judge_of(fake).read([PICTURE, PICTURE])
    assert f'"{message}"' in str(caught.value) and mend in str(caught.value)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_one_picture_that_is_filtered_costs_that_picture() -> None:
    replies = [completion(["5"], [{"5": 1.0}])] * 4

    def answer(payload: dict[str, Any]) -> Any:
        return replies.pop() if replies else says(400, "content_filter")

    with serve(FakeOpenAI(answer)) as fake:
        judge = RemoteJudge(ChatServer("m", fake.url, patience=ONCE), describe=False, workers=1)
        first, second = judge.read([PICTURE, PICTURE])
        assert first is not None and second is None
        assert judge._logprobs, "it said nothing about log-probabilities"


def strict(refuses: Callable[[dict[str, Any]], str | None]) -> Callable[[dict[str, Any]], Any]:
    """A server that refuses with these words, and else answers with a rating, a yes or an advice."""

    def answer(payload: dict[str, Any]) -> Any:
        if (words := refuses(payload)) is not None:
            return says(400, words)
        text = payload["messages"][0]["content"][1]["text"]
        said = "Yes" if text.startswith("Does") else json.dumps(ADVICE) if text.startswith("A text") else "6"
        return completion([said], [{said: 0.8, "5": 0.2}] if payload.get("logprobs") else None)

    return answer


def as_gpt5(payload: dict[str, Any]) -> str | None:
    if "max_tokens" in payload:
        return "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    if payload.get("temperature", 1) != 1:
        return "Unsupported value: 'temperature' does not support 0 with this model."
    return "logprobs are not supported with reasoning models" if "logprobs" in payload else None


def as_mistral(payload: dict[str, Any]) -> str | None:
    found = next((name for name in ("seed", "logprobs", "top_logprobs") if name in payload), None)
    return f"{found}: Extra inputs are not permitted" if found else None


def as_groq(payload: dict[str, Any]) -> str | None:
    if payload.get("n", 1) > 1:
        return "'n' : number must be at most 1"
    return "`logprobs` is not supported with this model" if "logprobs" in payload else None


def as_small_vllm(payload: dict[str, Any]) -> str | None:
    most = payload.get("top_logprobs", 0)
    return f"Requested sample logprobs of {most}, which is greater than max allowed: 5" if most > 5 else None


def without_schema(payload: dict[str, Any]) -> str | None:
    return "'response_format.type' must be 'text'" if "response_format" in payload else None


@pytest.mark.parametrize(
    ("refuses", "method", "refused"),
    [
        (as_gpt5, "median of 5 sampled", 3),
        (as_mistral, "median of 5 sampled", 2),
        (as_groq, "median of 5 sampled", 2),
        (as_small_vllm, "expected value", 1),
        (without_schema, "expected value", 1),
    ],
)
def test_what_a_server_refuses_by_name_is_not_sent_again(
    refuses: Callable[[dict[str, Any]], str | None], method: str, refused: int
) -> None:
    with serve(FakeOpenAI(strict(refuses))) as fake:
        judge = judge_of(fake, workers=1)
        [reading] = judge.read([PICTURE])
        assert reading is not None and str(reading.method).startswith(method)
        assert judge.shows([PICTURE], ["a boat"]) == [1.0]
        critique = judge.advise([Attempt("a boat", PICTURE, reading)], Affect(0.5, 0.5))
        assert critique is not None and critique.edits[0].new == "at sunset", "a reason beside an edit is passed over"
        assert sum(refuses(payload) is not None for payload in fake.payloads) == refused
    last = fake.payloads[-1]
    assert ("max_completion_tokens" in last) == (refuses is as_gpt5)
    assert last.get("seed") == (None if refuses is as_mistral else 0)


def reply_of(**message: Any) -> Reply:
    finish = message.pop("finish", "stop")
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    return 200, {}, json.dumps({"choices": [choice]}).encode()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (reply_of(content="I'm sorry, but I can't rate pictures."), "I'm sorry, but I can't rate pictures."),
        (reply_of(content="<think>\nOkay, so", finish="length"), "<think> Okay, so"),
        (reply_of(content=None, reasoning_content="Okay, so", finish="length"), "switch that off on the server"),
        (reply_of(content="", reasoning="Okay, so", finish="length"), "switch that off on the server"),
        (reply_of(content=None, refusal="I can't help with that."), 'refuses: "I can\'t help with that."'),
        (reply_of(content=None, finish="content_filter"), "content filter held the answer back"),
        (reply_of(content="lovely " * 3000), "lovely lovely"),
    ],
)
def test_a_reply_that_cannot_be_read_is_quoted_in_short(
    reply: Reply, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(FakeOpenAI(lambda payload: reply)) as fake:
        judge = judge_of(fake, samples=2)
        assert judge.read([PICTURE]) == [None]
        reading = Reading(Affect(0, 0), 0.1, 0.1, 1.0, (), "test")
        assert judge.advise([Attempt("a boat", PICTURE, reading)], Affect(0.5, 0.5)) is None
    said = [record.getMessage() for record in caplog.records if "it said: " in record.getMessage()]
    assert len(said) == 2 and all(told in text and len(text) < 400 for text in said), said


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "7"}],
        [{"type": "text", "text": "Rating: "}, {"type": "text", "text": "7"}],
        "Okay, 5 or 7?\n</think>\n\n7",
        "```\n7\n```",
    ],
    ids=["list", "two parts", "bare end of thinking", "fence"],
)
def test_ratings_in_other_wrappings_are_read(content: Any) -> None:
    with serve(FakeOpenAI(lambda payload: reply_of(content=content))) as fake:
        [reading] = judge_of(fake, samples=1).read([PICTURE])
    assert reading is not None and reading.affect == Affect(0, 0), "7 in both orders"


def test_thoughts_before_a_rating_are_passed_over_in_its_log_probabilities() -> None:
    top = [{"</think>": 0.9, "5": 0.1}, {"\n\n": 1.0}, {"7": 0.75, "9": 0.25}]
    with serve(FakeOpenAI(lambda payload: completion(["</think>\n\n7"], top))) as fake:
        [reading] = judge_of(fake).read([PICTURE])
    assert reading is not None and reading.mass == pytest.approx(1.0) and reading.valence_sd > 0.5


def test_an_error_that_is_sent_as_a_success_is_one() -> None:
    reply = (200, {}, json.dumps({"error": {"message": "Provider returned error", "code": 502}}).encode())
    with serve(FakeOpenAI(lambda payload: reply)) as fake, pytest.raises(UserError, match="Provider returned error"):
        judge_of(fake).read([PICTURE])


def test_a_page_in_place_of_a_reply_says_that_the_address_is_wrong() -> None:
    page = (200, {"Content-Type": "text/html"}, b"<!doctype html><html><title>Grafana</title></html>")
    with serve(FakeOpenAI(lambda payload: page)) as fake, pytest.raises(UserError) as caught:
        judge_of(fake).read([PICTURE])
    assert "no JSON but" in str(caught.value) and "that of a model server" in str(caught.value)
    assert "Grafana" in str(caught.value)


def test_a_key_is_asked_for_when_models_are_listed() -> None:
    from emofeedback.servers.chat import only_model

    with serve(FakeOpenAI(lambda payload: failure(500))) as fake:
        fake.models = []
        with pytest.raises(UserError, match="offers none"):
            only_model(fake.url, None)

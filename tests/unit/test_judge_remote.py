"""The remote judge against a small server of the same protocol: every way in which servers misbehave."""

import base64
import io
import json
import logging
import math
from typing import Any

import numpy as np
import pytest
from fake_openai import CUT, HANG, FakeOpenAI, completion, failure, serve
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.build import build_judge
from emofeedback.errors import UserError
from emofeedback.judges.questions import rating_questions
from emofeedback.judges.remote.answers import top_rating
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.judges.replies import content_schema, critique_schema
from emofeedback.records import Attempt, Critique, Edit, Picture, PictureRequest, Reading, Seen
from emofeedback.servers.chat import MAX_SIDE, ChatServer, Refused, ServerFailed, base_of, host_of, picture_url
from emofeedback.servers.hub import hosted_parts
from emofeedback.servers.patience import Patience
from emofeedback.settings import Settings

PICTURE = Picture(Image.new("RGB", (40, 30), "navy"), PictureRequest("a dog on a beach", None, 0), "test", 0.0)
CONTENT = {"place": "beach", "subjects": ["dog"], "time": "night", "weather": "none", "light": "dim", "colours": []}
ADVICE = {"analysis": "Dark.", "carries": ["night"], "edits": [{"add": "at dawn"}, {"remove": "fog"}]}
RATED = {"7": 0.5, "9": 0.25, " 8": 0.125, "The": 0.125}


class Pauses:
    """A clock that only the pauses move."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)

    def clock(self) -> float:
        return sum(self.taken)


def judge_of(fake: FakeOpenAI, pauses: Pauses | None = None, deadline: float = 20.0, **options: Any) -> RemoteJudge:
    pauses = pauses or Pauses()
    patience = Patience(deadline, sleep=pauses.sleep, clock=pauses.clock)
    server = ChatServer("org/vlm", fake.url, key="sk-secret", patience=patience)
    return RemoteJudge(server, workers=2, **options)


def question_of(payload: dict[str, Any]) -> str:
    return payload["messages"][0]["content"][1]["text"]


def polite(payload: dict[str, Any]) -> Any:
    """High ratings in the usual order, low ones in the reversed order, described content, advice."""
    text = question_of(payload)
    if text.startswith("Name what"):
        body = json.dumps(CONTENT)
        return completion([body], [{body[:40]: 0.5}, {body[40:]: 0.5}])
    if text.startswith("A text-to-image"):
        return completion([json.dumps(ADVICE)])
    turned = "1 means very pleasant" in text or "1 means very excited" in text
    top = {("The" if k == "The" else f" {10 - int(k)}" if turned else k): p for k, p in RATED.items()}
    return completion(["7"], [{" ": 0.9, "7": 0.1}, top])


def test_a_rating_is_the_expected_value_of_the_top_logprobs() -> None:
    with serve(FakeOpenAI(polite)) as fake:
        [reading] = judge_of(fake).read([PICTURE])
    values, weights = np.array([0.5, 1.0, 0.75]), np.array([0.5, 0.25, 0.125]) / 0.875
    mean = float(values @ weights)
    assert reading is not None
    assert (reading.affect.valence, reading.affect.arousal) == (pytest.approx(mean), pytest.approx(mean))
    assert reading.valence_sd == pytest.approx(math.sqrt(weights @ (values - mean) ** 2))
    assert reading.mass == pytest.approx(0.875)
    assert reading.method == "expected value of top logprobs, both orders"
    assert reading.judge == f"org/vlm at {host_of(fake.url)}"
    assert Seen("subject", "dog", 0.5) in reading.seen, "a word's probability is that of its tokens"
    assert "weather" not in {seen.aspect for seen in reading.seen}
    assert all(payload["top_logprobs"] == 20 and payload["model"] == "org/vlm" for payload in fake.payloads[:4])
    assert set(fake.keys) == {"Bearer sk-secret"}
    [described] = [payload for payload in fake.payloads if question_of(payload).startswith("Name what")]
    assert described["response_format"]["json_schema"]["schema"] == content_schema()


def test_without_logprobs_ratings_are_sampled_and_the_reading_says_so() -> None:
    def answer(payload: dict[str, Any]) -> Any:
        text = question_of(payload)
        if text.startswith("Name what"):
            return completion([json.dumps(CONTENT)])
        turned = "1 means very pleasant" in text or "1 means very excited" in text
        said = ["7", "Rating: 8", "9", "it is lovely", "8."][: payload.get("n", 1)]
        if turned:
            said = ["3", "2", "1", "2", "2"][: payload.get("n", 1)]
        return completion(said)

    with serve(FakeOpenAI(answer)) as fake:
        judge = judge_of(fake)
        [reading] = judge.read([PICTURE])
        again = judge.read([PICTURE])
    assert reading is not None and again == [reading]
    assert reading.affect.valence == pytest.approx(0.75)
    assert reading.mass == pytest.approx(0.8), "one of five answers was prose"
    assert reading.method == "median of 5 sampled ratings, both orders"
    assert Seen("subject", "dog", 1.0) in reading.seen
    assert sum("logprobs" in payload for payload in fake.payloads) == 1, "asked for once, then known"


def test_a_server_that_refuses_logprobs_and_several_choices_is_asked_one_by_one() -> None:
    def answer(payload: dict[str, Any]) -> Any:
        return failure(400) if "logprobs" in payload or "n" in payload else completion(["5"])

    with serve(FakeOpenAI(answer)) as fake:
        [reading] = judge_of(fake, describe=False, samples=3).read([PICTURE])
    assert reading is not None and reading.affect == Affect(0, 0) and "3 sampled" in str(reading.method)


def test_prose_in_place_of_ratings_is_no_reading() -> None:
    with serve(FakeOpenAI(lambda payload: completion(["What a lovely beach!"]))) as fake:
        assert judge_of(fake).read([PICTURE, PICTURE]) == [None, None]


def test_little_mass_on_the_labels_is_no_reading() -> None:
    with serve(FakeOpenAI(lambda payload: completion(["I"], [{"I": 0.9, "5": 0.1}]))) as fake:
        assert judge_of(fake).read([PICTURE]) == [None]


def yes_of(reply: Any) -> list[float | None]:
    with serve(FakeOpenAI(lambda payload: reply)) as fake:
        return judge_of(fake).shows([PICTURE], ["a dog"])


def test_a_picture_shows_its_prompt_by_the_top_logprobs_of_yes_and_no() -> None:
    top = {"Yes": 0.5, "yes": 0.125, " no": 0.0625, "No": 0.0625, "The": 0.25}
    with serve(FakeOpenAI(lambda payload: completion(["Yes"], [{" ": 1.0}, top]))) as fake:
        assert judge_of(fake).shows([PICTURE], ['a "dog" <b>']) == [pytest.approx(0.625 / 0.75)]
    assert question_of(fake.payloads[0]) == "Does this picture show: \"a 'dog' b\"? Answer yes or no."
    assert len(fake.payloads) == 1 and fake.payloads[0]["temperature"] == 0 and judge_of(fake).shows([], []) == []


def test_without_logprobs_it_is_the_share_of_yes_among_sampled_answers() -> None:
    said = ["Yes.", "no", "Answer: YES", "**yes**", "It does."]

    def answer(payload: dict[str, Any]) -> Any:
        return completion(said[: payload.get("n", 1)])

    with serve(FakeOpenAI(answer)) as fake:
        judge = judge_of(fake)
        assert judge.shows([PICTURE, PICTURE], ["a dog", "a cat"]) == pytest.approx([0.75, 0.75]), "prose is no answer"
    assert [payload.get("n") for payload in fake.payloads] == [None, 5, 5]


def test_neither_yes_nor_no_is_not_read() -> None:
    assert yes_of(completion(["What"], [{"What": 0.9, "yes": 0.1}])) == [None]
    assert yes_of(completion([" "], [{" ": 1.0}])) == [None]
    assert yes_of(completion(["A dog, yes or no."])) == [None]


def test_a_picture_without_an_answer_shows_nothing_known_and_none_at_all_is_a_sentence() -> None:
    answers = [completion(["no"], [{"no": 0.9}])]
    with serve(FakeOpenAI(lambda payload: answers.pop() if answers else failure(500))) as fake:
        assert judge_of(fake).shows([PICTURE, PICTURE], ["a dog", "a dog"]) == [0.0, None]
        with pytest.raises(UserError, match="gave no answer"):
            judge_of(fake).shows([PICTURE], ["a dog"])


def test_busy_servers_are_asked_again_after_growing_pauses() -> None:
    replies = [failure(429), failure(500), CUT]
    pauses = Pauses()
    with serve(FakeOpenAI(lambda payload: replies.pop(0) if replies else completion(["5"]))) as fake:
        answers = judge_of(fake, pauses).server.ask("data:,", "?", max_tokens=1, temperature=0)
    assert [answer.text for answer in answers] == ["5"]
    assert pauses.taken == [0.5, 1.0, 2.0]


def test_a_server_may_say_how_long_to_wait() -> None:
    replies = [failure(503, {"Retry-After": "7"})]
    pauses = Pauses()
    with serve(FakeOpenAI(lambda payload: replies.pop(0) if replies else completion(["5"]))) as fake:
        judge_of(fake, pauses).server.ask("data:,", "?", max_tokens=1, temperature=0)
    assert pauses.taken == [7.0]


@pytest.mark.parametrize(
    "reply", [failure(500), failure(429, {"Retry-After": "3600"}), CUT], ids=["500", "429", "half"]
)
def test_a_server_that_stays_broken_is_given_up(reply: Any) -> None:
    pauses = Pauses()
    with serve(FakeOpenAI(lambda payload: reply)) as fake, pytest.raises(ServerFailed):
        judge_of(fake, pauses).server.ask("data:,", "?", max_tokens=1, temperature=0)
    assert sum(pauses.taken) < 20


def test_a_server_that_hangs_is_left_at_the_deadline() -> None:
    with serve(FakeOpenAI(lambda payload: HANG)) as fake:
        judge = judge_of(fake, deadline=0.2)
        with pytest.raises(ServerFailed, match="no answer within 0.2 s"):
            judge.server.ask("data:,", "?", max_tokens=1, temperature=0)
        with pytest.raises(UserError, match="gave no answer.*start it"):
            judge.read([PICTURE])
        assert judge.advise([Attempt("a dog", PICTURE, None)], Affect(0, 0)) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"choices": []}', b'{"choices": null}', b'{"choices": [{"message": {}}]}', b"<html>"],
)
def test_replies_of_another_shape_are_no_answers(body: bytes) -> None:
    with serve(FakeOpenAI(lambda payload: (200, {}, body))) as fake, pytest.raises(ServerFailed):
        judge_of(fake).server.ask("data:,", "?", max_tokens=1, temperature=0)


def test_one_broken_answer_costs_one_picture_not_the_run() -> None:
    broken = picture_url(Image.new("RGB", (8, 8), "red"))

    def answer(payload: dict[str, Any]) -> Any:
        red = payload["messages"][0]["content"][0]["image_url"]["url"] == broken
        return failure(500) if red else polite(payload)

    red = Picture(Image.new("RGB", (8, 8), "red"), PICTURE.request, "test", 0.0)
    with serve(FakeOpenAI(answer)) as fake:
        first, second = judge_of(fake).read([PICTURE, red])
    assert first is not None and second is None


@pytest.mark.parametrize(("status", "words"), [(401, "KEY"), (403, "KEY"), (404, "knows no model"), (402, "402")])
def test_what_a_person_can_mend_is_one_sentence(status: int, words: str) -> None:
    with serve(FakeOpenAI(lambda payload: failure(status))) as fake, pytest.raises(UserError, match=words) as raised:
        judge_of(fake).read([PICTURE])
    assert "sk-secret" not in str(raised.value)


def test_a_refused_request_is_not_repeated() -> None:
    with serve(FakeOpenAI(lambda payload: failure(422))) as fake:
        with pytest.raises(Refused):
            judge_of(fake).server.ask("data:,", "?", max_tokens=1, temperature=0)
        assert len(fake.payloads) == 1


def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    def answer(payload: dict[str, Any]) -> Any:
        return 400, {}, b'{"error": {"message": "bad request with key sk-secret"}}'

    caplog.set_level(logging.DEBUG, logger="emofeedback")
    with serve(FakeOpenAI(answer)) as fake, pytest.raises(UserError):
        judge_of(fake).read([PICTURE])
    assert "sk-secret" not in caplog.text and caplog.text


def test_advice_is_held_to_a_schema_where_the_server_takes_one() -> None:
    expected = Critique("Dark.", ("night",), (Edit("add", new="at dawn"),))
    with serve(FakeOpenAI(polite)) as fake:
        assert judge_of(fake).advise([Attempt("a dog on a beach", PICTURE, None)], Affect(0.8, 0)) == expected
        form = fake.payloads[0]["response_format"]
        assert form["type"] == "json_schema" and form["json_schema"]["name"], "what OpenAI and vLLM enforce"
        assert form["json_schema"]["schema"] == critique_schema() and form["json_schema"]["strict"] is True

    def answer(payload: dict[str, Any]) -> Any:
        return failure(400) if "response_format" in payload else polite(payload)

    with serve(FakeOpenAI(answer)) as fake:
        judge = judge_of(fake)
        assert judge.advise([Attempt("a dog on a beach", PICTURE, None)], Affect(0.8, 0)) == expected
        assert judge.advise([Attempt("a dog on a beach", PICTURE, None)], Affect(0.8, 0)) == expected
        assert len(fake.payloads) == 3, "the refusal is remembered"


def test_advice_in_prose_is_asked_once_more_then_missing() -> None:
    with serve(FakeOpenAI(lambda payload: completion(["Make it brighter!"]))) as fake:
        assert judge_of(fake).advise([Attempt("a dog", PICTURE, None)], Affect(0.8, 0)) is None
        assert [payload["temperature"] for payload in fake.payloads] == [0.0, 0.7]


def test_pictures_are_sent_as_png_of_limited_size() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1500, 2000, 3), dtype=np.uint8)
    url = picture_url(Image.fromarray(noise))
    sent = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    assert sent.format == "PNG" and max(sent.size) <= MAX_SIDE and len(url) < 4.2e6


def test_an_address_builds_a_remote_judge_and_finds_its_only_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOFEEDBACK_JUDGE_KEY", "sk-env")
    with serve(FakeOpenAI(polite)) as fake:
        judge = build_judge(Settings(judge=fake.url))
        assert isinstance(judge, RemoteJudge) and judge.server.model == "org/vlm"
        named = build_judge(Settings(judge=f"{fake.url}#other"))
        assert isinstance(named, RemoteJudge) and named.server.model == "other"
        judge.read([PICTURE])
        assert set(fake.keys) == {"Bearer sk-env"}
        fake.models = ["a", "b"]
        with pytest.raises(UserError, match="offers a, b; name one"):
            build_judge(Settings(judge=fake.url))
    with pytest.raises(UserError, match="does not list its models; start it"):
        build_judge(Settings(judge=fake.url))


@pytest.mark.parametrize("url", ["http://h:8000", "http://h:8000/", "http://h:8000/v1/chat/completions"])
def test_a_servers_base_is_found_in_what_people_paste(url: str) -> None:
    assert base_of(url) == "http://h:8000/v1" and base_of("https://h/api/v4/") == "https://h/api/v4"


def test_a_server_of_ones_own_never_gets_the_stored_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_stored")
    monkeypatch.delenv("EMOFEEDBACK_JUDGE_KEY", raising=False)
    with serve(FakeOpenAI(polite)) as fake:
        build_judge(Settings(judge=fake.url)).read([PICTURE])
        assert not any("hf_stored" in key for key in fake.keys)


def test_hosted_models_are_named_by_repository_and_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hosted_parts("hosted:Qwen/Qwen3-VL-8B-Instruct:novita") == ("Qwen/Qwen3-VL-8B-Instruct", "novita")
    with pytest.raises(UserError, match="hosted:OWNER/NAME"):
        hosted_parts("hosted:nonsense")
    monkeypatch.setenv("HF_TOKEN", "hf_stored")
    judge = build_judge(Settings(judge="hosted:org/vlm"))
    assert judge.name == "org/vlm at Hugging Face (auto)"


def test_top_rating_reads_the_first_token_that_is_not_blank() -> None:
    question = rating_questions(tuple("123456789"))[0]
    assert top_rating([(" ", 0.0)], [[(" ", 0.0)]], question) is None
    assert top_rating([("No", 0.0)], [[("No", 0.0)]], question) is None
    rating = top_rating([("\u2581", 0.0), ("9", 0.0)], [[("\u2581", 0.0)], [("9", math.log(0.5))]], question)
    assert rating is not None and (rating.mean, rating.mass) == (1.0, 0.5)


def test_a_reading_knows_its_content_only_when_it_is_named() -> None:
    judge = RemoteJudge(ChatServer("org/vlm", "http://localhost:1/v1"))
    reading = Reading(Affect(0, 0), 0.1, 0.1, 1.0, (Seen("subject", "dog", 1.0),), "test")
    assert judge.content_kept("two dogs", reading) is True and judge.content_kept("a cat", reading) is None

"""The Fine-tune tab through its listeners, with a tiny real generator and trainer."""

import json
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from patience import PATIENCE
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))

from fakes import ColourJudge
from tiny_finetune import HELD_OUT, PROMPTS, tiny_generator

from emofeedback import build
from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.audit import Auditor
from emofeedback.finetuning.job import FinetuneJob, settings_for
from emofeedback.finetuning.job_settings import tasks_of
from emofeedback.finetuning.job_store import read_record
from emofeedback.finetuning.order import FinetuneOrder
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.finetuning.rewards import AffectReward, CachedReader, ContentReward
from emofeedback.finetuning.trainer import Finetuner, Scoring
from emofeedback.protocols import Judge
from emofeedback.records import Picture, Reading
from emofeedback.settings import Settings
from emofeedback.text import prompt_lines
from emofeedback.ui import app as studio
from emofeedback.ui.adapters import AdapterChoice, VisitorAdapters
from emofeedback.ui.finetune.finetune_view import (
    LEFT,
    chart,
    event_words,
    learned_nothing,
    no_gain,
    number_words,
    pairs,
    place_words,
    record_label,
)
from emofeedback.ui.finetune.pace import Pace
from emofeedback.ui.finetune.queue import JobQueue
from emofeedback.ui.session import Models, Visits

ORDER: dict[str, Any] = {
    "source": "own",
    "prompts": "\n".join(PROMPTS),
    "region": "point",
    "valence": 0.7,
    "arousal": -0.7,
    "objective": "awm",
    "minutes": 0,
    "updates": 2,
    "group": 4,
    "steps": 2,
    "learning_rate": 0.02,
    "seed": 0,
    "held_out": "\n".join(HELD_OUT),
    "begin": None,
}
STATUS, CHARTS, PAIRS = 0, 1, 2
KEPT: list[Path] = []  # where the page of these tests keeps jobs
MOOD = ("a cat", 0.6, -0.4, 1, 5, 2)


class PleasedRater(ColourJudge):
    """Finds each audit's pictures closer to the target than those before, so that the last update is the best."""

    audits = 0

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        self.audits += 1
        closer = Affect.clamped(0.1 * self.audits, -0.1 * self.audits)
        return [reading and replace(reading, affect=closer) for reading in super().read(pictures)]


def open_tiny(order: FinetuneOrder, judge: Judge, out: Path) -> FinetuneJob:
    """As build.build_finetune_job, with everything small and the colour as the reward."""
    settings = replace(
        settings_for(order, judge),
        prompts=2,
        rank=4,
        audit_every=1,
        audit_pictures=2,
        audit_steps=2,
        weights={"affect": 1.0, "content": 0.3},
    )
    tasks = tasks_of(order)
    reader = CachedReader(judge)
    rewards = {"affect": AffectReward(reader), "content": ContentReward(reader)}
    auditor = Auditor(tasks.audit(settings.audit_pictures), PleasedRater(), settings)
    start = None if settings.start is None else (Path(settings.start), settings.start_scale)
    policy = ScenePolicy(tiny_generator(), settings.rank or 4, settings.seed, start=start)
    return FinetuneJob(Finetuner(policy, Scoring(rewards, auditor), settings, tasks, out))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("finetune")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOFEEDBACK_DATA", str(folder / "data"))
        KEPT.append(folder / "data")
        page, address = studio.launch(
            lambda: (tiny_generator(), ColourJudge()),
            studio.StudioOptions(example=folder / "none", files=folder, open_job=open_tiny),
            block=False,
        )
    yield Client(address, verbose=False, download_files=str(folder / "client"))
    page.close()


def values(**changed: object) -> list[Any]:
    return list({**ORDER, **changed}.values())


def shown(item: Any) -> Any:
    """An output's value, whether or not other properties came with it."""
    return item.get("value") if isinstance(item, dict) else item


def adapter_names(output: tuple[Any, ...]) -> list[str]:
    file = next(value for value in map(shown, output) if str(value).endswith(".zip"))
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


def test_a_job_runs_to_the_end_and_its_adapter_is_used_by_who_made_it(client: Client, tmp_path: Path) -> None:
    job = client.submit(*values(), api_name="/finetune")
    last = job.result(timeout=PATIENCE)
    seen = job.outputs()
    drawn = [shown(output[CHARTS]) for output in seen]
    lines_drawn = [str(c).count('class="line"') for c in drawn if c]
    assert lines_drawn[0] == 0 and lines_drawn[-1] == 3 and sorted(lines_drawn) == lines_drawn
    assert any("Update 1 of 2" in str(shown(output[STATUS])) for output in seen)
    assert any(str(shown(output[PAIRS])).count("<img") == 4 for output in seen)
    assert "Done: 2 updates and 16 pictures" in shown(last[STATUS])
    assert "The best was update 2" in shown(last[STATUS]) and "closer to their mood" in shown(last[STATUS])
    assert "adapter/pytorch_lora_weights.safetensors" in adapter_names(last)

    def picture(who: Client) -> tuple[bytes, bool]:
        """Its pixels, and whether its record names the adapter."""
        with Image.open(who.predict(*MOOD, api_name="/generate")[0]) as image:
            return image.convert("RGB").tobytes(), "+tuned" in image.info["emofeedback"]

    before = picture(client)
    assert not before[1]
    other = Client(client.src, verbose=False, download_files=str(tmp_path))
    assert "strength 2" in client.predict(2, None, api_name="/finetune_use")
    tuned = picture(client)
    assert tuned[0] != before[0] and tuned[1]
    assert picture(other) == before  # another visitor does not see it
    assert picture(client) == tuned
    client.predict(0, None, api_name="/finetune_use")
    assert picture(client) == before


def visitor(client: Client, tmp_path: Path, mark: str) -> Client:
    cookie = {"Cookie": f"emofeedback_visitor={mark * 32}"}
    return Client(client.src, verbose=False, download_files=str(tmp_path), headers=cookie)


def test_past_jobs_are_kept_for_who_made_them_and_can_go_on(client: Client, tmp_path: Path) -> None:
    first = visitor(client, tmp_path, "a")
    first.predict(*values(updates=1), api_name="/finetune")
    again, stranger = visitor(client, tmp_path, "a"), visitor(client, tmp_path, "b")  # another page, another day

    (name,) = (folder.name for folder in KEPT[0].glob("jobs/*/*"))
    looked = again.predict(name, api_name="/finetune_job")
    assert "Done: 1 update and 8 pictures" in shown(looked[STATUS]) and shown(looked[1]).count('class="line"') >= 1
    assert shown(looked[2]).count("<img") == 4
    with pytest.raises(AppError, match="not there any more"):
        stranger.predict(name, api_name="/finetune_job")
    with pytest.raises(AppError, match="not there any more"):
        again.predict("../" + name, api_name="/finetune_job")
    last = again.predict(0, 2, name, api_name="/finetune_resume")
    assert any("Done: 3 updates and 24 pictures" in str(shown(value)) for value in last)
    assert "strength 1" in again.predict(1, name, api_name="/finetune_use")
    again.predict(0, name, api_name="/finetune_use")


def test_a_job_begins_where_another_ended_and_only_with_the_visitors_own(client: Client, tmp_path: Path) -> None:
    maker, stranger = visitor(client, tmp_path, "c"), visitor(client, tmp_path, "d")
    before = set(KEPT[0].glob("jobs/*/*"))
    maker.predict(*values(updates=1), api_name="/finetune")
    (first,) = set(KEPT[0].glob("jobs/*/*")) - before
    with pytest.raises(AppError, match="not there any more"):
        stranger.predict(*values(updates=1, begin=first.name), api_name="/finetune")
    last = maker.predict(*values(updates=1, begin=first.name), api_name="/finetune")
    assert "Done: 1 update" in shown(last[STATUS])
    (second,) = set(KEPT[0].glob("jobs/*/*")) - before - {first}
    record = read_record(second)
    assert record is not None and record.ordered is not None
    assert record.order().start == record.ordered["start"] == str(first / "adapter")


def test_a_second_job_waits_and_sees_its_place(client: Client, tmp_path: Path) -> None:
    busy = client.submit(*values(updates=100_000), api_name="/finetune")
    wait_for(busy, "Update 1")
    other = Client(client.src, verbose=False, download_files=str(tmp_path))
    second = other.submit(*values(updates=1), api_name="/finetune")
    wait_for(second, "One job is before yours")
    client.predict(api_name="/finetune_stop")
    assert "Done: 1 update" in str(shown(second.result(timeout=PATIENCE)[STATUS]))
    busy.result(timeout=PATIENCE)


def wait_for(job: Any, words: str) -> None:
    end = time.monotonic() + PATIENCE
    while not any(words in str(shown(output[STATUS])) for output in job.outputs()):
        assert time.monotonic() < end and not job.done()
        time.sleep(0.05)


def test_stop_leaves_an_adapter(client: Client) -> None:
    job = client.submit(*values(updates=100_000), api_name="/finetune")
    wait_for(job, "Update 1")
    assert "Stopping" in client.predict(api_name="/finetune_stop")
    last = job.result(timeout=PATIENCE)
    assert "Stopped by you" in shown(last[STATUS])
    assert "adapter/pytorch_lora_weights.safetensors" in adapter_names(last)
    assert "Nothing is running" in client.predict(api_name="/finetune_stop")


def test_an_objective_that_is_left_open_is_chosen_for_the_judge_and_said(client: Client) -> None:
    job = client.submit(*values(objective="auto", updates=1), api_name="/finetune")
    job.result(timeout=PATIENCE)
    assert any("matching (awm), which suits colour" in str(shown(output[STATUS])) for output in job.outputs())
    with pytest.raises(AppError, match="colour gives scores alone; choose awm"):
        client.predict(*values(objective="direct"), api_name="/finetune")


def test_a_dry_run_says_time_and_memory(client: Client) -> None:
    last = client.predict(*values(minutes=5, updates=0), api_name="/finetune_dry_run")
    assert "Measured here: one update takes" in shown(last[STATUS]) and "B of memory" in shown(last[STATUS])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"group": 3}, "at least 4 pictures"),
        ({"minutes": 5}, "either minutes or updates"),
        ({"updates": 0}, "either minutes or updates"),
        ({"prompts": " \n"}, "Write at least one prompt"),
        ({"held_out": PROMPTS[0]}, "is also trained on"),
        ({"seed": None}, "The seed must be a whole number from 0 to"),
        ({"learning_rate": None}, "The learning rate must be a number from 0 to 0.1, but the box is empty"),
    ],
)
def test_bad_settings_get_one_sentence(client: Client, changed: dict[str, Any], says: str) -> None:
    with pytest.raises(AppError, match=says):
        client.predict(*values(**changed), api_name="/finetune")


def test_an_adapter_without_a_gain_is_not_offered_without_a_word(client: Client, tmp_path: Path) -> None:
    """One that changes nothing was put on at strength 1, and nothing was said of it."""
    mine = visitor(client, tmp_path, "e")
    before = set(KEPT[0].glob("jobs/*/*"))
    mine.predict(*values(updates=1), api_name="/finetune")
    (folder,) = set(KEPT[0].glob("jobs/*/*")) - before
    assert "changes nothing" not in mine.predict(1, None, api_name="/finetune_use")
    known = json.loads((folder / "job.json").read_text())
    known["result"] |= {"best_update": 0, "best": known["result"]["base"]}
    (folder / "job.json").write_text(json.dumps(known))
    assert "No audited update beat the start" in shown(mine.predict(folder.name, api_name="/finetune_job")[0])
    assert "so this adapter changes nothing" in mine.predict(1, folder.name, api_name="/finetune_use")
    mine.predict(0, folder.name, api_name="/finetune_use")
    record = read_record(folder)
    assert record is not None and record_label(record).endswith(": changes nothing")
    strength = mine.predict(folder.name, api_name="/finetune_job")[3]  # as is the button beside it
    assert strength["interactive"] is False


def test_create_can_say_which_adapter_is_on(tmp_path: Path) -> None:
    """A tuned generator drew in every tab, and no tab but this one said so."""
    models, visits = Models(lambda: (tiny_generator(), ColourJudge())), Visits(tmp_path)
    adapters, visit = VisitorAdapters(models), visits.of(None)
    assert adapters.line(visit) == ""
    adapters.choose(visit, AdapterChoice(tmp_path, 0.5, "the four corners, 27 Nov 15:41"))
    said = "Your fine-tuned adapter (the four corners, 27 Nov 15:41) is on at strength 0.5."
    assert adapters.line(visit) == said and adapters.line(visits.of(None)) == ""
    adapters.choose(visit, None)
    assert adapters.line(visit) == ""


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_how_long_a_job_still_takes_is_measured_and_said_as_such() -> None:
    """The estimate spread the first audit over the updates, and left out the audits to come and the turns of others."""
    clock = Clock()
    pace = Pace(updates=10, minutes=None, audit_every=6, clock=clock)
    first = {"kind": "audit", "update": 0, "elapsed": 20.0, "error": 0.5}
    pace.add(first)
    assert pace.left() is None and "the first update tells how long" in event_words(first, pace, None)
    for number in (1, 2):
        clock.now += 10.0
        update = {"kind": "update", "update": number, "seconds": 10.0, "elapsed": 20.0 + clock.now, "reward": -0.1}
        pace.add(update)
    assert pace.left() == 8 * 10 + 2 * 20  # audits after update 6 and at the end
    said = event_words(update, pace, first)
    assert said == "Update 2 of 10; about 2 minutes left, measured from 2 updates"
    clock.now += 30.0
    assert pace.left() == 90
    pace.add({"kind": "update", "update": 3, "seconds": 10.0, "elapsed": 50.0})  # it took 40 s: others drew meanwhile
    assert pace.left() == pytest.approx((7 * 10 + 2 * 20) * 50 / 30)
    within = Pace(updates=None, minutes=2.0, audit_every=6, clock=clock)
    within.add(first)
    within.add({"kind": "update", "update": 1, "seconds": 10.0, "elapsed": 30.0})
    assert within.left() == 5 * 10 + 20  # the audit after update 6 ends at 100 s; no other fits before 120 s
    assert within.share() == pytest.approx(30 / 100)


def test_what_a_job_came_to_is_said() -> None:
    result = {"updates": 6, "best_update": 6, "base": {"error": 0.5}, "best": {"error": 0.5}}
    assert "no nearer" in no_gain(result) and no_gain(result | {"best": {"error": 0.4}}) == no_gain(None) == ""
    assert "the one it began with" in no_gain(result | {"best_update": 0}, started=True)
    assert learned_nothing(result | {"best_update": 0}) and not learned_nothing(result)
    checked = {"kind": "audit", "update": 6, "elapsed": 1.0, "error": 0.38}
    assert "24 % closer to the mood" in event_words(checked, Pace(6, None), {"error": 0.5})


def test_a_place_in_the_queue_comes_with_its_time() -> None:
    jobs = JobQueue()
    jobs.enter(lambda: 200.0)
    second, third = jobs.enter(lambda: None), jobs.enter()
    assert place_words(jobs.place(second)) == "One job is before yours, about 3 minutes left …"
    assert place_words(jobs.place(third)) == "2 jobs are before yours …"  # nobody knows how long the second takes


def test_without_a_job_there_is_nothing_to_use(client: Client, tmp_path: Path) -> None:
    other = Client(client.src, verbose=False, download_files=str(tmp_path))
    with pytest.raises(AppError, match="Run a job first"):
        other.predict(1, None, api_name="/finetune_use")


def test_a_missing_rater_and_a_worn_adapter_are_said_in_a_sentence(tmp_path: Path) -> None:
    judge = ColourJudge()
    with pytest.raises(UserError, match="second rater"):
        build.build_finetune_job(Settings(checkpoints=tmp_path), FinetuneOrder(), judge, tmp_path)
    with pytest.raises(UserError, match="without an adapter"):
        build.build_finetune_job(Settings(adapter="x"), FinetuneOrder(), judge, tmp_path)


def test_numbers_beside_a_chart_have_room() -> None:
    """Left of the axis "−0.0012" was clipped to "0.0012", the sign away."""
    assert [number_words(v) for v in (-0.00123, 0.123456, -12345.6, 1e-7, 0)] == [
        "−0.00123",
        "0.123",
        "−12346",
        "1.0e-7".replace("-", "−"),
        "0",
    ]
    widest = max(len(number_words(v)) for v in (-0.00123, -0.0123, -123.4, -1.2e-9, -99999.0, 5e8))
    assert widest * 6.2 < LEFT - 5  # digits of 11 px are 6.2 wide


def test_charts_and_pairs_are_drawn_the_right_way_up_and_escaped() -> None:
    drawing = chart("<b>", [(0, 1.0), (1, 3.0)], "note", base=1.0)
    first, last = drawing.split('points="')[1].split('"')[0].split()
    assert float(last.split(",")[1]) < float(first.split(",")[1])
    assert float(last.split(",")[0]) > float(first.split(",")[0])
    assert "<b>" not in drawing and 'class="base"' in drawing
    assert 'class="line"' in chart("flat", [(1, 2.0)], "") and 'class="line"' not in chart("none", [], "")
    assert pairs([], [], []) == ""
    assert prompt_lines(" a  cat \n\na cat\na dog") == ("a cat", "a dog")

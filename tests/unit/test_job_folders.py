"""Folders of fine-tuning jobs: full disks, two jobs at once, jobs killed early, records that somebody changed."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import ColourJudge
from full_disk import files_end_at
from tiny_finetune import job

from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.files import storage, unfinished
from emofeedback.files.training_state import load_state
from emofeedback.finetuning.job import FinetuneJob
from emofeedback.finetuning.job_store import ADAPTER, RECORD, JobStore, read_record, write_record
from emofeedback.finetuning.metrics_log import METRICS
from emofeedback.finetuning.trainer import STATE
from emofeedback.machine.folder_lock import LOCK_FILES, alone_in
from emofeedback.ui.finetune.finetune_view import record_label, record_words

ROOT = Path(__file__).parents[2]


def ran(folder: Path, **given: object) -> FinetuneJob:
    work = FinetuneJob(job(folder, **given))
    work.run(lambda: False, lambda entry: None)
    return work


@pytest.mark.parametrize("size", [0, 3000, 20_000])
def test_a_disk_that_fills_up_is_one_sentence_and_the_job_goes_on_later(size: int, tmp_path: Path) -> None:
    """It ended in a traceback of safetensors, of `open` or of `mkdir`, wherever the disk was full first."""
    begun = ran(tmp_path / "job", updates=1)
    state = load_state(tmp_path / "job" / STATE)
    work = FinetuneJob(job(tmp_path / "job", updates=2))
    work.resume()
    with files_end_at(size), pytest.raises(UserError, match="cannot be written .*; free some space"):
        work.run(lambda: False, lambda entry: None)
    left = [p.name for p in (tmp_path / "job").rglob("*") if p.name.startswith(".")]
    assert left == []
    assert (tmp_path / "job" / ADAPTER / "pytorch_lora_weights.safetensors").is_file()
    assert load_state(tmp_path / "job" / STATE)["done"] >= state["done"] == begun.trainer.done
    again = FinetuneJob(job(tmp_path / "job", updates=2))
    again.resume()
    assert again.run(lambda: False, lambda entry: None).result.updates == 2


def test_two_jobs_in_one_folder_are_refused_by_the_owners_number(tmp_path: Path) -> None:
    """Both wrote into one metrics.jsonl and one state."""
    said: list[str] = []

    def second() -> None:
        try:
            ran(tmp_path / "job", updates=1)
        except UserError as error:
            said.append(str(error))

    def during(entry: dict[str, Any]) -> None:
        if not said:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    FinetuneJob(job(tmp_path / "job", updates=1)).run(lambda: False, during)
    assert len(said) == 1 and "Another job works in" in said[0] and f"process {os.getpid()}" in said[0]
    updates = [e["update"] for e in FinetuneJob(job(tmp_path / "job", updates=1)).trainer.log.read()]
    assert updates == [0, 1, 1]
    assert not set(LOCK_FILES) & {p.name for p in (tmp_path / "job").iterdir()}


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    hold = "import sys, time; from pathlib import Path; from emofeedback.machine.folder_lock import alone_in\n"
    hold += "with alone_in(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(600)"
    owner = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "job")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert owner.stdout is not None and owner.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match=f"process {owner.pid} on"), alone_in(tmp_path / "job"):
        pass
    owner.kill()
    owner.wait()
    with alone_in(tmp_path / "job"), alone_in(tmp_path / "job"):  # the same thread may enter again
        assert json.loads((tmp_path / "job" / LOCK_FILES[1]).read_text())["pid"] == os.getpid()
    assert list((tmp_path / "job").iterdir()) == []


def test_a_job_killed_before_its_first_state_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--resume said that there is no state, and without it the folder was not empty."""
    out = tmp_path / "job"
    for name in ("generator", "judge", "rater"):
        monkeypatch.setattr(f"emofeedback.build.build_{name}", lambda *given: ColourJudge())
    monkeypatch.setattr("emofeedback.finetuning.build_finetuner.build_finetuner", lambda *parts: job(out, updates=1))
    trainer = job(out, updates=1)
    write_record(out, "running", trainer.settings.as_json(), trainer.tasks.as_json())
    (out / METRICS).write_text('{"kind": "audit", "update": 0}\n{"kind": "upd')
    (out / "training").mkdir()
    record = read_record(out)
    assert record is not None and record.resumable
    assert main(["finetune", "--out", str(out), "--updates", "1"]) == 2
    assert "give --resume" in capsys.readouterr().err
    assert main(["finetune", "--out", str(out), "--resume"]) == 0
    straight = ran(tmp_path / "straight", updates=1)
    states = [load_state(folder / STATE)["policy"].values() for folder in (out, tmp_path / "straight")]
    pairs = zip(*states, strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert [e["update"] for e in straight.trainer.log.read()] == [0, 1, 1]
    assert len((out / METRICS).read_text().splitlines()) == 3
    # what has learned something begins not anew where its state was taken away
    (out / STATE).unlink()
    assert main(["finetune", "--out", str(out), "--resume"]) == 1
    assert "no job in" in capsys.readouterr().err


def test_a_lock_and_nothing_else_is_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A job killed while its models load leaves that alone."""
    for name in LOCK_FILES:
        (tmp_path / name).write_text("{}")
    assert main(["finetune", "--out", str(tmp_path), "--adapter", "nowhere"]) == 2
    assert "no adapter at nowhere" in capsys.readouterr().err


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Bytes changed, cut or doubled, or a value of the JSON replaced by another kind."""
    odd: list[Any] = [None, 5, -1, "x" * 100, [], {}, [[]], True, 1e308, 10**400, "\ud800", {"error": "a"}, [{"a": 1}]]
    if rng.random() < 0.3:
        at = rng.randrange(len(content))
        changes: list[Callable[[], bytes]] = [
            lambda: content[:at],
            lambda: content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :],
            lambda: content[:at] + content[at // 2 :],
            lambda: b"[" * 5000,
        ]
        return rng.choice(changes)()
    value = json.loads(content)
    if rng.random() < 0.05:
        return json.dumps(rng.choice(odd)).encode()
    inside = value
    while True:
        key = rng.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        if isinstance(inside[key], dict | list) and inside[key] and rng.random() < 0.7:
            inside = inside[key]
            continue
        if isinstance(inside, dict) and rng.random() < 0.3:
            del inside[key]
        else:
            inside[key] = rng.choice(odd)
        return json.dumps(value).encode()


def test_an_odd_record_hides_no_other_job(tmp_path: Path) -> None:
    """69 of 500 mutated records emptied the list of all jobs."""
    ran(tmp_path / "jobs" / "20260101-120000", updates=1)
    good = (tmp_path / "jobs" / "20260101-120000" / RECORD).read_bytes()
    odd = tmp_path / "jobs" / "20260102-120000"
    odd.mkdir()
    store, rng, listed = JobStore(tmp_path / "jobs"), random.Random(0), 0
    for _ in range(250):
        (odd / RECORD).write_bytes(mutated(good, rng))
        found = store.jobs()
        assert "20260101-120000" in [record.folder.name for record in found]
        listed += len(found) == 2
        for record in found:
            assert record_label(record)
            if record.result is None or record.result["stopped"] == "budget":
                assert record_words(record)
            try:
                record.order()
            except UserError as error:
                assert len(str(error)) < 1100
    assert 30 < listed < 240


def test_what_killed_processes_left_half_written_goes_at_the_next_start(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = unfinished._host()
    mine = f".a.png.{os.getpid()}-{host}.tmp"
    left = {f".a.png.{dead.pid}-{host}.tmp": False, mine: True, f".a.png.{dead.pid}-00000000.tmp": True}
    left |= {".a.png.tmp": True, "run.json": True}
    (tmp_path / "20260101-120000").mkdir()
    for folder in (tmp_path, tmp_path / "20260101-120000"):
        for name in left:
            (folder / name).write_text("x")
    with storage.results_folder(tmp_path):
        pass
    kept = {name for name, stays in left.items() if stays}
    assert {p.name for p in (tmp_path / "20260101-120000").iterdir()} == kept
    assert {p.name for p in tmp_path.iterdir()} == kept | {"20260101-120000"}
    os.utime(tmp_path / mine, (1, 1))  # of a process that had this one's number before
    unfinished.sweep_unfinished(tmp_path)
    assert not (tmp_path / mine).exists()

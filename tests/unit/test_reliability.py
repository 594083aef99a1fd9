"""The commands that measure reliability see a fault where there is one."""

from pathlib import Path

import pytest
from PIL import Image

from emofeedback.cli.hostile_inputs import HTTP, READERS, Tally, _fault, _ran, parts
from emofeedback.deploy.check_report import CheckReport
from emofeedback.deploy.kill_test import half_written
from emofeedback.errors import UserError
from emofeedback.files.storage import image_bytes


def test_half_written_files_are_seen(tmp_path: Path) -> None:
    whole = image_bytes(Image.new("RGB", (64, 64), "red"))
    for name, content in (("a.png", whole), ("b.json", b"{}"), (".c.png.1-0.tmp", whole[:9])):
        (tmp_path / name).write_bytes(content)
    assert half_written(tmp_path) == []
    for name, content in (("a.png", whole[:-40]), ("b.json", b'{"a": '), ("c.safetensors", b"x" * 40)):
        (tmp_path / name).write_bytes(content)
    assert sorted(fault.partition(" ")[0] for fault in half_written(tmp_path)) == ["a.png", "b.json", "c.safetensors"]


def test_every_input_is_judged() -> None:
    def raising(error: Exception) -> None:
        raise error

    report = CheckReport({READERS: 3, HTTP: 3}, 0)
    tally = Tally(report)
    for error in (UserError("Say it shorter."), ValueError("odd")):
        tally.judge(READERS, "picture", lambda error=error: raising(error))  # type: ignore[misc]
    tally.judge(READERS, "picture", lambda: 5)
    tally.judge(HTTP, "call", lambda: _fault(500, "x"))
    tally.judge(HTTP, "call", lambda: _fault(200, "event: error\n" + "x" * 20_000))
    tally.judge(HTTP, "call", lambda: _fault(422, "no"))
    assert report.done == {READERS: 3, HTTP: 3} and report.faults == 3 and report.as_json()["complete"]
    assert [fault.partition(":")[0] for fault in report.first_faults] == ["readers 1", "HTTP 0", "HTTP 1"]
    assert _ran(["estimate", "nowhere.png", "--seed", "none"]) is None and sum(parts(10_000).values()) == 10_000


def test_a_check_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    """Hours of kills were lost with the terminal that they ran in."""
    file, told, now = tmp_path / "report.json", list[str](), iter(range(0, 1000, 6))
    wanted = {"history": 3, "generate": 2}
    report = CheckReport(wanted, 5, file, told.append, lambda: next(now))
    first = [number for number, _ in zip(report.left("history"), "ab", strict=False)]
    for _ in first:
        report.count("history", ["lost"])
    assert first == [0, 1] and told[-1] == "history: 2 of 3, 2 faults in all, about 18 s left"
    again = CheckReport(wanted, 5, file)
    assert list(again.left("history")) == [2] and again.faults == 2 and not again.as_json()["complete"]
    again.count("history", [])
    for _ in again.left("generate"):
        again.count("generate", [])
    again.keep()
    assert CheckReport(wanted, 5, file).as_json()["complete"]
    file.write_text("{}")
    for other in (lambda: CheckReport(wanted, 5, file), lambda: CheckReport(wanted, 6, file)):
        with pytest.raises(UserError, match="no report of this check"):
            other()

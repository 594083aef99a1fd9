"""The commands that measure reliability see a fault where there is one."""

from pathlib import Path

from PIL import Image

from emofeedback.cli.hostile_inputs import Tally, _fault, _ran, parts
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

    tally = Tally()
    for error in (UserError("Say it shorter."), ValueError("odd")):
        tally.judge("file", lambda error=error: raising(error))  # type: ignore[misc]
    tally.judge("file", lambda: 5)
    tally.judge("HTTP call", lambda: _fault(500, "x"))
    tally.judge("HTTP call", lambda: _fault(200, "event: error\n" + "x" * 20_000))
    tally.judge("HTTP call", lambda: _fault(422, "no"))
    assert tally.inputs == {"file": 3, "HTTP call": 3}
    assert [fault.partition(":")[0] for fault in tally.faults] == ["file 1", "HTTP call 0", "HTTP call 1"]
    assert _ran(["estimate", "nowhere.png", "--seed", "none"]) is None and sum(parts(10_000)) == 10_000

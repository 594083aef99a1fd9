"""`python -m emofeedback.cli.hostile_inputs`: mutated and odd inputs over every way in.

Pictures, settings in PNGs, adapters, judges' replies, prompt files and records go to their readers in this process;
raw calls and uploads go to a studio over HTTP; command lines go to the command line. Each must end in an answer or one
short sentence within LIMIT seconds: no traceback, no HTTP 500. Exit code 1 where one does not.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import random
import string
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from emofeedback.build import build_generator
from emofeedback.cli import main as command
from emofeedback.cli.soak_command import studio
from emofeedback.deploy.check_report import CheckReport
from emofeedback.deploy.space import ROOT
from emofeedback.errors import MAX_MESSAGE, UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.files.png_settings import parse_parameters, read_settings
from emofeedback.files.text_file import decoded
from emofeedback.finetuning.job_store import RECORD, read_record
from emofeedback.judges import replies
from emofeedback.machine.quiet import quiet_libraries
from emofeedback.settings import Settings

logger = logging.getLogger(__name__)
LIMIT = 20.0
"""Seconds of one input; a call over HTTP may also wait for the models."""
READERS, HTTP, LINE = "readers", "HTTP", "command lines"
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 3.5, 10**400, 1e308, float("nan"), float("inf"), "", "x" * 100_000, "\ud83d", "a\0b"),
    *("../../etc/passwd", "/dev/zero", "<script>alert(1)</script>", "{{7*7}}", "🎆" * 500, [], [[]], {}, {"path": "/"}),
    *({"path": "/dev/zero"}, {"path": None}, {"path": "http://127.0.0.1/", "meta": {"_type": "gradio.FileData"}}),
)
CALLS: dict[str, list[Any]] = {
    "generate": ["a boat", 0.5, 0.2, 1, 3, 1, "", 0, False],
    "preview": ["a boat", 0.5, 0.2, 1, 3],
    "sweep": ["a boat", 2, 1, 3, "", "", 2, "", 1, 0],
    "feedback_run": ["a boat", 0.5, 0.2, 1, 3, 1, 1, "same_seed"],
    "redraw": [None, "a boat", 0.5, 0.2, 1, 3, 1, 1, 0.5],
    "fine_tune": ["a boat", 0.5, 0.2, "point", 0, 1, "awm", 3],
    "estimate": [None],
}
REPLY = json.dumps(
    {
        "analysis": "The light is even.",
        "carries": ["even light"],
        "edits": [{"op": "add", "new": "with storm clouds"}, {"op": "replace", "old": "boat", "new": "wreck"}],
    }
)
LINES = (
    ["generate", "a boat", "--valence", "0.5", "--arousal", "0.2"],
    ["estimate", "nowhere.png"],
    ["sweep", "a boat", "--grid", "2"],
    ["finetune", "--updates", "1"],
)


class Tally:
    """Inputs by their way in, and what went wrong."""

    def __init__(self, report: CheckReport) -> None:
        self.report = report

    def judge(self, kind: str, way: str, work: Callable[[], object]) -> None:
        """One input: `work` raises UserError or answers; a text that it gives is a fault.

        Args:
            kind: "readers", "HTTP" or "command lines".
            way: what is told of a fault.
        """
        begin, fault = time.monotonic(), None
        try:
            said = work()
            fault = said if isinstance(said, str) else None
        except UserError as error:
            fault = None if len(str(error)) <= MAX_MESSAGE else f"a message of {len(str(error))} characters"
        except Exception as error:
            fault = f"{type(error).__name__}: {str(error)[:200]}"
        seconds = time.monotonic() - begin
        if seconds > LIMIT:
            fault = f"{fault or 'nothing'} after {seconds:.0f} s"
        self.report.count(kind, [f"{way}: {fault}"] if fault else [], seconds)

    def left(self, kind: str) -> Iterator[tuple[int, random.Random]]:
        """The inputs that are still to be sent: their number, and what they are made with, which follows from it."""
        for number in self.report.left(kind):
            yield number, random.Random(f"{self.report.seed} {kind} {number}")


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, taken out, doubled or cut off."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(found)) if found else 0
        match rng.randrange(5):
            case 0 if found:
                found[at] = rng.randrange(256)
            case 1:
                del found[at : at + rng.randrange(1, 40)]
            case 2:
                found[at:at] = found[at : at + rng.randrange(1, 200)]
            case 3:
                found[at:at] = rng.choice((b"\0", b"[" * 2000, b"{", b'"', b"NaN", b"\xff\xfe", b"1e999", b"\n"))
            case 4 if rng.random() < 0.3:
                del found[at:]
    return bytes(found)


def files(tally: Tally, folder: Path) -> None:
    """Pictures, their settings, adapters, records, prompt files, judges' replies."""
    example = ROOT / "assets" / "example_run" / "round-01-candidate-01.png"
    pictures = [example.read_bytes()]
    for kind in ("JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        buffer = io.BytesIO()
        Image.open(example).convert("RGB").resize((24, 24)).save(buffer, kind)
        pictures.append(buffer.getvalue())
    adapter, generator = (
        folder / "a.safetensors",
        build_generator(Settings.from_environment(os.environ).changed(device="cpu")),
    )
    layer = "transformer.transformer_blocks.0.attn.to_q"
    width = generator.pipeline.transformer.get_submodule(layer.partition(".")[2]).in_features  # type: ignore[attr-defined]
    save_file(
        {
            f"{layer}.lora_A.weight": np.ones((2, width), np.float32),
            f"{layer}.lora_B.weight": np.ones((width, 2), np.float32),
        },
        adapter,
    )
    weights = adapter.read_bytes()
    record = json.dumps({"status": "running", "made": "", "settings": {}, "tasks": {}, "order": None, "result": None})
    text = "a boat\nNegative prompt: x\nSteps: 2, Seed: 3, Size: 1x1, Model: m\nTemplate: a\nb"

    def lora(rng: random.Random) -> None:
        adapter.write_bytes(mutated(weights, rng))
        generator.load_adapter(adapter)  # type: ignore[attr-defined]

    def job(rng: random.Random) -> None:
        (folder / RECORD).write_bytes(mutated(record.encode(), rng))
        found = read_record(folder)
        if found is not None:
            found.order()

    def reply(rng: random.Random) -> None:
        said = mutated(REPLY.encode(), rng).decode("utf-8", "replace")
        replies.critique_for(said, "a boat")
        replies.parse_content(said)
        replies.parse_label(said, ("1", "2"))
        replies.parse_yes(said)
        replies.parse_pair(said)

    ways: dict[str, Callable[[random.Random], object]] = {
        "picture": lambda rng: open_picture(mutated(rng.choice(pictures), rng)),
        "settings": lambda rng: read_settings(mutated(pictures[0], rng)),
        "parameters": lambda rng: parse_parameters(mutated(text.encode(), rng).decode("utf-8", "replace")),
        "adapter": lora,
        "job record": job,
        "prompt file": lambda rng: decoded(mutated(b"\xff\xfea\0b\0", rng), "it"),
        "judge's reply": reply,
    }
    for i, rng in tally.left(READERS):
        way = list(ways)[i % len(ways)]
        tally.judge(READERS, way, partial(_quietly, partial(ways[way], rng)))


def _quietly(work: Callable[[], object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of damaged files
        work()


def calls(tally: Tally, url: str) -> None:
    """Raw calls, direct calls and uploads."""
    with httpx.Client(timeout=600) as web:
        # the models load meanwhile, which is no answer's time
        _asked(web, url, "call", "generate", json.dumps({"data": CALLS["generate"]}).encode())
        for i, rng in tally.left(HTTP):
            name = list(CALLS)[i % len(CALLS)]
            data = list(CALLS[name])
            for _ in range(rng.choice((1, 1, 2))):
                data[rng.randrange(len(data))] = rng.choice(ODD)
            body = json.dumps({"data": data}).encode()
            if rng.random() < 0.2:
                body = mutated(body, rng)
            way = rng.choice(("call", "call", "call", "run", "upload"))
            tally.judge(HTTP, f"{way} of {name}", partial(_asked, web, url, way, name, body))


def _asked(web: httpx.Client, url: str, way: str, name: str, body: bytes) -> str | None:
    headers = {"content-type": "application/json"}
    if way == "upload":
        headers["content-type"] = "multipart/form-data; boundary=x"
        body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + body[:200] + b'"\r\n\r\n' + body
        answer = web.post(f"{url}gradio_api/upload", content=body, headers=headers)
        return _fault(answer.status_code, answer.text)
    begun = web.post(f"{url}gradio_api/{way}/{name}", content=body, headers=headers)
    if way == "run" or begun.status_code != 200:
        return _fault(begun.status_code, begun.text)
    told = web.get(f"{url}gradio_api/call/{name}/{begun.json()['event_id']}")
    return _fault(told.status_code, told.text)


def _fault(status: int, text: str) -> str | None:
    if status >= 500:
        return f"HTTP {status}: {text[:200]}"
    for sign in ("Traceback", "site-packages", "the log of the app says why"):
        if sign in text:
            return f"{sign} in an answer: {text[-300:]}"
    return "an answer of a megabyte" if "event: error" in text and len(text) > 10 * MAX_MESSAGE else None


def lines(tally: Tally, folder: Path) -> None:
    """Command lines that end before a model is loaded: one odd word is always among them."""
    for _, rng in tally.left(LINE):
        line = list(rng.choice(LINES))
        odd = "".join(rng.choice(string.printable + "é雪\u202e") for _ in range(rng.randrange(30)))
        line[rng.randrange(1, len(line))] = odd
        line += ["--out", str(folder / "out"), "--strength" if line[0] == "generate" else "--seed", "none"]
        tally.judge(LINE, line[0], partial(_ran, line))


def _ran(line: list[str]) -> str | None:
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(told):
        code = command(line)
    text = said.getvalue()
    if code not in (1, 2) or "Traceback" in text or "unexpectedly" in text or len(text) > 4 * MAX_MESSAGE:
        return f"exit code {code} of {line}: {text[-300:]}"
    return None


def parts(inputs: int) -> dict[str, int]:
    """How many of all go to readers, calls and command lines."""
    readers, http = inputs * 7 // 10, inputs * 2 // 10
    return {READERS: readers, LINE: inputs - readers - http, HTTP: http}


def main() -> int:
    """Send, look, report as one JSON object on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="of all ways together (10,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, help="kept in this file meanwhile; it goes on from what is there")
    given = parser.parse_args()
    quiet_libraries()
    logging.disable(logging.WARNING)
    stream = sys.stderr  # what the command line says goes elsewhere meanwhile

    def tell(line: str) -> None:
        stream.write(line + "\n")
        stream.flush()

    try:
        report = CheckReport(parts(given.inputs), given.seed, given.report, tell)
    except UserError as error:
        parser.error(str(error))
    tally = Tally(report)
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name)
        (folder / "studio").mkdir()
        if report.left(READERS):
            files(tally, folder)
        lines(tally, folder)
        if report.left(HTTP):
            with studio(folder / "studio", EMOFEEDBACK_DATA=str(folder / "data"), EMOFEEDBACK_FINETUNE_MINUTES="0") as (
                url,
                _,
            ):
                calls(tally, url)
    report.keep()
    sys.stdout.write(json.dumps(report.as_json(), indent=1) + "\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A soak: many users at once against a studio's API, each checking that what comes back is their own."""

import io
import json
import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx  # comes with gradio
from PIL import Image

from emofeedback.errors import UserError

WORDS = ("a lighthouse by the sea", "a cat by a house", "a boat on a lake", "a dog in a park", "a fox in a forest")
FLAT = 0.10
"""Growth of memory after WARM seconds that still counts as flat."""
WARM, SPAN = 60.0, 15.0
"""Seconds until everything was used once, and seconds at each end that are compared: one sample is noise."""
SAMPLE_SECONDS = 1.0
PATIENCE = 300.0
"""Seconds that a user waits for an answer: with many users most of it is the queue."""


@dataclass
class Tally:
    """What all users counted together."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    mix_ups: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)  # what one user read of another's
    cancelled: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)  # (seconds since the begin, MiB)
    lasted: float = 0.0  # seconds
    left_behind: int | None = None  # files in the studio's temporary folder after its end; None = not looked
    lock: threading.Lock = field(default_factory=threading.Lock)

    def growth(self) -> float | None:
        """Memory at the end over that after the first minute, minus 1; None where it was not watched for two."""
        end = self.memory[-1][0] if self.memory else 0.0
        begun = [held for at, held in self.memory if WARM <= at < WARM + SPAN]
        last = [held for at, held in self.memory if at > end - SPAN]
        if end < 2 * WARM or not begun:
            return None
        return statistics.median(last) / statistics.median(begun) - 1

    def by_minute(self) -> list[float]:
        """MiB held in each minute, the median of its samples."""
        minutes: dict[int, list[float]] = {}
        for at, held in list(self.memory):
            minutes.setdefault(int(at // 60), []).append(held)
        return [round(statistics.median(held), 1) for held in minutes.values()]

    def good(self) -> bool:
        """No error, no mix-up, nobody read another's files, memory flat, nothing left behind."""
        growth, wrong = self.growth(), self.errors or self.mix_ups or self.foreign or self.left_behind
        return not wrong and bool(self.seconds) and (growth is None or growth <= FLAT)

    def report(self, users: int) -> dict[str, Any]:
        """The tally as JSON."""
        ordered, growth = sorted(self.seconds), self.growth()

        def quantile(share: float) -> float | None:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else None

        return {
            "users": users,
            "calls": len(ordered),
            "cancelled": self.cancelled,
            "errors": len(self.errors),
            "mix_ups": len(self.mix_ups),
            "foreign_reads": len(self.foreign),
            "files_left_behind": self.left_behind,
            "first_errors": self.errors[:5],
            "first_mix_ups": self.mix_ups[:5],
            "median_seconds": quantile(0.5),
            "p95_seconds": quantile(0.95),
            "memory_mb": round(self.memory[-1][1], 1) if self.memory else None,
            "memory_by_minute_mb": self.by_minute(),
            "memory_growth": None if growth is None else round(growth, 4),
            "good": self.good(),
        }


def soak(
    url: str,
    users: int,
    seconds: float,
    calls: int | None = None,
    memory: Callable[[], float | None] = lambda: None,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Let `users` call /generate, /preview and now and then go away, each with words and seeds of their own.

    Args:
        calls: of each user, at most.
        memory: MiB that the studio holds now; None = not known.
        progress: is given what was counted so far, about once a second.

    Raises:
        UserError: nothing answers at the address.
    """
    try:
        httpx.get(url, timeout=60).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        what = type(error).__name__
        raise UserError(f"No studio answers at {url} ({what}); start one, or leave --url out.") from None
    tally, begin = Tally(), time.monotonic()
    end = begin + seconds
    threads = [
        threading.Thread(target=_user, args=(url.rstrip("/"), number, end, calls, tally), daemon=True)
        for number in range(users)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            held, tally.lasted = memory(), time.monotonic() - begin
            if held is not None and time.monotonic() < end:
                tally.memory.append((time.monotonic() - begin, held))
            progress(tally)
            thread.join(SAMPLE_SECONDS)
    return tally


def _user(url: str, number: int, end: float, calls: int | None, tally: Tally) -> None:
    """One user's calls until the end; a call that is under way is waited for."""
    rng, call = random.Random(number), 0
    with httpx.Client(timeout=PATIENCE) as web:
        while time.monotonic() < end and (calls is None or call < calls):
            call += 1
            seed = number * 1_000_000 + call
            words = f"{rng.choice(WORDS)}, user {number} call {call}"
            mood = {"valence": round(rng.uniform(-1, 1), 2), "arousal": round(rng.uniform(-1, 1), 2), "seed": seed}
            name, leaves = rng.choice(("generate", "preview")), rng.random() < 0.1
            begun = time.monotonic()
            try:
                answer = _call(web, f"{url}/gradio_api/call/{name}", words, mood, leaves)
                if answer is None:
                    with tally.lock:
                        tally.cancelled += 1
                    continue
                wrong = _wrong(web.get(answer[0]["url"]).content, answer[1], words, mood)
                foreign = _foreign(url, answer[0]) if call == 1 else ""
            except Exception as error:
                with tally.lock:
                    tally.errors.append(f"user {number} call {call}: {type(error).__name__}: {str(error)[:200]}")
                time.sleep(0.2)  # a studio that is down must not be hammered
                continue
            with tally.lock:
                tally.seconds.append(time.monotonic() - begun)
                if foreign:
                    tally.foreign.append(f"user {number} call {call}: {foreign}")
                if wrong:
                    tally.mix_ups.append(f"user {number} call {call}: {wrong}")


def _call(web: httpx.Client, url: str, words: str, mood: dict[str, Any], leaves: bool) -> list[Any] | None:
    """One call as curl makes it; None for a user who goes away before the end."""
    data = [words, mood["valence"], mood["arousal"], 1, mood["seed"]]
    begun = web.post(url, json={"data": data if url.endswith("preview") else [*data, 0, "", 0, False]})
    begun.raise_for_status()
    event = ""
    with web.stream("GET", f"{url}/{begun.json()['event_id']}") as stream:
        for line in stream.iter_lines():
            if leaves:
                return None
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event in ("complete", "error"):
                if event == "error":
                    raise RuntimeError(line)
                answer: list[Any] = json.loads(line.removeprefix("data: "))
                return answer
    raise RuntimeError("the stream ended without an answer")


def _wrong(png: bytes, result: dict[str, Any], words: str, mood: dict[str, Any]) -> str:
    """What of an answer belongs to somebody else; empty when all is one's own."""
    with Image.open(io.BytesIO(png)) as image:
        request = json.loads(image.info["emofeedback"])["request"]
    if request["prompt"] != words:
        return f"asked for {words!r}, got {request['prompt']!r}"
    for name in ("valence", "arousal", "seed"):
        if request[name] != mood[name]:
            return f"{name} is {request[name]}, not {mood[name]}"
    return "" if result["seed"] == mood["seed"] else f"the reading is of seed {result['seed']}, not {mood['seed']}"


def _foreign(url: str, image: dict[str, Any]) -> str:
    """What somebody else reads around a user's picture whose place on the studio's disk they know; empty = nothing.

    The picture's own address holds a digest of its content: who was not given it cannot ask for it.
    """
    file = Path(str(image["path"]))
    near = (file.parent, file.parent.parent, file.parent.parent.parent / "owner.json", file / ".." / ".." / ".." / ".")
    with httpx.Client(timeout=PATIENCE) as web:
        for path in near:
            if web.get(f"{url}/gradio_api/file={path}").status_code == 200:
                return f"{path} is served"
            given = {"data": [{"path": str(path)}]}
            begun = web.post(f"{url}/gradio_api/call/estimate", json=given)
            if "event: complete" in web.get(f"{url}/gradio_api/call/estimate/{begun.json()['event_id']}").text:
                return f"{path} is read"
    return ""


def memory_of(pid: int) -> float | None:
    """MiB that a process holds now (its resident set), or None where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError, IndexError):
        return None
    return None

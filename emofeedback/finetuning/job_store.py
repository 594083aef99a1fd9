"""Jobs on disk: a folder each, with its record, metrics, state, samples and adapter. Importing this is cheap."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emofeedback.errors import UserError
from emofeedback.files.read_bounded import read_bounded
from emofeedback.files.storage import write_json
from emofeedback.files.unfinished import writing
from emofeedback.finetuning.job_settings import order_of
from emofeedback.finetuning.order import FinetuneOrder

RECORD, ADAPTER, STATE = "job.json", "adapter", Path("training") / "state.safetensors"
RUNNING = "running"
MAX_RECORD, MOST = 32 * 2**20, 10**12
"""Bytes of a record, and the size of a number in it, that are still read."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is known of a job without loading it.

    Attributes:
        status: "running" (also of one that was killed), "budget", "cancelled", "hacked" or "failed".
        made: when it was ordered, local time.
        settings, tasks: as JSON.
        ordered: what was asked for, as JSON; None where an earlier version did not keep it.
        result: how it ended, as JSON; None while it runs.
    """

    folder: Path
    status: str
    made: str
    settings: Mapping[str, Any]
    tasks: Mapping[str, Any]
    ordered: Mapping[str, Any] | None
    result: Mapping[str, Any] | None

    def order(self) -> FinetuneOrder:
        """The order that makes the same job again, whoever started it.

        Raises:
            UserError: another version made this job.
        """
        return order_of(self.settings, self.tasks)

    @property
    def adapter(self) -> Path | None:
        """The exported adapter, if there is one."""
        folder = self.folder / ADAPTER
        return folder if folder.is_dir() else None

    @property
    def begins_anew(self) -> bool:
        """Whether it ended before its first state, so that nothing was learned yet."""
        return self.result is None and self.adapter is None and not (self.folder / STATE).is_file()

    @property
    def resumable(self) -> bool:
        """Whether it can go on, from its training state or from its record alone."""
        return self.begins_anew or (self.folder / STATE).is_file()


def write_record(
    folder: Path,
    status: str,
    settings: Mapping[str, Any],
    tasks: Mapping[str, Any],
    order: FinetuneOrder | None = None,
    result: Mapping[str, Any] | None = None,
) -> None:
    """Write job.json; the time and the order of an earlier record stay."""
    before = read_record(folder)
    made = before.made if before else time.strftime("%Y-%m-%d %H:%M")
    kept = (before.ordered if before else None) or (None if order is None else asdict(order))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / RECORD,
        {
            "status": status,
            "made": made,
            "settings": dict(settings),
            "tasks": dict(tasks),
            "order": kept,
            "result": None if result is None else dict(result),
        },
    )


def read_record(folder: Path) -> JobRecord | None:
    """The record of the job in `folder`; None where there is none that can be read, or it is not in our form."""
    try:
        found = json.loads(read_bounded(folder / RECORD, MAX_RECORD))
        names = ("status", "made", "settings", "tasks", "order", "result")
        status, made, settings, tasks, ordered, result = (found[name] for name in names)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = isinstance(status, str) and isinstance(made, str) and len(status) < 60 and len(made) < 60
    sound = sound and isinstance(settings, dict) and isinstance(settings.get("objective", ""), str)
    sound = sound and isinstance(tasks, dict) and isinstance(tasks.get("region", ""), str)
    sound = sound and _aims([tasks.get("point")] if tasks.get("point") is not None else [])
    sound = sound and isinstance(tasks.get("audit", []), list) and _aims(tasks.get("audit", []), "prompt")
    sound = sound and (ordered is None or isinstance(ordered, dict)) and (result is None or _ended(result))
    return JobRecord(folder, status, made, settings, tasks, ordered, result) if sound else None


def _aims(values: Sequence[object], *words: str) -> bool:
    """Whether all are valence and arousal with text of these names."""
    return all(
        isinstance(value, dict)
        and all(_number(value.get(name)) for name in ("valence", "arousal"))
        and all(isinstance(value.get(word), str) for word in words)
        for value in values
    )


def _ended(result: object) -> bool:
    """Whether it is a `FinetuneResult` as JSON, as far as it is shown."""
    if not isinstance(result, dict) or not isinstance(result.get("stopped"), str):
        return False
    audits = [result.get(name, 0) for name in ("base", "best")]
    return all(_number(result.get(name)) for name in ("updates", "pictures", "seconds", "best_update")) and all(
        audit is None or (isinstance(audit, dict) and _number(audit.get("error"))) for audit in audits
    )


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -MOST <= value <= MOST


class JobStore:
    """All jobs below one folder, each named by the time it was ordered."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def new(self) -> Path:
        """A fresh folder for a job.

        Raises:
            UserError: it cannot be made.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for number in range(1, 1000):
                folder = self.root / (stamp if number == 1 else f"{stamp}-{number}")
                if not folder.exists():
                    folder.mkdir()
                    return folder
        except OSError as error:
            raise UserError(f"{self.root} cannot be written ({error.strerror}); free some space there.") from None
        raise UserError(f"There are too many jobs of this second in {self.root}; try again.")

    def jobs(self) -> list[JobRecord]:
        """All readable jobs, the newest first."""
        if not self.root.is_dir():
            return []
        folders = sorted((f for f in self.root.iterdir() if f.is_dir()), reverse=True)
        return [record for folder in folders if (record := read_record(folder)) is not None]

    def find(self, name: str | None) -> JobRecord:
        """The job whose folder has that name.

        Raises:
            UserError: there is none.
        """
        for record in self.jobs():
            if record.folder.name == name:
                return record
        raise UserError("Choose a job of the list; this one is not there any more.")

"""metrics.jsonl of a job: one JSON object a line, appended as it comes, cut back when a job resumes."""

import json
from pathlib import Path
from typing import Any

from emofeedback.files.storage import write_whole
from emofeedback.files.unfinished import writing

METRICS = "metrics.jsonl"
Entry = dict[str, Any]
"""`kind` ("update" or "audit"), `update` (how many were done) and figures by name; None = not known."""


class MetricsLog:
    """The log of the job in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / METRICS

    def write(self, entry: Entry) -> None:
        """Append a line.

        Raises:
            UserError: the disk is full or the folder cannot be written.
        """
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")

    def read(self) -> list[Entry]:
        """All whole lines; the last may have been cut short by a kill."""
        entries = []
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else ():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def cut(self, done: int, audited: int) -> None:
        """Keep the updates up to `done` and the audits up to `audited`: what came after is done again."""
        last = {"update": done, "audit": audited}
        kept = [json.dumps(entry) + "\n" for entry in self.read() if entry["update"] <= last[entry["kind"]]]
        write_whole(self.path, "".join(kept).encode())

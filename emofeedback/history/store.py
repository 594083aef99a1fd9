"""History: every run and sheet of every owner on disk, as PNG files with a SQLite index.

Files come first and the row last, in one write transaction; a crash between the two leaves files without a row, which
the next opening removes under the same lock. Nothing is found without its owner's name, so nobody sees another's runs.
"""

import errno
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emofeedback.errors import UserError
from emofeedback.files.png_settings import PictureSettings
from emofeedback.files.storage import RUN_FILE, write_json, write_whole
from emofeedback.history.export import Format, export_runs
from emofeedback.history.index import DiskTrouble, Entry, Index, Wanted
from emofeedback.history.record import (
    THUMBNAIL,
    check_kept,
    extent_of,
    files_of,
    kind_of,
    pictures_in,
    record_of,
    settings_in,
    words_of,
)
from emofeedback.records import Run
from emofeedback.sweep.run_sweep import Sweep

INDEX_FILE = "history.sqlite"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""What a disk says that may be well again later."""
CAP = 4 * 2**30
"""Bytes of pictures kept by default."""
PINNED_SHARE = 0.5
"""Of the cap: more cannot be pinned, so that there is always room for new runs."""
MAX_PAGE = 200
UNKNOWN = "There is no such run in your history; it may have been deleted."


@dataclass(frozen=True, slots=True)
class Saved:
    """A run as it is kept: its row, its record, and the folder with its pictures."""

    entry: Entry
    record: Mapping[str, Any]
    folder: Path

    def thumbnail(self) -> Path:
        return self.folder / THUMBNAIL

    def pictures(self) -> list[dict[str, Any]]:
        """As `record.pictures_in`."""
        return list(pictures_in(self.record))


@dataclass(frozen=True, slots=True)
class Page:
    """Part of what a search found."""

    entries: tuple[Entry, ...]
    total: int


class History:
    """Runs on disk; safe to use from several threads and processes."""

    def __init__(self, folder: Path, *, cap: int = CAP, clock: Callable[[], float] = time.time) -> None:
        """Open a folder, or make it; files that a crash left without a row are removed.

        Args:
            cap: bytes of all runs together; beyond it the oldest go, but never a pinned one.
            clock: seconds since 1970.

        A disk that is full or cannot be written refuses runs, not the opening: it is tried again with each call.

        Raises:
            UserError: the folder cannot be used, or a newer version made it.
        """
        self.folder, self.cap, self._clock = folder, cap, clock
        self._runs = folder / "runs"
        self._opened = Index(folder / INDEX_FILE)
        self._ready = False
        with suppress(DiskTrouble):
            self._open()

    def _open(self) -> None:
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or str(error)
            kind = DiskTrouble if error.errno in FULL else UserError
            raise kind(
                f"History cannot be kept in {self.folder} ({reason}); set EMOFEEDBACK_DATA to a folder."
            ) from None
        self._opened.migrate()
        self._ready = True
        with suppress(DiskTrouble):
            self._clean()

    @property
    def _index(self) -> Index:
        """The index, which is there.

        Raises:
            UserError: the disk refuses.
        """
        if not self._ready:
            self._open()
        return self._opened

    def add(
        self, made: Run | Sweep, owner: str, *, revisions: Mapping[str, str] | None = None, replacing: str | None = None
    ) -> str:
        """Keep a run or a sweep; returns its id.

        Args:
            owner: an opaque name; only who gives it again finds the run.
            revisions: of the models, by "generator" and "judge".
            replacing: a run that this one continues; it goes, its date and pin stay.

        Raises:
            UserError: there is nothing to keep, no room, or the disk refuses.
        """
        check_kept(made)
        if not owner:
            raise UserError("A run is kept for somebody; give an owner.")
        key, files = secrets.token_hex(16), files_of(made)
        gone: list[str] = []
        try:
            with self._index.writing() as connection:
                old = self._index.find(connection, replacing, owner) if replacing else None
                record = record_of(made, key, old.created if old else self._clock(), revisions or {})
                entry = self._write(key, owner, made, record, files, old)
                if old is not None:
                    connection.execute("DELETE FROM runs WHERE id = ?", (old.id,))
                    gone.append(old.id)
                self._index.insert(connection, entry, words_of(made))
                gone += self._make_room(connection, entry)
        except BaseException:
            self._drop([key])
            raise
        self._drop(gone)
        return key

    def _write(
        self,
        key: str,
        owner: str,
        made: Run | Sweep,
        record: dict[str, Any],
        files: Mapping[str, bytes],
        old: Entry | None,
    ) -> Entry:
        """Write the files of a run and make its row."""
        folder = self._runs / key
        try:
            folder.mkdir()
        except OSError as error:
            raise UserError(f"History cannot be written ({error.strerror or error}); free some space.") from None
        for name, content in files.items():
            write_whole(folder / name, content)
        write_json(folder / RUN_FILE, record)
        extent = extent_of(made)
        valence, arousal = (extent.valence, extent.arousal) if extent else ((None, None), (None, None))
        size = sum(len(content) for content in files.values()) + (folder / RUN_FILE).stat().st_size
        return Entry(
            id=key,
            owner=owner,
            kind=kind_of(made),
            created=old.created if old else self._clock(),
            prompt=made.prompt,
            valence_low=valence[0],
            valence_high=valence[1],
            arousal_low=arousal[0],
            arousal_high=arousal[1],
            model=record["generator"],
            judge=record["judge"] or "",
            pictures=sum(1 for _ in pictures_in(record)),
            bytes=size,
            pinned=old.pinned if old else False,
        )

    def _make_room(self, connection: Any, new: Entry) -> list[str]:
        """Take the rows that were added first out until all fits; returns their ids. A clock that was set back makes no
        new run an old one."""
        total = connection.execute("SELECT coalesce(sum(bytes), 0) FROM runs").fetchone()[0]
        gone = []
        rows = connection.execute("SELECT id, bytes FROM runs WHERE pinned = 0 AND id != ? ORDER BY rowid", (new.id,))
        for key, size in rows.fetchall() if total > self.cap else ():
            if total <= self.cap:
                break
            connection.execute("DELETE FROM runs WHERE id = ?", (key,))
            total -= size
            gone.append(key)
        if total > self.cap:
            raise UserError("There is no room in the history for this run; unpin or delete some.")
        return gone

    def search(
        self,
        owner: str,
        wanted: Wanted = Wanted(),  # noqa: B008 (frozen)
        *,
        limit: int = 24,
        offset: int = 0,
    ) -> Page:
        """The owner's runs that are wanted, newest first.

        Args:
            limit: 1 to 200 of them.
            offset: so many are passed over.
        """
        entries, total = self._index.search(owner, wanted, max(1, min(limit, MAX_PAGE)), max(0, offset))
        return Page(tuple(entries), total)

    def models(self, owner: str) -> list[str]:
        """The generators in the owner's runs, by name."""
        with self._index.reading() as connection:
            rows = connection.execute("SELECT DISTINCT model FROM runs WHERE owner = ? ORDER BY model", (owner,))
            return [row[0] for row in rows]

    def get(self, key: str, owner: str) -> Saved:
        """A run of the owner.

        Raises:
            UserError: there is none of that name.
        """
        with self._index.reading() as connection:
            entry = self._index.find(connection, key, owner)
        if entry is None:
            raise UserError(UNKNOWN)
        folder = self._runs / entry.id
        try:
            record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(UNKNOWN) from None
        return Saved(entry, record, folder)

    def thumbnail(self, entry: Entry) -> Path:
        """The small picture of a row that a search gave."""
        return self._runs / entry.id / THUMBNAIL

    def restore(self, key: str, owner: str) -> PictureSettings:
        """The settings that would make a run again.

        Raises:
            UserError: there is none of that name.
        """
        return settings_in(self.get(key, owner).record)

    def delete(self, key: str, owner: str) -> None:
        """Remove a run and its files for good, pinned or not.

        Raises:
            UserError: there is none of that name.
        """
        with self._index.writing() as connection:
            if self._index.find(connection, key, owner) is None:
                raise UserError(UNKNOWN)
            connection.execute("DELETE FROM runs WHERE id = ?", (key,))
        self._drop([key])

    def pin(self, key: str, owner: str, pinned: bool = True) -> None:
        """Keep a run whatever its age, or no longer.

        Raises:
            UserError: there is none of that name, or half of the room is pinned already.
        """
        with self._index.writing() as connection:
            entry = self._index.find(connection, key, owner)
            if entry is None:
                raise UserError(UNKNOWN)
            taken = connection.execute("SELECT coalesce(sum(bytes), 0) FROM runs WHERE pinned = 1").fetchone()[0]
            if pinned and not entry.pinned and taken + entry.bytes > PINNED_SHARE * self.cap:
                raise UserError("Half of the room is pinned already; unpin another run first, or export this one.")
            connection.execute("UPDATE runs SET pinned = ? WHERE id = ?", (int(pinned), key))

    def export(self, keys: Iterable[str], owner: str, out: Path, fmt: Format = "zip", *, metadata: bool = True) -> Path:
        """Write runs as a folder or a zip file: pictures, tables, a JSON sidecar.

        Args:
            out: the folder or file to write; it must not exist yet.
            metadata: leave the settings in the PNGs.

        Raises:
            UserError: a run is not the owner's, or `out` cannot be written.
        """
        runs = [self.get(key, owner) for key in dict.fromkeys(keys)]
        return export_runs([(saved.record, saved.folder) for saved in runs], out, fmt, metadata=metadata)

    def metadata(self, owner: str) -> bool:
        """Whether the owner wants settings inside saved PNGs; True until they say otherwise."""
        with self._index.reading() as connection:
            row = connection.execute(
                "SELECT value FROM preferences WHERE owner = ? AND name = 'metadata'", (owner,)
            ).fetchone()
        return row is None or row[0] == "on"

    def set_metadata(self, owner: str, wanted: bool) -> None:
        """Remember whether settings go into saved PNGs."""
        with self._index.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO preferences VALUES (?, 'metadata', ?)", (owner, "on" if wanted else "off")
            )

    def _drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            shutil.rmtree(self._runs / key, ignore_errors=True)

    def _clean(self) -> None:
        """Remove folders without a row and rows without a folder; both are traces of a crash."""
        with self._index.writing() as connection:
            rows = {row[0] for row in connection.execute("SELECT id FROM runs")}
            found = {p.name for p in self._runs.iterdir() if re.fullmatch(r"[0-9a-f]{32}", p.name)}
            whole = {key for key in found & rows if (self._runs / key / RUN_FILE).is_file()}
            connection.executemany("DELETE FROM runs WHERE id = ?", [(key,) for key in rows - whole])
            self._drop(found - whole)

"""The SQLite index of history: its schema and versions, rows, and search."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emofeedback.affect import EMOTIONS, Affect, mood_name
from emofeedback.errors import UserError

BUSY_SECONDS = 30.0
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, created REAL NOT NULL, prompt TEXT NOT NULL,
        words TEXT NOT NULL, valence_low REAL, valence_high REAL, arousal_low REAL, arousal_high REAL,
        model TEXT NOT NULL, judge TEXT NOT NULL, pictures INTEGER NOT NULL, bytes INTEGER NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX runs_of_owner ON runs (owner, created DESC);
    CREATE INDEX runs_by_age ON runs (pinned, created);
    """,
    """
    CREATE TABLE preferences (
        owner TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (owner, name)
    ) STRICT;
    """,
)
"""One script per schema version, from 1; a script that was released never changes."""

_COLUMNS = (
    "id, owner, kind, created, prompt, valence_low, valence_high, arousal_low, arousal_high, model, judge, pictures, "
    "bytes, pinned"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the index. Targets are a range each: a sheet covers part of the plane; None = no target."""

    id: str  # 32 hexadecimal digits
    owner: str
    kind: str
    created: float  # seconds since 1970
    prompt: str
    valence_low: float | None
    valence_high: float | None
    arousal_low: float | None
    arousal_high: float | None
    model: str
    judge: str  # "" = none
    pictures: int
    bytes: int
    pinned: bool

    @property
    def mood(self) -> str | None:
        """The pad's word for the target; None where there is none, or many (a sheet)."""
        return _mood(self.valence_low, self.valence_high, self.arousal_low, self.arousal_high)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search asks for; None and "" ask for nothing.

    Raises:
        UserError: a range is empty.
    """

    words: str = ""  # each must occur in the prompts or in what the judge saw and said, or name the mood of the target
    mood: str | None = None  # of the target, by a name in `affect.EMOTIONS`
    valence: tuple[float, float] | None = None  # of the target, both ends included
    arousal: tuple[float, float] | None = None
    since: float | None = None  # seconds since 1970, included
    until: float | None = None  # excluded
    model: str | None = None
    kind: str | None = None
    pinned: bool | None = None

    def __post_init__(self) -> None:
        for name in ("valence", "arousal"):
            span = getattr(self, name)
            if span is not None and not span[0] <= span[1]:
                raise UserError(f"The lower end of {name} lies above the upper end; swap them.")
        if self.since is not None and self.until is not None and not self.since < self.until:
            raise UserError("The first day lies after the last; swap them.")

    def where(self, owner: str) -> tuple[str, list[object]]:
        """The condition in SQL and its values."""
        clauses, values = ["owner = ?"], [owner]  # type: tuple[list[str], list[object]]
        for word in self.words.casefold().split()[:20]:
            named = _pad_word(word)
            clauses.append("instr(words, ?) > 0" if named is None else f"(instr(words, ?) > 0 OR {MOOD} = ?)")
            values += [word] if named is None else [word, named]
        if self.mood and (named := _pad_word(self.mood)) is not None:
            clauses.append(f"{MOOD} = ?")
            values.append(named)
        for name in ("valence", "arousal"):
            span = getattr(self, name)
            if span is not None:
                clauses.append(f"{name}_high >= ? AND {name}_low <= ?")
                values += span
        for clause, value in (
            ("created >= ?", self.since),
            ("created < ?", self.until),
            ("model = ?", self.model or None),
            ("kind = ?", self.kind or None),
            ("pinned = ?", self.pinned),
        ):
            if value is not None:
                clauses.append(clause)
                values.append(value)
        return " AND ".join(clauses), values


class DiskTrouble(UserError):
    """The disk is full or refuses; the history itself may be whole."""


MOOD = "mood(valence_low, valence_high, arousal_low, arousal_high)"
"""In SQL: the pad's word for a row's target; NULL where it has none, or many."""


def _mood(
    valence_low: float | None, valence_high: float | None, arousal_low: float | None, arousal_high: float | None
) -> str | None:
    if valence_low is None or arousal_low is None or (valence_low, arousal_low) != (valence_high, arousal_high):
        return None
    return mood_name(Affect.clamped(valence_low, arousal_low))


def _pad_word(name: str) -> str | None:
    """The pad's word for the name of an emotion: "joyful" is none, "awe" is excited."""
    at = EMOTIONS.get(name.casefold())
    return None if at is None else mood_name(at)


class Index:
    """Opens a connection for each piece of work, so that any thread and any process may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def migrate(self) -> None:
        """Make the schema, or bring it up to date; to be called before all else.

        Raises:
            UserError: the file is none of ours, damaged, or of a newer version.
            DiskTrouble: the disk is full or refuses.
        """
        try:
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise UserError(f"The history in {self.path} cannot be opened ({error}); move that file away.") from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the index.

        Raises:
            DiskTrouble: the disk is full or refuses.
        """
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.create_function("mood", 4, _mood, deterministic=True)
            yield connection
        except sqlite3.OperationalError as error:
            raise DiskTrouble(f"The history cannot be read or written ({error}); free some space.") from None
        finally:
            if connection is not None:
                connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside, in this process or another; all of it counts, or none.

        Raises:
            DiskTrouble: the index cannot be written.
        """
        with self.reading() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                raise DiskTrouble(f"The history cannot be written ({error}); free some space and try again.") from None
            finally:
                if connection.in_transaction:
                    with suppress(sqlite3.OperationalError):  # closing it rolls back too
                        connection.execute("ROLLBACK")

    def _migrate(self) -> None:
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with self.writing() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                raise UserError(f"The history in {self.path} was made by a newer version; update this one.")
            for number, script in enumerate(MIGRATIONS[version:], version + 1):
                for statement in filter(None, map(str.strip, script.split(";"))):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")

    @staticmethod
    def insert(connection: sqlite3.Connection, entry: Entry, words: str) -> None:
        """Add a row."""
        marks = ", ".join("?" * 14)
        values = [getattr(entry, name) for name in Entry.__slots__]
        connection.execute(f"INSERT INTO runs ({_COLUMNS}, words) VALUES ({marks}, ?)", [*values, words])

    @staticmethod
    def find(connection: sqlite3.Connection, key: str, owner: str) -> Entry | None:
        """The owner's row of that name."""
        if not re.fullmatch(r"[0-9a-f]{32}", key):
            return None
        row = connection.execute(f"SELECT {_COLUMNS} FROM runs WHERE id = ? AND owner = ?", (key, owner)).fetchone()
        return None if row is None else _entry(row)

    def search(self, owner: str, wanted: Wanted, limit: int, offset: int) -> tuple[list[Entry], int]:
        """Rows, newest first, and how many there are in all."""
        where, values = wanted.where(owner)
        with self.reading() as connection:
            total = connection.execute(f"SELECT count(*) FROM runs WHERE {where}", values).fetchone()[0]
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM runs WHERE {where} ORDER BY created DESC, id LIMIT ? OFFSET ?",
                [*values, limit, offset],
            ).fetchall()
        return [_entry(row) for row in rows], total


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(Entry.__slots__, row, strict=True))
    return Entry(**values | {"pinned": bool(values["pinned"])})

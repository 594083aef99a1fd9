"""Pictures for blind rating: gathered from runs, sheets, suites and folders, stripped of all that tells their making.

What raters get names nothing: pictures under random names in a random order. What each picture is stands in a key
beside it, which is to be kept where raters do not look.
"""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.human_ratings import RatingSet
from emofeedback.evaluation.suite.store import SuiteFolder, is_suite
from emofeedback.files.open_picture import SUFFIXES, open_picture
from emofeedback.files.png_settings import read_settings
from emofeedback.files.storage import write_json

KEY = "key.json"
MOST = 5000
"""Pictures of one set."""
BOARDS = ("sheet.png",)
"""Pictures of many pictures, which are not rated."""
KNOWN = "photographs with human ratings"
QUESTION = (
    "For every picture rate, spontaneously, what emotion the picture conveys to an average adult viewer at a glance, "
    "the whole picture with its light, colours, weather and things together: valence from -1 (very unpleasant) through "
    "0 (neutral or truly mixed) to +1 (very pleasant); arousal from -1 (very calm, still, sleepy) through 0 to +1 "
    "(very exciting or agitating). Use two decimals and the whole range, each picture on its own."
)
"""What every rater is asked, person or model."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a picture stands for somewhere.

    Attributes:
        group: an arm of a suite, "first picture" or "best picture" of a run, a folder's name.
        prompt: the content that was asked for; "" = not known.
        target: where the picture should lie; None = nobody asked for anything.
    """

    group: str
    prompt: str
    target: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class RatedItem:
    """One picture of a set; equal pixels are one picture, which may stand for several things.

    Attributes:
        id: what raters see of it; nothing can be told from it.
        human: people's mean rating, where it is known: such pictures measure the raters.
    """

    id: str
    file: str
    shown: tuple[Shown, ...]
    human: tuple[float, float] | None = None

    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(shown.group for shown in self.shown))


@dataclass(frozen=True, slots=True)
class RatingKey:
    """What the pictures of a set are, in the order of their numbers (from 1) on the sheets.

    judges: identities of who guided them, who must not rate them.
    """

    name: str
    items: tuple[RatedItem, ...]
    judges: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "set": self.name,
            "question": QUESTION,
            "judges": list(self.judges),
            "items": [asdict(item) for item in self.items],
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pictures of a suite are rated; None = all.

    Attributes:
        count: prompts, each with the same points and arms.
        arms: their names.
        corners: only the four corners of the plane.
    """

    count: int | None = None
    arms: tuple[str, ...] = ()
    corners: bool = False


def gather(sources: Sequence[Path], selection: Selection = Selection(), seed: int = 0) -> RatingKey:
    """The pictures of runs, sweeps, suites and folders, equal ones once, in random order.

    Raises:
        UserError: a source is missing, or there is no picture in them, or there are too many.
    """
    found: dict[str, RatedItem] = {}
    judges: list[str] = []
    for source in sources:
        if not source.exists():
            raise UserError(f"There is no {source}; give runs, sweeps, suites or pictures.")
        for path, shown, judge in _items(source, selection, seed):
            pixels = _pixels(path)
            known = found.get(pixels)
            before = () if known is None else known.shown
            file = str(path.resolve()) if known is None else known.file
            found[pixels] = RatedItem("", file, tuple(dict.fromkeys((*before, shown))))
            if judge and judge not in judges:
                judges.append(judge)
    return _shuffled(list(found.values()), judges, seed)


def _pixels(path: Path) -> str:
    """What tells a picture from others, whatever its file says beside its pixels."""
    image = open_picture(path)
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()


def with_known(key: RatingKey, ratings: RatingSet, seed: int) -> RatingKey:
    """The set with photographs of known human ratings among its pictures, to measure its raters by."""
    known = [
        RatedItem("", str(row.path.resolve()), (Shown(KNOWN, ""),), (row.affect.valence, row.affect.arousal))
        for row in ratings.rows
    ]
    return _shuffled([*key.items, *known], key.judges, seed)


def _shuffled(items: list[RatedItem], judges: Sequence[str], seed: int) -> RatingKey:
    if not items:
        raise UserError("There is no picture to rate in what was named.")
    if len(items) > MOST:
        raise UserError(f"{len(items)} pictures are too many to rate; choose {MOST} or fewer with --count or --arms.")
    rng = random.Random(f"rating set/{seed}")
    items = sorted(items, key=lambda item: item.file)
    rng.shuffle(items)
    named = [replace(item, id=f"{rng.getrandbits(48):012x}") for item in items]
    name = hashlib.sha256(json.dumps([[i.file, i.id] for i in named]).encode()).hexdigest()[:10]
    return RatingKey(name, tuple(named), tuple(judges))


def _items(source: Path, selection: Selection, seed: int) -> Iterable[tuple[Path, Shown, str]]:
    """Pictures of a source, what each stands for, and who guided it ("" = nobody, as far as is known)."""
    if source.is_file():
        if source.suffix.lower() not in SUFFIXES:
            raise UserError(f"{source} is no picture; use one of {', '.join(SUFFIXES)}.")
        yield source, _plain(source), ""
    elif is_suite(source):
        yield from _suite(source, selection, seed)
    elif (source / "run.json").is_file():
        yield from _run(source)
    else:
        for path in sorted(source.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                yield from _items(path, selection, seed)
            elif path.suffix.lower() in SUFFIXES and path.name not in BOARDS:
                yield path, _plain(path), ""


def _suite(source: Path, selection: Selection, seed: int) -> Iterable[tuple[Path, Shown, str]]:
    folder = SuiteFolder(source)
    plan, drawn = folder.plan, folder.drawn()
    unknown = [arm for arm in selection.arms if arm not in drawn]
    if unknown:
        raise UserError(f"{source} has not drawn the arm {unknown[0]!r}; it has {', '.join(drawn) or 'none'}.")
    prompts = list(range(len(plan.prompts)))
    if selection.count is not None and selection.count < len(prompts):
        prompts = sorted(random.Random(f"rated prompts/{seed}").sample(prompts, selection.count))
    for arm in selection.arms or drawn:
        for prompt in prompts:
            for cell in folder.cells(arm, prompt):
                target = (cell.target.valence, cell.target.arousal)
                if selection.corners and min(abs(v) for v in target) < plan.extent - 1e-6:
                    continue
                shown = Shown(arm, plan.prompts[prompt], target)
                yield folder.path / cell.image, shown, plan.models.get("judge_identity", "")


def _run(source: Path) -> Iterable[tuple[Path, Shown, str]]:
    """The first and the best picture of a run of the loop."""
    try:
        data = json.loads((source / "run.json").read_text(encoding="utf-8"))
        target = Affect(data["target"]["valence"], data["target"]["arousal"])
        shown = [("first picture", data["rounds"][0]["candidates"][0])] if data["rounds"] else []
        shown += [("best picture", data["best"])] if data.get("best") else []
        for group, candidate in shown:
            path = source / Path(candidate["image"]).name
            yield path, Shown(group, data["prompt"], (target.valence, target.arousal)), str(data.get("judge", ""))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise UserError(f"{source / 'run.json'} is damaged; leave that run out.") from None


def _plain(path: Path) -> Shown:
    """A picture that lies somewhere; a PNG of ours says what it was drawn from."""
    prompt, target = "", None
    if path.suffix.lower() == ".png":
        try:
            known = read_settings(path)
        except UserError:
            known = None
        if known is not None:
            prompt = known.prompt or ""
            if known.valence is not None and known.arousal is not None:
                target = (known.valence, known.arousal)
    return Shown(path.resolve().parent.name, prompt, target)


def write_key(path: Path, key: RatingKey) -> None:
    write_json(path, key.as_json())


def read_key(path: Path) -> RatingKey:
    """The key that `write_key` wrote; a folder stands for the key in it.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = path / KEY if path.is_dir() else path
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != 1:
            raise ValueError("another version")
        items = tuple(
            RatedItem(
                str(row["id"]),
                str(row["file"]),
                tuple(Shown(str(one["group"]), str(one["prompt"]), _pair(one["target"])) for one in row["shown"]),
                _pair(row["human"]),
            )
            for row in data["items"]
        )
        return RatingKey(str(data["set"]), items, tuple(data["judges"]))
    except FileNotFoundError:
        raise UserError(f"There is no key {path}; `evaluate ratings make` writes it beside what raters get.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} is no key or is damaged; make the set again with the same --seed.") from None


def _pair(value: Sequence[float] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    affect = Affect(*value)
    return affect.valence, affect.arousal

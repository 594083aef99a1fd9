"""Settings that a PNG carries: in our own chunk, in the `parameters` text of A1111's web UI, in other studios' texts.

Only the chunks of the file are walked (PNG specification, third edition, section 5); no pixel is decoded and no text
grows beyond MAX_TEXT, so that a hostile file costs nothing.
"""

import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from emofeedback.errors import UserError
from emofeedback.files.open_picture import MAX_BYTES, MAX_PIXELS
from emofeedback.files.other_programs import NAMES, Found, read_json_parameters, read_other
from emofeedback.files.read_bounded import read_bounded
from emofeedback.records import MAX_CANDIDATES, MAX_PROMPT, MAX_SEED, VisualPrompt
from emofeedback.text import short

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 256 * 1024
"""Bytes of one text, unpacked."""
MAX_CHUNKS = 100_000
MAX_LINE, MAX_FOLLOWING = 4096, 200
"""Characters of a line of settings, and lines after it."""
OWN, COMMON = "emofeedback", "parameters"
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME")
"""Chunks that tell how, with what or when a picture was made."""

_PAIR = re.compile(r'\s*(\w[\w \-/]{0,60}):\s*("(?:\\.|[^\\"]){0,2000}"|[^,]{0,300})(?:,|$)')
"""`Key: value,` of the last line; a value with a comma is quoted. As A1111's own pattern, but bounded."""

_FOLLOWING = re.compile(r"(\w[\w \-/]{0,60}):\s+(.*)")
"""A line after that of the settings which begins a value of its own."""

KEYS = {
    "valence": "valence",
    "arousal": "arousal",
    "emotion strength": "strength",
    "seed": "seed",
    "steps": "steps",
    "cfg scale": "guidance",
}
"""Keys of the text whose values are used, and what they are here."""
OPENING = ("steps", "cfg scale", "seed")
"""Keys that the line of the settings can begin with; ours begins with the first that is known."""

RANGES: dict[str, tuple[float, float]] = {
    "valence": (-1, 1),
    "arousal": (-1, 1),
    "strength": (0, 5),
    "seed": (0, MAX_SEED),
    "steps": (1, 1000),
    "guidance": (0, 50),
    "candidates": (1, MAX_CANDIDATES),
    "rounds": (1, 50),
    "tolerance": (0, 3),
    "patience": (0, 50),
    "start_strength": (0.01, 1),
}
WHOLE = ("seed", "steps", "candidates", "rounds", "patience")
CONTINUATIONS = ("same_seed", "image")
RUN_SETTINGS = ("tolerance", "patience", "continuation", "start_strength")
"""What a run's rules add to the request of a picture, by their names in `Run.settings`."""
NO_VISUAL = VisualPrompt(strength=0.0)
"""Our own settings that name no visual prompt: the words alone."""
MAX_CENTRES = 64


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """Settings that can be used again; None = the source does not say."""

    prompt: str | None = None
    negative_prompt: str | None = None
    valence: float | None = None
    arousal: float | None = None
    strength: float | None = None  # of the emotion adapter
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    candidates: int | None = None
    rounds: int | None = None
    tolerance: float | None = None  # distance to the target that ends a run
    patience: int | None = None  # rounds without gain that end a run; 0 = none do
    continuation: str | None = None  # one of CONTINUATIONS
    start_strength: float | None = None  # share that is redrawn of a picture to start from
    model: str | None = None
    size: str | None = None  # "1216x832"; "" = the generator's own
    visual: VisualPrompt | None = None  # without a person's own pictures, which no settings hold
    own_pictures: int | None = None  # how many of those there were
    others: tuple[tuple[str, str], ...] = ()  # what the text says besides, in its own words

    def known(self) -> dict[str, object]:
        """The settings that the source gives."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in found.items() if value not in (None, ())}


def read_settings(source: Path | bytes, name: str | None = None) -> PictureSettings:
    """The settings that a PNG carries; our own chunk goes before the common one.

    Args:
        source: a file, or a file's content.
        name: what messages call it.

    Raises:
        UserError: not a PNG, damaged, too large, or it carries no settings.
    """
    label = name or (source.name if isinstance(source, Path) else "the picture")
    texts = _texts(_content(source, label), label)
    if OWN in texts:
        return _own(texts[OWN](), label)
    if COMMON in texts:
        text = texts[COMMON]()
        found = read_json_parameters(text, label)
        return parse_parameters(text) if found is None else _foreign(found)
    other = read_other({name: text() for name, text in texts.items()}, label)
    if other is not None:
        return _foreign(other)
    raise UserError(
        f"{label} carries no settings; drop a PNG as this studio, A1111, ComfyUI, Fooocus, InvokeAI or NovelAI saved "
        "it, not a copy of it."
    )


def strip_metadata(content: bytes, name: str = "the picture") -> bytes:
    """A PNG without its texts, EXIF and time; the pixels stay bit for bit.

    Raises:
        UserError: not a whole PNG.
    """
    kept = [kind_data for kind_data in _chunks(content, name) if kind_data[0] not in TEXT_CHUNKS]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in kept
    )


def parse_parameters(text: str) -> PictureSettings:
    """The text of a `parameters` chunk: prompt, `Negative prompt: ...`, and a line of `Key: value, ...`.

    The last line that can be the one of the settings is; lines after it go on with its values, as those of extensions
    do. What cannot be read is left out: other programs write this text in their own ways.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n\0 ").split("\n")
    at = next((i for i in range(len(lines) - 1, -1, -1) if _is_settings(lines[i])), len(lines))
    pairs: list[tuple[str, str]] = _PAIR.findall(lines[at][:MAX_LINE]) if at < len(lines) else []
    for line in lines[at + 1 :][:MAX_FOLLOWING]:
        more = _FOLLOWING.fullmatch(line[:MAX_LINE])
        if more is None:
            key, value = pairs[-1]
            pairs[-1] = key, f"{value}\n{line[:MAX_LINE]}"
        else:
            pairs.append((more[1], more[2]))
    said = {key.strip().lower(): value.strip().strip('"') for key, value in pairs}
    prompt: list[str] = []
    negative: list[str] = []
    in_negative = False
    for line in lines[:at]:
        if line.strip().startswith("Negative prompt:"):
            in_negative, line = True, line.strip().removeprefix("Negative prompt:")
        (negative if in_negative else prompt).append(line.strip())
    numbers = {field: _number(field, said.get(key)) for key, field in KEYS.items()}
    if numbers["valence"] is None or numbers["arousal"] is None:
        numbers["valence"] = numbers["arousal"] = None
    # a number that cannot be used here is told in its own words
    used = {"model", *(key for key, field in KEYS.items() if numbers[field] is not None)}
    others = tuple((key.strip(), value.strip()) for key, value in pairs if key.strip().lower() not in used)
    return PictureSettings(
        prompt="\n".join(prompt).strip()[:MAX_PROMPT],
        negative_prompt="\n".join(negative).strip()[:MAX_PROMPT] or None,
        model=said.get("model") or None,
        others=others[:40],
        **numbers,  # type: ignore[arg-type]
    )


def _is_settings(line: str) -> bool:
    """Whether a line is that of the settings, and no prompt that happens to read `Key: value, Key: value`."""
    pairs = _PAIR.findall(line[:MAX_LINE])
    keys = [key.strip().lower() for key, _ in pairs]
    if len(pairs) < 2 or keys[0] not in OPENING or not line.lstrip().lower().startswith(f"{keys[0]}:"):
        return False
    if _number(KEYS[keys[0]], pairs[0][1].strip()) is not None:
        return len({*OPENING, "sampler", "size", "model", "version"} & set(keys)) >= 2
    return keys[0] == "steps" and len({"seed", "cfg scale", "size", "sampler"} & set(keys)) >= 2


def _foreign(found: Found) -> PictureSettings:
    """What another program's texts say; a number that cannot be used here is told in its own words."""
    values: dict[str, object] = {}
    others = [("Program", str(found["program"]))]
    for name in ("seed", "steps", "guidance"):
        value = found.get(name)
        if value is None:
            continue
        number = _number(name, short(value, 40)) if not isinstance(value, bool) else None
        if number is None:
            others.append((name.capitalize(), short(value, 40)))
        else:
            values[name] = number
    if "size" in found:
        others.append(("Size", short(found["size"], 40)))
    for name in ("negative_prompt", "model"):
        text = found.get(name)
        if isinstance(text, str) and text.strip():
            values[name] = text[:MAX_PROMPT]
    return PictureSettings(
        prompt=found["prompt"].strip()[:MAX_PROMPT],
        others=tuple(others),
        **values,  # type: ignore[arg-type]
    )


def settings_from(values: Mapping[str, object], label: str) -> PictureSettings:
    """Settings from a record's fields (`run_json.request_json` and more); fields of other names are passed over.

    Raises:
        UserError: a value makes no sense.
    """
    found: dict[str, object] = {}
    for name in ("prompt", "negative_prompt", "model"):
        value = values.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= MAX_PROMPT):
            raise _damaged(label, name)
        found[name] = value
    found["negative_prompt"] = found["negative_prompt"] or ""  # a record that names none had none
    found["continuation"] = values.get("continuation")
    if found["continuation"] not in (None, *CONTINUATIONS):
        raise _damaged(label, "continuation")
    for name, (low, high) in RANGES.items():
        value = values.get(name)
        if name == "patience" and name in values and value is None:
            value = 0  # a run that never ends for want of a gain
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if name in WHOLE else (int, float)):
            raise _damaged(label, name)
        if not low <= value <= high:  # type: ignore[operator]
            raise _damaged(label, name)
        found[name] = value
    if (found.get("valence") is None) != (found.get("arousal") is None):
        raise _damaged(label, "valence and arousal")
    sides = [values.get(name) for name in ("width", "height")]
    found["size"] = ""
    if sides != [None, None]:
        if not all(isinstance(side, int) and _within(side, 1, 100_000) for side in sides):
            raise _damaged(label, "size")
        found["size"] = f"{sides[0]}x{sides[1]}"
    visual, own_pictures = _visual(values.get("visual"), label)
    return PictureSettings(**found, visual=visual, own_pictures=own_pictures)  # type: ignore[arg-type]


def _visual(values: object, label: str) -> tuple[VisualPrompt, int | None]:
    """What `run_json.visual_json` wrote, and how many own pictures there were; None = nothing was guided."""
    if values is None:
        return NO_VISUAL, None
    if not isinstance(values, Mapping):
        raise _damaged(label, "visual prompt")
    strength, guidance, own = values.get("strength"), values.get("guidance"), values.get("own_pictures", 0)
    names, centres = (values.get("emotion"), values.get("negative")), values.get("centres")
    sound = _within(strength, 0, 5) and (guidance is None or _within(guidance, 0, 50))
    sound = sound and _within(own, 0, MAX_CENTRES) and isinstance(own, int)
    sound = sound and all(name is None or (isinstance(name, str) and len(name) <= 60) for name in names)
    if centres is not None:
        sound = sound and isinstance(centres, list) and len(centres) <= MAX_CENTRES
        sound = sound and all(
            isinstance(pair, list)
            and len(pair) == 2
            and isinstance(pair[0], int)
            and _within(pair[0], 0, 10**6)
            and _within(pair[1], 0, 100)
            for pair in centres
        )
    if not sound:
        raise _damaged(label, "visual prompt")
    pairs = None if centres is None else tuple((number, float(weight)) for number, weight in centres)
    return VisualPrompt(strength, names[0], pairs, negative=names[1], guidance=guidance), own or None  # type: ignore[arg-type]


def _within(value: object, low: float, high: float) -> bool:
    """Whether it is a number in [low, high]; truth values and NaN are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _own(text: str, label: str) -> PictureSettings:
    try:
        making = json.loads(text)
        request = making["request"]
        run = making.get("run", {})
        values = {**request, **{name: run[name] for name in RUN_SETTINGS if name in run}, "model": making.get("model")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(label, "they are not in our form") from None
    return settings_from(values, label)


def _damaged(label: str, what: str) -> UserError:
    return UserError(f"The settings in {label} are damaged ({what}); drop the PNG as it was saved.")


def _number(name: str, text: str | None) -> float | int | None:
    """A value of the text within its range; None where there is none."""
    low, high = RANGES[name]
    try:
        value: float | int = int(text or "") if name in WHOLE else float(text or "")
    except ValueError:
        return None
    return value if low <= value <= high else None  # never so of NaN


def _content(source: Path | bytes, label: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return read_bounded(source, MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such file"
        raise UserError(f"{label} cannot be read ({reason}); check the path.") from None


def _chunks(content: bytes, label: str) -> Iterator[tuple[bytes, bytes]]:
    """(type, data) of each chunk, from IHDR to IEND.

    Raises:
        UserError: not a PNG, cut off, damaged, or too large.
    """
    if len(content) > MAX_BYTES:
        raise UserError(f"{label} is larger than {MAX_BYTES // 2**20} MB; scale it down first.")
    if not content.startswith(SIGNATURE):
        raise UserError(f"{label} is not a PNG; drop a PNG that this studio or A1111 saved.")
    cut = UserError(f"{label} is damaged or cut off; save it again and retry.")
    offset = len(SIGNATURE)
    for number in range(MAX_CHUNKS):
        if offset + 12 > len(content):
            raise cut
        length, kind = struct.unpack_from(">I4s", content, offset)
        end = offset + 8 + length
        if end + 4 > len(content) or (number == 0 and (kind != b"IHDR" or length != 13)):
            raise cut
        data = content[offset + 8 : end]
        if zlib.crc32(kind + data) != struct.unpack_from(">I", content, end)[0]:
            raise cut
        if number == 0:
            width, height = struct.unpack_from(">II", data)
            if width * height > MAX_PIXELS:
                raise UserError(f"{label} has {width} x {height} pixels; scale it down to 50 million or fewer.")
        yield kind, data
        if kind == b"IEND":
            return
        offset = end + 4
    raise cut


def _texts(content: bytes, label: str) -> dict[str, Callable[[], str]]:
    """Texts of the names that are read, the first of each; unpacked when it is asked for."""
    found: dict[str, Callable[[], str]] = {}
    for kind, data in _chunks(content, label):
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            continue
        key, _, rest = data.partition(b"\0")
        name = key.decode("latin-1")
        if name in (OWN, COMMON, *NAMES) and name not in found:
            found[name] = partial(_text, kind, rest, label)
    return found


def _text(kind: bytes, rest: bytes, label: str) -> str:
    packed, encoding = False, "latin-1"
    if kind == b"zTXt":
        packed, rest = True, rest[1:]
    elif kind == b"iTXt":
        packed, encoding = rest[:1] == b"\1", "utf-8"
        *_, rest = (rest[2:].split(b"\0", 2) + [b"", b""])[:3]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, MAX_TEXT + 1)
        except zlib.error:
            raise UserError(f"{label} is damaged or cut off; save it again and retry.") from None
    if len(rest) > MAX_TEXT:
        raise UserError(f"{label} holds more than {MAX_TEXT // 1024} KB of text; drop the PNG as it was saved.")
    return rest.decode(encoding, errors="replace")

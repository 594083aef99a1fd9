"""How far a picture keeps its prompt's content: by a reading, or by asking a judge of open vocabulary."""

from collections.abc import Sequence
from typing import Protocol

from emofeedback.judges.calibration import Named, bare
from emofeedback.protocols import ShowsPrompt
from emofeedback.records import Picture, Reading


class ContentReader(Named, Protocol):
    """A judge or a rater, as far as it tells content from a reading."""

    def content_kept(self, prompt: str, reading: Reading) -> bool | None: ...


def content_judge(reader: Named) -> ShowsPrompt | None:
    """Who can be asked whether a picture shows its prompt; a calibration, which maps emotion alone, is left aside."""
    found = bare(reader)
    return found if isinstance(found, ShowsPrompt) else None


def content_scores(
    reader: ContentReader, prompts: Sequence[str], pictures: Sequence[Picture], readings: Sequence[Reading | None]
) -> list[float | None]:
    """How far each picture keeps its prompt's content, in [0, 1]; None = not known.

    The probability that the picture shows its prompt, of a reader that can be asked; of any other 1 or 0 by its
    reading. Pictures without a reading are not asked about.
    """
    asked, known = content_judge(reader), [i for i, reading in enumerate(readings) if reading is not None]
    found: list[float | None] = [None] * len(pictures)
    if asked is None:
        for i, reading in enumerate(readings):
            kept = None if reading is None else reader.content_kept(prompts[i], reading)
            found[i] = None if kept is None else float(kept)
        return found
    for i, shown in zip(known, asked.shows([pictures[i] for i in known], [prompts[i] for i in known]), strict=True):
        found[i] = shown
    return found


def content_unit(reader: Named) -> str:
    """What a mean of `content_scores` is."""
    return "share" if content_judge(reader) is None else "mean probability"

"""`estimate`: what the judge reads in given pictures."""

import argparse

from emofeedback.affect import nearest_emotion
from emofeedback.cli.console import Console, Outcome, settings_from, signed
from emofeedback.pictures import open_picture
from emofeedback.records import Picture, PictureRequest
from emofeedback.serialize import reading_json


def run(arguments: argparse.Namespace, console: Console) -> Outcome:
    """Read every picture; one that the judge cannot read has the reading null."""
    settings = settings_from(arguments)
    images = [open_picture(path) for path in arguments.images]  # all are opened before a model is loaded
    console.progress("loading the judge")
    from emofeedback.build import build_judge

    judge = build_judge(settings)
    rows: list[dict[str, object]] = []
    lines, readable = [], 0
    for done, (path, image) in enumerate(zip(arguments.images, images, strict=True)):
        console.bar("reading", done, len(images))
        [reading] = judge.read([Picture(image, PictureRequest("", None, 0), "file", 0.0)])
        if reading is None:
            rows.append({"image": str(path), "reading": None})
            lines.append(f"{path}: could not be read")
            continue
        readable += 1
        rows.append({"image": str(path), **reading_json(reading), "emotion": nearest_emotion(reading.affect)})
        lines.append(
            f"{path}: valence {signed(reading.affect.valence)} ± {reading.valence_sd:.2f}, "
            f"arousal {signed(reading.affect.arousal)} ± {reading.arousal_sd:.2f} ({nearest_emotion(reading.affect)})"
            + (f"; sees {', '.join(reading.words())}" if reading.seen else "")
            + (f"; calibrated by {reading.calibration}" if reading.calibration else "")
        )
    return Outcome({"readings": rows, "judge": judge.name}, "\n".join(lines), done=readable > 0)

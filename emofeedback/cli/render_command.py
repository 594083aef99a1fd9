"""`render`: labelled scenes of the scene world, as PNG files and a metadata.jsonl that `datasets` can load."""

import json
import random
from dataclasses import asdict

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.render_options import RenderOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.files.storage import image_bytes, results_folder, write_whole
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe, random_aspects
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.grammar import sample_scene


def run(arguments: RenderOptions, console: Console) -> CommandResult:
    """Draw scenes; the same seed, size and split give the same files."""
    settings = settings_from(arguments)
    rng = random.Random(settings.seed)
    rows = []
    with results_folder(settings.out) as folder:
        for index in range(arguments.count):
            scene = sample_scene(rng, arguments.split)
            affect = scene_affect(scene)
            name = f"scene-{index:06d}.png"
            write_whole(folder / name, image_bytes(render(scene, arguments.size)))
            full, short = describe(scene, rng), describe(scene, rng, random_aspects(rng))
            rows.append({"file_name": name, "text": full, "short_text": short, **asdict(affect), **asdict(scene)})
            console.bar("rendering", index + 1, arguments.count)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_whole(folder / "metadata.jsonl", lines.encode())
    data = {
        "out": str(folder),
        "count": len(rows),
        "metadata": str(folder / "metadata.jsonl"),
        "split": arguments.split,
    }
    return CommandResult(data, f"{len(rows)} labelled scenes are in {folder}")

"""`sweep`: one prompt and one seed over a grid or along a path of the plane, with figures of continuity."""

import argparse
from dataclasses import asdict

from emofeedback.cli.console import Console, Outcome, plain_text, settings_from, usage
from emofeedback.continuum import (
    Continuity,
    along,
    continuity,
    grid_affects,
    parse_path,
    requests_for,
    sheet,
    sheet_continuity,
)
from emofeedback.drawing import Progress, draw_pictures
from emofeedback.records import Picture
from emofeedback.storage import image_bytes, results_folder, write_json, write_rows, write_whole

BATCH = 25
"""Pictures drawn at once: a 5 x 5 sheet."""


def run(arguments: argparse.Namespace, console: Console) -> Outcome:
    """Draw the sweep; sheet.png, sweep.csv and sweep.json are written."""
    settings = settings_from(arguments)
    prompt = plain_text(arguments.prompt)
    with usage():
        if arguments.path is not None:
            rows_of_points = [along(parse_path(arguments.path), arguments.frames)]
        else:
            rows_of_points = grid_affects(arguments.grid or 5, arguments.extent)
    points = [point for row in rows_of_points for point in row]
    with results_folder(settings.out) as folder:
        console.progress("loading the models")
        from emofeedback.build import build_generator, build_judge

        generator, judge = build_generator(settings), build_judge(settings)
        requests = requests_for(prompt, points, settings.seed, arguments.strength, arguments.steps)
        pictures: list[Picture] = []
        for begin in range(0, len(requests), BATCH):
            for message in draw_pictures(generator, requests[begin : begin + BATCH]):
                if isinstance(message, Progress):
                    console.bar(f"drawing from {begin + 1} of {len(requests)}", message.step, message.steps)
                else:
                    pictures += message
        console.progress("reading")
        readings = [r for begin in range(0, len(pictures), BATCH) for r in judge.read(pictures[begin : begin + BATCH])]
        width = len(rows_of_points[0])
        grid = [pictures[i : i + width] for i in range(0, len(pictures), width)]
        images = [[p.image for p in row] for row in grid]
        figures = {"path": continuity(images[0])} if len(images) == 1 else sheet_continuity(images)
        cells = [
            {
                "row": i // width,
                "column": i % width,
                "valence": point.valence,
                "arousal": point.arousal,
                "read_valence": None if reading is None else round(reading.affect.valence, 4),
                "read_arousal": None if reading is None else round(reading.affect.arousal, 4),
            }
            for i, (point, reading) in enumerate(zip(points, readings, strict=True))
        ]
        data = {
            "prompt": prompt,
            "seed": settings.seed,
            "sheet": str(folder / "sheet.png"),
            "table": str(folder / "sweep.csv"),
            "points": cells,
            "continuity": {name: asdict(figure) for name, figure in figures.items()},
            "generator": generator.name,
            "judge": judge.name,
            "out": str(folder),
        }
        write_whole(folder / "sheet.png", image_bytes(sheet(grid)))
        write_rows(folder / "sweep.csv", cells)
        write_json(folder / "sweep.json", data)
    lines = [f"Sheet: {data['sheet']}", f"Table: {data['table']}"]
    lines += [_figure_line(name, figure) for name, figure in figures.items()]
    return Outcome(data, "\n".join(lines))


def _figure_line(name: str, figure: Continuity) -> str:
    return (
        f"Along {name}: mean step {figure.mean_step:.1f} delta E, largest {figure.largest_step:.1f} "
        f"({figure.ratio:.1f} times the mean), ends {figure.travel:.1f} apart"
    )

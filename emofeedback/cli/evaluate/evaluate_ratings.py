"""`evaluate ratings make|read`: the outside eye, people or models that see pictures and nothing else."""

from pathlib import Path
from typing import TYPE_CHECKING

from emofeedback.cli.console import CommandResult, Console, UsageError, names_in, usage
from emofeedback.cli.evaluate.ratings_options import RatingsOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.errors import UserError
from emofeedback.files.storage import results_folder, write_json, write_rows
from emofeedback.settings import Settings

if TYPE_CHECKING:
    from emofeedback.evaluation.eye.rating_set import RatingKey
    from emofeedback.evaluation.eye.rating_tables import RaterColumn


def run(arguments: RatingsOptions, console: Console) -> CommandResult:
    """Make a set, or read what came back."""
    settings = settings_from(arguments)
    return (_make if arguments.action == "make" else _read)(arguments, settings, console)


def _make(arguments: RatingsOptions, settings: Settings, console: Console) -> CommandResult:
    from emofeedback.build import build_upscaler
    from emofeedback.evaluation.eye.rating_set import KEY, RatingKey, Selection, gather, with_known, write_key
    from emofeedback.evaluation.eye.write_set import write_set
    from emofeedback.evaluation.protocols.human_ratings import load_ratings, parse_scale
    from emofeedback.files.large_pictures import LargePictures

    sources = arguments.sources or []
    if not sources and arguments.ratings is None:
        raise UsageError("Name what is to be rated: folders of runs, sheets or suites, or pictures.")
    if (arguments.ratings is None) != (arguments.images is None):
        raise UsageError("Photographs of known ratings need both --ratings FILE and --images DIR.")
    selection = Selection(arguments.count, names_in(arguments.arms), arguments.corners)
    key = gather(sources, selection, settings.seed) if sources else RatingKey("", ())
    if arguments.ratings is not None and arguments.images is not None:
        with usage():
            columns = None if arguments.columns is None else [name.strip() for name in arguments.columns.split(",")]
            scale = parse_scale(arguments.scale)
            known = load_ratings(
                arguments.ratings, arguments.images, scale, columns, arguments.photographs, settings.seed
            )
        key = with_known(key, known, settings.seed)
    with results_folder(settings.out) as folder:
        large = LargePictures(build_upscaler(settings))
        shown = write_set(folder, key, lambda done, total: console.bar("writing pictures", done, total), large)
        write_key(folder / KEY, key)
    data = {
        "set": key.name,
        "pictures": len(key.items),
        "page": str(shown / "index.html"),
        "sheets": str(shown / "sheets"),
        "for_raters": str(shown),
        "key": str(folder / KEY),
        "out": str(folder),
    }
    text = (
        f"{len(key.items)} pictures.\nPage: {data['page']}\nSheets: {data['sheets']}, with table.csv to fill in\n"
        f"Serve it: python {shown / 'app.py'}; as a Space: hf upload OWNER/NAME {shown} . --repo-type space\n"
        f"Key, not for raters: {data['key']}"
    )
    return CommandResult(data, text)


def _read(arguments: RatingsOptions, settings: Settings, console: Console) -> CommandResult:
    from emofeedback.evaluation.eye.rating_figures import rating_measures
    from emofeedback.evaluation.eye.rating_report import rating_sections
    from emofeedback.evaluation.eye.rating_set import KEY, read_key
    from emofeedback.evaluation.eye.rating_tables import RaterColumn, read_tables
    from emofeedback.evaluation.protocols.human_ratings import parse_scale
    from emofeedback.evaluation.report import report
    from emofeedback.evaluation.report_page import write_report_page

    if arguments.key is None:
        raise UsageError(f"--key is missing: the {KEY} that `evaluate ratings make` wrote.")
    if not arguments.sources and not arguments.eyes:
        raise UsageError("Name the CSV files that came back, or a model with --rater.")
    with usage():
        scale = parse_scale(arguments.rating_scale)
    key = read_key(arguments.key)
    raters = read_tables(arguments.sources or [], key, scale)
    with results_folder(settings.out) as folder:
        for name in arguments.eyes or ():
            raters.append(_model_column(name, key, settings, console))
            _write_column(folder, key, raters[-1])
        if not any(rater.rated() for rater in raters):
            raise UserError("Nobody has rated a picture of this set; give the CSV files that came back.")
        beside: RaterColumn | None = _model_column(settings.rater, key, settings, console)
        if beside is not None and beside.name in [rater.name for rater in raters]:
            beside = None  # the second rater was named with --rater
        measures = rating_measures(key, raters, beside, settings.seed)
        files = " ".join(str(path) for path in arguments.sources or ())
        command = f"emofeedback evaluate ratings read {files} --key {arguments.key}"
        command += "".join(f" --rater {name}" for name in arguments.eyes or ()) + f" --seed {settings.seed}"
        models = {"raters": ", ".join(rater.name for rater in raters)}
        models |= {} if beside is None else {"second rater": beside.name}
        data = {**report("evaluate ratings", command, settings.seed, models, measures), "out": str(folder)}
        data["pictures"] = len(key.items)
        write_json(folder / "report.json", data)
        write_report_page(folder / "report.html", data, rating_sections(key, raters, beside, measures))
    lines = [*(m.line() for m in measures), "", f"Report: {folder / 'report.html'}"]
    return CommandResult(data, "\n".join(lines))


def _model_column(name: str, key: "RatingKey", settings: Settings, console: Console) -> "RaterColumn":
    """What a model says of every picture of the set.

    Raises:
        UserError: it guided one of the pictures, or it is not there.
    """
    import numpy as np

    from emofeedback.build import build_rater
    from emofeedback.evaluation.eye.model_rater import rate
    from emofeedback.evaluation.eye.rating_tables import RaterColumn
    from emofeedback.evaluation.raters.grading import same_name
    from emofeedback.files.open_picture import open_picture

    console.progress(f"loading {name}")
    reader = build_rater(settings.changed(rater=name))
    if any(same_name(reader, judge) or reader.name == judge for judge in key.judges):
        raise UserError(f"{reader.name} guided pictures of this set, and who guides never grades; name another rater.")
    ratings = np.full((len(key.items), 2), np.nan)
    for begin in range(0, len(key.items), 16):
        items = key.items[begin : begin + 16]
        for place, pair in enumerate(rate(reader, [open_picture(Path(item.file)) for item in items]), begin):
            if pair is not None:
                ratings[place] = pair
        console.bar(f"{reader.name} rates", begin + len(items), len(key.items))
    return RaterColumn(reader.name, ratings, "model")


def _write_column(folder: Path, key: "RatingKey", column: "RaterColumn") -> None:
    """A model's ratings as a CSV file that can be read again."""
    rows = [
        {"rater": column.name, "picture": item.id, "valence": f"{v:.4f}", "arousal": f"{a:.4f}"}
        for item, (v, a) in zip(key.items, column.ratings.tolist(), strict=True)
        if v == v
    ]
    if rows:
        name = "".join(letter if letter.isalnum() else "-" for letter in column.name)[:60]
        write_rows(folder / f"ratings-{name}.csv", rows)

"""The page of a set's ratings: target and viewer, raters beside each other, and where the pictures fail."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emofeedback.evaluation.eye.rating_figures import AXES, EYE, groups_of, members, outside_eye
from emofeedback.evaluation.eye.rating_set import RatingKey
from emofeedback.evaluation.eye.rating_tables import RaterColumn
from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.report_page import Section, Shown, gallery, measures_table, plots, scatter
from emofeedback.files.open_picture import open_picture

FAILURES = 18
WHO = "A person, or a model that was asked the protocol's question, is shown the picture and nothing else."


def rating_sections(
    key: RatingKey, raters: Sequence[RaterColumn], beside: RaterColumn | None, measures: Sequence[Measure]
) -> list[Section]:
    """Everything that the page shows."""
    eye = outside_eye(raters)
    listed = "".join(f"<tr><td>{r.name}</td><td>{r.kind}</td><td class=n>{r.rated()}</td></tr>" for r in raters)
    table = f'<div class="wide"><table><tr><th>Rater</th><th></th><th class=n>pictures</th></tr>{listed}</table></div>'
    found = [Section("Who rated", table, WHO)]
    kinds = {"Agreement": [], "Known photographs": [], "Obedience": []}  # type: dict[str, list[Measure]]
    for measure in measures:
        if "known photographs" in measure.name:
            kinds["Known photographs"].append(measure)
        elif measure.name.startswith(AXES) or f"against the {EYE}" in measure.name:
            kinds["Agreement"].append(measure)
        else:
            kinds["Obedience"].append(measure)
    leads = {
        "Agreement": "How far raters say the same, and the second rater beside them.",
        "Known photographs": "What each rater is worth: against people's mean ratings, beside the constant answer.",
        "Obedience": "Intervals over prompts; the answer that is always 0 beside each error; always both views.",
    }
    found += [Section(title, measures_table(rows), leads[title]) for title, rows in kinds.items() if rows]
    drawn = []
    columns = [(EYE, eye.ratings)] + ([] if beside is None else [(beside.name, beside.ratings)])
    for group in groups_of(key):
        numbers, _, targets = zip(*members(key.items, group), strict=True)
        for axis, label in enumerate(AXES):
            wanted = [target[axis] for target in targets]
            for k, (name, ratings) in enumerate(columns):
                drawn.append(
                    scatter(wanted, ratings[list(numbers), axis].tolist(), f"{group}: {label}, {name}", colour=k)
                )
    if drawn:
        found.append(Section("Target and viewer", plots(drawn), "A dot a picture."))
    failures = _failures(key, eye.ratings)
    if failures:
        found.append(
            Section("Where it fails", gallery(failures), "The farthest from their targets, by the outside eye.")
        )
    return found


def _failures(key: RatingKey, ratings: np.ndarray) -> list[Shown]:
    away = [
        (float(np.linalg.norm(ratings[number] - np.array(target))), number, group, prompt, target)
        for group in groups_of(key)
        for number, prompt, target in members(key.items, group)
        if np.isfinite(ratings[number]).all()
    ]
    shown = []
    for _, number, group, prompt, target in sorted(away, reverse=True)[:FAILURES]:
        valence, arousal = ratings[number]
        file = Path(key.items[number].file)
        caption = (
            f"{group}: {file.name if prompt == str(file) else prompt} - asked {target[0]:+.2f}, {target[1]:+.2f}; "
            f"seen {valence:+.2f}, {arousal:+.2f}"
        )
        if file.is_file():
            shown.append(Shown(open_picture(file), caption))
    return shown

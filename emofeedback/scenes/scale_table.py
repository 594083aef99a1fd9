"""The table of the scene scale for readers, `docs/scene-scale.md`: made of `effects.json`, not of anything else."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any

from emofeedback.scenes.affect_model import MESSAGE
from emofeedback.scenes.fit_affect import AXES, item_names

LIMITS = (
    """(-.7, -.7): contents without a person or an animal, for which no pose is sad or asleep, and that excite by
    themselves. Most stop just outside, at .16 to .2; an airplane and a campfire at .25 to .35.""",
    """(0, .7) and (.35, .7): what excites without being glad or dreadful is a rocket launch and a stampede, and a
    stampede cannot be seen in a room.""",
    """(.7, -.7): an airplane, a campfire and a truck excite too much, outdoors, to be that calm.""",
    """The rest: rooms with an airplane, a bus, a campfire, a castle, a train or a hot-air balloon; few elements can be
    seen from a room.""",
)
"""What the world cannot do and why."""


def markdown(data: Mapping[str, Any]) -> str:
    """The whole table.

    Args:
        data: the content of `effects.json`, its "coverage" with it.
    """
    quality = data["cross-validation"]
    lines = [
        "# The scale of the scenes",
        "",
        *_prose(
            f"""What a scene conveys is `tanh(intercept + sum of effects)` per axis, fitted to blind ratings of
            {quality["scenes"]} rendered scenes by a general vision-language model, not a person. Each scene was rated
            twice; `emofeedback/scenes/fit_affect.py` says which question was asked and how well the same viewer agrees
            with people on photographs: r = .965 for valence, .888 for arousal. Written by"""
        ),
        "",
        "    python -m emofeedback.scenes.fit_affect",
        "    python -m emofeedback.scenes.coverage --table docs/scene-scale.md",
        "",
        *_ratings(quality),
        *_mixed(data["mixed"], quality["mixed"]),
        *_coverage(data["coverage"]),
        *_effects(data),
    ]
    return "\n".join(lines) + "\n"


def _prose(text: str, first: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(" ".join(text.split()), 116, initial_indent=first, subsequent_indent=then)


def _decimals(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def _ratings(quality: Mapping[str, Any]) -> list[str]:
    lines = [
        "## The ratings",
        "",
        "| edition of the renderer | scenes |",
        "|---|---|",
        *(f"| {edition} | {count} |" for edition, count in quality["editions"].items()),
        "",
        *_prose(
            f"""An item has one effect that the editions share and a deviation of its own in each; what is used is that
            of the latest. 60 scenes of the first edition were rated again among those of the second: the new ratings
            agree with the old at r = .95 for valence and .98 for arousal, with slopes of .93 and .99, so that both sets
            lie on one scale; 32 of the second edition, rated again beside 88 scenes of three new elements, agree at .98
            and .97. {quality["folds"]}-fold cross-validation; the variances of the priors were chosen on the
            same scenes:"""
        ),
        "",
        "| | valence | arousal |",
        "|---|---|---|",
    ]
    found = {"agreement of the two ratings, r": [quality[a]["agreement of the two ratings"] for a in AXES]}
    for kind in ("items alone", "with pairs"):
        for figure in ("r", "mean error"):
            found[f"{kind}, {figure}"] = [quality[a][kind][figure] for a in AXES]
    return lines + [f"| {name} | {' | '.join(map(_decimals, values))} |" for name, values in found.items()] + [""]


def _mixed(weights: list[float], quality: Mapping[str, float]) -> list[str]:
    shares: dict[float, list[str]] = {}
    for aspect, share in MESSAGE.items():
        shares.setdefault(share, []).append(aspect)
    said = "; ".join(f"{share:g} for {', '.join(aspects)}" for share, aspects in shares.items())
    return [
        "## Mixed messages",
        "",
        *_prose(
            f"""{100 * quality["share of the ratings"]:.0f} % of the ratings call the messages of a scene contradictory.
            The log odds of it are"""
        ),
        "",
        f"    {weights[0]:+.2f} {weights[1]:+.2f} min(p, n) {weights[2]:+.2f} min(p, n, q)",
        "",
        *_prose(
            f"""where p and n are the sums of the positive and of the negative valence effects, and q that of the
            exciting ones: what is glad and sad at once contradicts itself, the more so the more exciting it is. An item
            counts in these sums with a share of its effect ({said}; 1 for all else; chosen on the same scenes). The
            area under the ROC curve is {_decimals(quality["AUC"])} (cross-validated)."""
        ),
        "",
    ]


def _coverage(coverage: Mapping[str, Any]) -> list[str]:
    grid = sorted({entry["point"][0] for entry in coverage["points"]})
    entries = {tuple(entry["point"]): entry for entry in coverage["points"]}
    every = coverage["contents"]
    lines = [
        "## What a setting can do",
        "",
        *_prose(
            f"""All {every} contents (a place with one subject or none) in all their settings: per cent of them that
            come within .15 of the point; behind the stroke those that do so in agreement, with a probability of a mixed
            message below .5."""
        ),
        "",
        "| valence, arousal | " + " | ".join(f"{a:g}" for a in grid) + " |",
        "|---" * (len(grid) + 1) + "|",
    ]
    for valence in grid:
        cells = []
        for arousal in grid:
            missed = (entries[valence, arousal][kind] for kind in ("missed", "missed in agreement"))
            cells.append(" / ".join(f"{100 * (1 - m / every):.1f}" if m else "100" for m in missed))
        lines.append(f"| {valence:g} | {' | '.join(cells)} |")
    lines += [
        "",
        "Where some do not get there in agreement, how many, and how far the worst stays:",
        "",
        "| valence | arousal | contents | farthest |",
        "|---|---|---|---|",
    ]
    for (valence, arousal), entry in entries.items():
        if missed := entry["missed in agreement"]:
            lines.append(f"| {valence:g} | {arousal:g} | {missed} | {_decimals(entry['farthest'][1])} |")
    lines += ["", "Limits of the world, not of the search:", ""]
    for limit in LIMITS:
        lines += _prose(limit, "- ", "  ")
    return [*lines, ""]


def _effects(data: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Effects",
        "",
        *_prose(
            f"""Intercept: {data["intercept"][0]:+.2f} valence, {data["intercept"][1]:+.2f} arousal. Effects on the
            artanh scale with standard errors; `shown` is the number of rated scenes that have the item. An item that
            was not shown lies at its scaled norm, with a wide error."""
        ),
        "",
        "| aspect | concept | valence | arousal | shown |",
        "|---|---|---|---|---|",
    ]
    for aspect, concept in item_names():
        effect, error = data["items"][aspect][concept], data["standard errors"][aspect][concept]
        cells = [f"{e:+.2f} ± {s:.2f}" for e, s in zip(effect, error, strict=True)]
        lines.append(f"| {aspect} | {concept} | {' | '.join(cells)} | {data['shown'][aspect][concept]} |")
    pairs = [
        (family_name, concepts, effect)
        for family_name, table in data["pairs"].items()
        for concepts, effect in table.items()
        if math.hypot(*effect) >= 0.1
    ]
    lines += [
        "",
        "Pairs of at least .1 (added to the effects of the two items):",
        "",
        "| pair | valence | arousal |",
        "|---|---|---|",
    ]
    for _, concepts, effect in sorted(pairs, key=lambda row: -math.hypot(*row[2])):
        lines.append(f"| {concepts.replace('|', ' and ')} | {effect[0]:+.2f} | {effect[1]:+.2f} |")
    return lines

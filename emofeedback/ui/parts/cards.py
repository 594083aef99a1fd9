"""Rounds as cards in a strip, and the judge's edits as rows with switches. The browser's side is strip.js, edits.js."""

from collections.abc import Sequence
from dataclasses import dataclass

from emofeedback.loop.prompt_edits import Choice
from emofeedback.loop.rounds import advice_missing
from emofeedback.records import Candidate, Edit, Round
from emofeedback.ui.parts import html
from emofeedback.ui.parts.html import text

EMPTY = (
    '<div class="strip empty"><p>Every round will line up here: its picture, its candidates, what changed in the '
    "words and what it cost. Press <b>Run all</b>, or <b>Next round</b> to go step by step.</p></div>"
)


@dataclass(frozen=True, slots=True)
class RoundThumbnails:
    """A round's pictures as small data addresses: the chosen one, and all candidates smaller still."""

    chosen: str
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, done: Round) -> "RoundThumbnails":
        """Made once for each round: a strip is drawn many times."""
        small = tuple(html.thumbnail(item.picture.image, 64) for item in done.candidates)
        return cls(html.thumbnail(done.best().picture.image, 320), small)


def strip(
    rounds: Sequence[Round],
    thumbnails: Sequence[RoundThumbnails],
    shown: int | None,
    runs: Sequence[str] = (),
    run: int = 0,
) -> str:
    """The rounds of a run, left to right, and above them the visitor's runs where there are several.

    Args:
        thumbnails: of the rounds, in the same order.
        shown: number of the shown round.
        runs: titles of all runs of the visitor.
        run: index of the run at hand.
    """
    if not rounds:
        return _tabs(runs, run) + EMPTY
    cards = "".join(
        _card(done, thumbnails[index], rounds[index - 1].prompt if index else None, done.number == shown, len(rounds))
        for index, done in enumerate(rounds)
    )
    return f'{_tabs(runs, run)}<ol class="strip" aria-label="Rounds">{cards}</ol>'


def _tabs(runs: Sequence[str], run: int) -> str:
    if len(runs) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-does="show_run" data-number="{index}" aria-pressed="{str(index == run).lower()}">'
        f"{text(title)}</button>"
        for index, title in enumerate(runs)
    )
    return f'<div class="runs" role="group" aria-label="Your runs">{buttons}</div>'


def _card(done: Round, thumbs: RoundThumbnails, before: str | None, shown: bool, rounds: int) -> str:
    best, number = done.best(), done.number
    away = "unread" if best.distance is None else f"{best.distance:.2f} away"
    change = html.diff(before if before is not None else done.prompt, done.prompt)
    if not done.prompt and not before:
        change = '<p class="diff"><em>mood alone</em></p>'
    pictures = done.cost.pictures or len(done.candidates)
    noun = "picture" if pictures == 1 else "pictures"
    cost = f"{done.cost.seconds:.1f} s · {pictures} {noun}" if done.cost.seconds else f"{pictures} {noun}"
    branch = (
        f'<button type="button" class="branch" data-does="branch" data-number="{number}" '
        f'aria-label="Branch from round {number}">Branch</button>'
    )
    return (
        f'<li class="card{" shown" if shown else ""}"><button type="button" class="round-picture" data-does="pick" '
        f'data-number="{number}" aria-pressed="{str(shown).lower()}" aria-label="Show round {number} of {rounds}">'
        f'<img src="{thumbs.chosen}" alt=""></button>'
        f'<div class="round-candidates">{"".join(map(_small, done.candidates, thumbs.candidates))}</div>'
        f"<header><b>Round {number}</b><span>{away}</span></header>{change}"
        f"<footer><span>{cost}</span>{branch}</footer></li>"
    )


def _small(item: Candidate, source: str) -> str:
    """A candidate beside its siblings; its seed and reading are its description."""
    mark = ' class="chosen"' if item.chosen else ""
    return f'<img{mark} src="{source}" alt="" title="{text(caption(item))}">'


def caption(item: Candidate) -> str:
    """Seed, reading and distance of a candidate as plain words."""
    parts = [f"seed {item.picture.request.seed}"]
    if item.picture.withheld:
        parts.append("withheld by the safety checker")
    if item.reading is not None:
        parts.append(f"{html.signed(item.reading.affect.valence)} {html.signed(item.reading.affect.arousal)}")
    if item.distance is not None:
        parts.append(f"{item.distance:.2f} away")
    elif item.reading is None and item.chosen:
        parts.append("unread")
    if item.content_kept is False:
        parts.append("part of the words missing")  # why a nearer one was not chosen
    return ("✓ " if item.chosen else "") + " · ".join(parts)


def edit_rows(edits: Sequence[Edit], choices: Sequence[Choice], stamp: str) -> str:
    """The edits as rows with a switch each and their new words to rewrite.

    Args:
        choices: what the person made of each edit so far.
        stamp: changes whenever the rows are to be set anew in the browser.
    """
    rows = "".join(_row(i, edit, choice) for i, (edit, choice) in enumerate(zip(edits, choices, strict=True)))
    both = (
        '<p class="all-edits"><button type="button" data-all="on">Use all</button>'
        '<button type="button" data-all="off">Use none</button></p>'
    )
    return f'{both if len(edits) > 1 else ""}<ul class="edit-rows" data-stamp="{text(stamp)}">{rows}</ul>'


def _row(index: int, edit: Edit, choice: Choice) -> str:
    old = f"<del>{text(edit.old)}</del>" if edit.old and edit.action != "add" else ""
    add = "keep" if edit.keeps else "add"
    what = {"replace": f"{edit.old} to {edit.new}", "add": f"{add} {edit.new}", "remove": f"remove {edit.old}"}
    new = (
        ""
        if edit.action == "remove"
        else f'<input type="text" value="{text(choice.new)}" maxlength="200" spellcheck="false" '
        f'aria-label="Rewrite: {text(what[edit.action])}">'
    )
    between = "<span aria-hidden='true'>→</span>" if old and new else ""
    sign = "" if old else f"<span aria-hidden='true'>{'keep' if edit.keeps else '+'}</span>"
    return (
        f'<li data-edit="{index}" class="{"on" if choice.on else "off"}"><label class="switch">'
        f'<input type="checkbox"{" checked" if choice.on else ""} aria-label="Use: {text(what[edit.action])}"><i></i>'
        f"</label><div>{old}{between}{sign}{new}</div></li>"
    )


def advice_note(done: Round, target_reached: bool) -> str:
    """Why a round has no edits, or on which round's picture its edits are."""
    if advice_missing(done):
        return "The judge's advice could not be read; the next round tries new seeds with the same words."
    if done.critique is None:
        return "On target: no word needs to change." if target_reached else "The judge was not asked for advice here."
    if not done.critique.edits:
        return "The judge would change no word."
    if done.advised_on not in (None, done.number):
        return f"Round {done.number} came no closer; this is about round {done.advised_on}, the best so far."
    return ""

"""Candidates to choose from, rounds as a list, and the judge's edits as rows with switches.

The browser's side is gallery.js, strip.js and edits.js.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from emofeedback.loop.prompt_edits import Choice
from emofeedback.loop.rounds import advice_missing
from emofeedback.records import Candidate, Edit, Round
from emofeedback.ui.parts import html
from emofeedback.ui.parts.html import text

EMPTY = ""
LARGE, SMALL = 512, 128
"""Pixels of a candidate's picture in the row, and of a round's in the list."""


@dataclass(frozen=True, slots=True)
class RoundThumbnails:
    """A round's pictures as data addresses: all candidates, and the chosen one smaller."""

    chosen: str
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, done: Round) -> "RoundThumbnails":
        """Made once for each round: a page is drawn many times."""
        return cls(html.thumbnail(done.best().picture.image, SMALL), row_pictures(done.candidates))


def row_pictures(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """The candidates' pictures as data addresses."""
    return tuple(html.thumbnail(item.picture.image, LARGE) for item in candidates)


def candidates(
    items: Sequence[Candidate],
    pictures: Sequence[str],
    number: int,
    *,
    open_to_choice: bool,
    judge_choice: int | None = None,
) -> str:
    """The pictures of a round in one row, each to be looked at, used or varied; captions stand below them.

    Args:
        pictures: data addresses, in the same order.
        number: of the round.
        open_to_choice: False while the round is still being made.
        judge_choice: see `Round.judge_choice`.
    """
    if not items:
        return ""
    rows = "".join(
        _candidate(i, item, source, len(items), open_to_choice, judge_choice)
        for i, (item, source) in enumerate(zip(items, pictures, strict=True))
    )
    return f'<ol class="candidates" aria-label="Pictures of round {number}" data-round="{number}">{rows}</ol>'


def _candidate(
    index: int, item: Candidate, source: str, count: int, open_to_choice: bool, judge_choice: int | None
) -> str:
    seed = item.picture.request.seed
    told = '<span class="quiet">not read yet</span>' if item.chosen is False and item.distance is None else ""
    where = ""
    if item.reading is not None:
        at = item.reading.affect
        told = f"<b>{text(html.mood(at))}</b> {html.closeness(item.distance)}"
        where = f" · {html.signed(at.valence)} {html.signed(at.arousal)}"
    if item.picture.withheld:
        told = "withheld by the safety checker"
    if item.content_kept is False:
        told += ' <span class="lost">part of the words missing</span>'
    marks = ""
    if item.chosen:
        marks = f'<span class="mark">✓ {"Your choice" if judge_choice is not None else "Chosen"}</span>'
    elif index == judge_choice:
        marks = '<span class="mark judge-choice">the judge\'s choice</span>'
    acts = ""
    if open_to_choice:
        use = (
            ""
            if item.chosen
            else f'<button type="button" data-does="use" data-index="{index}">Use<span> this one</span></button>'
        )
        vary = (
            f'<button type="button" data-does="vary" data-index="{index}" aria-label="Variations of picture '
            f'{index + 1}" title="More pictures like this one: the same words, nearly the same drawing">Vary</button>'
        )
        acts = f'<div class="acts">{use or marks}{vary}</div>'
    name = f"Look closer at picture {index + 1} of {count}"
    return (
        f'<li class="candidate{" chosen" if item.chosen else ""}" data-index="{index}">'
        f'<button type="button" class="closer" data-does="closer" data-index="{index}" aria-label="{name}">'
        f'<img src="{source}" alt="Picture {index + 1}" title="{text(item.picture.request.prompt)}"></button>'
        f'<p class="told">{told}<small class="expert"> seed {seed}{where}</small></p>{acts or marks}'
        f"{marks if acts and not item.chosen else ''}</li>"
    )


def caption(item: Candidate) -> str:
    """A picture's reading, how near it comes and its seed as plain words, for galleries that take text alone."""
    parts = []
    if item.picture.withheld:
        parts.append("withheld by the safety checker")
    if item.reading is not None:
        parts.append(html.mood(item.reading.affect))
    if item.distance is not None or item.chosen:
        parts.append(html.nearness(item.distance))
    if item.content_kept is False:
        parts.append("part of the words missing")  # why a nearer one was not chosen
    parts.append(f"seed {item.picture.request.seed}")
    return ("✓ " if item.chosen else "") + " · ".join(parts)


def strip(
    rounds: Sequence[Round],
    thumbnails: Sequence[RoundThumbnails],
    shown: int | None,
    runs: Sequence[str] = (),
    run: int | None = 0,
) -> str:
    """The rounds of a run, first to last, and above them the visitor's runs where there are several.

    Args:
        thumbnails: of the rounds, in the same order.
        shown: number of the round on stage; None = something else is.
        runs: titles of all runs of the visitor.
        run: index of the run at hand; None = none is on stage.
    """
    if not rounds:
        return _tabs(runs, run)
    cards = "".join(
        _card(done, thumbnails[index], rounds[index - 1].prompt if index else None, done.number == shown, len(rounds))
        for index, done in enumerate(rounds)
    )
    return f'{_tabs(runs, run)}<ol class="strip" aria-label="Rounds">{cards}</ol>'


def _tabs(runs: Sequence[str], run: int | None) -> str:
    if len(runs) < 2 and (run is not None or not runs):
        return ""
    buttons = "".join(
        f'<button type="button" data-does="show_run" data-number="{index}" aria-pressed="{str(index == run).lower()}">'
        f"{text(title)}</button>"
        for index, title in enumerate(runs)
    )
    return f'<div class="runs" role="group" aria-label="Your runs">{buttons}</div>'


def _card(done: Round, thumbs: RoundThumbnails, before: str | None, shown: bool, rounds: int) -> str:
    best, number = done.best(), done.number
    pictures = done.cost.pictures or len(done.candidates)
    noun = "picture" if pictures == 1 else "pictures"
    cost = f"{done.cost.seconds:.1f} s · {pictures} {noun}" if done.cost.seconds else f"{pictures} {noun}"
    branch = (
        f'<button type="button" class="branch" data-does="branch" data-number="{number}" '
        f'aria-label="Branch from round {number}" title="Begin a run of its own here; this one stays as it is">'
        "Branch</button>"
    )
    return (
        f'<li class="card{" shown" if shown else ""}"><button type="button" class="round-picture" data-does="pick" '
        f'data-number="{number}" aria-pressed="{str(shown).lower()}" aria-label="Show round {number} of {rounds}">'
        f'<img src="{thumbs.chosen}" alt=""><span><b>Round {number}</b>'
        f'<span class="near">{html.closeness(best.distance)}</span></span></button>'
        f"{word_changes(before, done.prompt)}<footer><span class='expert'>{cost}</span>{branch}</footer></li>"
    )


def word_changes(before: str | None, after: str) -> str:
    """What a round changed in the words, and nothing else, so that all of it can be read."""
    if before is None or before == after:
        return ""
    old, new = html.tokens(before), html.tokens(after)
    parts: list[str] = []
    for kind, a, b, c, d in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for tag, words in (("del", html.joined(old[a:b])), ("ins", html.joined(new[c:d]))):
            shown = words.strip(" ,;")
            parts += [f"<{tag}>{text(shown)}</{tag}>"] if shown else []
    return f'<p class="diff">{" ".join(parts)}</p>'


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

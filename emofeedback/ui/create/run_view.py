"""The Create tab drawn from a visitor's state: every part of the page, whatever is on stage."""

from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.picture_names import PURE_MOOD, slug
from emofeedback.files.storage import parameters_text
from emofeedback.loop.rounds import TOLERANCE, reached
from emofeedback.loop.run import Finished
from emofeedback.records import Candidate, Picture, Round, StopReason
from emofeedback.ui.create import create_layout as layout
from emofeedback.ui.create.create_state import CreateState, ShownRun, SinglePicture, Work
from emofeedback.ui.parts import cards, html
from emofeedback.ui.parts.circumplex import marks
from emofeedback.ui.parts.pad import as_value, overlay
from emofeedback.ui.upscaling import picture_file

Updates = dict[Any, Any]
"""Component -> its new value or `gr.update`; components not named stay as they are."""

REASONS: dict[StopReason, str] = {
    "tolerance": "the target is reached",
    "no_gain": "the last round came no closer",
    "rounds": "all rounds are done",
    "no_edits": "the judge would change no word",
    "unreadable": "the judge could not read the pictures",
    "advice_unreadable": "the judge's advice could not be read",
    "failed": "a model failed",
}
CHOSEN = "What your words leave open was chosen for the mood; name a thing, and it stays as you said"
STOPPED = "Stopped. Finished rounds are kept."
STOPPED_EARLY = "Stopped before the first round was done."
SHORT_NOTE = "Press Run to have the judge say which words it would change."


class RunView:
    """What a visitor's state is on the page.

    Args:
        left_out: the end of a prompt that the generator at hand leaves out.
        keeps: whether runs are kept at all, so that one can be starred.
    """

    def __init__(
        self,
        controls: layout.CreateControls,
        output: layout.CreateOutput,
        judge: layout.JudgeSide,
        left_out: Any,
        keeps: bool,
    ) -> None:
        self.controls, self.output, self.judge = controls, output, judge
        self.left_out, self.keeps = left_out, keeps

    def outputs(self) -> list[Any]:
        """All components that any update here may name; what says that it is over is updated last."""
        c, s, j = self.controls, self.output, self.judge
        last = [j.run, j.stop, s.star, s.download, j.again, s.status]
        parts = [c.marks, c.pad, c.valence, c.arousal, c.prompt, *layout.everything(s, j)]
        return [*(part for part in parts if part not in last), *last]

    def page(self, state: CreateState) -> Updates:
        """Everything that is drawn from the state."""
        with state.lock:
            found, s, j = page_values(state), self.output, self.judge
            more = html.left_out(self.left_out(found["next_prompt"]), "The next prompt")
            return {
                s.picture: found["picture"],
                s.live: found["live"],
                s.about: found["about"] + html.left_out(self.left_out(shown_prompt(state)), "What was drawn"),
                s.gallery: found["gallery"],
                s.strip: found["strip"],
                s.left: gr.update(choices=found["options"], value=found["left"]),
                s.right: gr.update(choices=found["options"], value=found["right"]),
                s.compare: found["compare"],
                self.controls.marks: found["marks"],
                j.words: found["words"],
                j.note: found["note"],
                j.edits: found["edits"],
                j.next_prompt: found["next_prompt"],
                j.difference: found["difference"] + more,
                **self.chrome(state, found["picture"]),
            }

    def chrome(self, state: CreateState, file: str | None = None) -> Updates:
        """What says how things are going: status, buttons, the file to hand out."""
        s, j = self.output, self.judge
        free, stage = not state.busy, state.stage
        file = file if isinstance(file, str) else None  # a live picture has none
        run = state.run
        starred = stage == "round" and run is not None and run.starred
        return {
            s.status: status_of(state),
            s.download: layout.download_of(file if free else None, state.plain),
            s.star: gr.update(
                value=layout.STARRED if starred else layout.STAR,
                interactive=self.keeps and free and stage == "round",
            ),
            j.run: gr.update(interactive=free),
            j.again: gr.update(interactive=free and stage == "round"),
            j.stop: gr.update(interactive=not free),
        }

    def moving(self) -> list[Any]:
        """What changes while a mood is dragged; a browser looks each output up in the whole page, so they are few."""
        return [self.output.live, self.output.about, self.output.status]

    def frame(self, state: CreateState) -> Updates:
        """A live picture's next frame."""
        with state.lock:
            found = _single_values(state, state.single, live=True) if state.single else {"live": "", "about": ""}
            values = found["live"], found["about"], status_of(state)
            return dict(zip(self.moving(), values, strict=True))

    def fields(self, state: CreateState) -> Updates:
        """The words and the mood of the run at hand: they follow where a person went to another round or run."""
        run, c = state.run, self.controls
        if run is None:
            return {}
        return {
            c.prompt: run.prompt,
            c.pad: as_value(run.target),
            c.valence: run.target.valence,
            c.arousal: run.target.arousal,
        }


def ended(event: Finished, work: Work) -> str:
    """What a run came to, as a sentence."""
    seconds = sum(r.cost.seconds for r in event.run.rounds)
    if event.run.stopped == "cancelled":
        return STOPPED if event.run.rounds else STOPPED_EARLY
    sentence = f"Done in {seconds:.1f} s: {REASONS[event.run.stopped]}."
    if event.run.failure is not None:
        sentence = f"Ended after round {len(event.run.rounds)}: {event.run.failure}"
    best = work.run.best_number()
    if best and event.run.rounds and best != event.run.rounds[-1].number:
        sentence += f" Shown: the best, of round {best}."
    return sentence


def status_of(state: CreateState) -> str:
    """The line under the picture."""
    work = state.work
    if work is None:
        return html.progress(state.status, busy=state.busy)
    where = f"Round {work.number} of {work.rounds}" if work.rounds > 1 else f"Round {work.number}"
    if not work.candidates:
        if not work.begun:
            return html.progress(state.status or "Starting …")
        share = work.step / max(1, work.steps)
        step = f", step {work.step} of {work.steps}" if work.step else ""
        left = work.left
        about = f" · about {left:.0f} s left" if left is not None and left >= 2 else ""
        return html.progress(f"{where}: drawing{step}{about}", share)
    return html.progress(f"{where}: the judge {'reads' if work.chosen is None else 'writes'}", 1.0)


def page_values(state: CreateState) -> dict[str, Any]:
    """What the page shows, by name of the component: all of it of one and the same thing on stage."""
    found: dict[str, Any] = {
        "picture": None,
        "live": "",
        "about": "",
        "gallery": "",
        "strip": strip_of(state),
        "marks": overlay(""),
        "words": html.notice(layout.EMPTY_WORDS),
        "note": layout.note(layout.EMPTY_NOTE),
        "edits": "",
        "next_prompt": "",
        "difference": "",
        **_comparison(state),
    }
    match state.stage:
        case "work" if state.work is not None:
            return found | _work_values(state, state.work)
        case "single" if state.single is not None:
            return found | _single_values(state, state.single)
        case "round" if state.run is not None and state.round is not None:
            return found | _round_values(state, state.run, state.round)
    return found


def _round_values(state: CreateState, run: ShownRun, done: Round) -> dict[str, Any]:
    rounds, advice = run.past.rounds, state.advisory()
    at = next(i for i, item in enumerate(done.candidates) if item.chosen)
    best, pictures = done.candidates[at], run.thumbnails[rounds.index(done)].candidates
    own = done.critique if done.advised_on in (None, done.number) else None
    edits = advice.critique.edits if advice is not None and advice.critique else ()
    words = state.words()
    told = f"<b>Round {done.number}</b> of {html.text(run.title)}"
    note = layout.note(cards.advice_note(advice, reached(advice.best(), TOLERANCE))) if advice else ""
    if advice is not None and advice.judge_choice is not None and advice.critique is None:
        note = layout.note("The judge looks at your choice …" if state.advising else "Your choice goes on as it is.")
    return {
        "picture": round_files(state, run, done)[at],
        "about": about(told, best.picture, run.target, state.plain),
        "gallery": cards.candidates(
            done.candidates,
            pictures,
            done.number,
            open_to_choice=not state.busy,
            judge_choice=done.judge_choice,
        ),
        "marks": layout.marks_of(rounds, done),
        "words": html.judgement(best, own, run.target),
        "note": note,
        "edits": cards.edit_rows(edits, state.choices(), f"{id(run)}-{advice.number}-{id(advice)}")
        if edits and advice is not None
        else "",
        "next_prompt": words,
        "difference": difference(state, words),
    }


def _work_values(state: CreateState, work: Work) -> dict[str, Any]:
    items, at = work.candidates, work.chosen or 0
    item = items[at]
    read = work.chosen is not None
    waits = html.notice("The judge reads these pictures …")
    found = {
        "picture": picture_file(  # the judge does not wait for an upscaler that is not quick
            item.picture,
            item.reading,
            _named(work.run, item, work.number, at, state.plain, drawn=not read),
            {},
            state.large if read else LargePictures(),
            chosen=False,
            idle=state.idle,
        ),
        "about": about(
            f"<b>Round {work.number}</b> of {html.text(work.run.title)}", item.picture, work.run.target, state.plain
        ),
        "gallery": cards.candidates(items, cards.row_pictures(items), work.number, open_to_choice=False),
        "words": html.judgement(item, None, work.run.target) if read else waits,
        "note": layout.note("The judge's edits follow its reading."),
    }
    if read:
        readings = [c.reading for i, c in enumerate(items) if c.reading is not None and i != at]
        found["marks"] = overlay(marks(readings, item.reading))
    return found


def _single_values(state: CreateState, single: SinglePicture, live: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "about": about(f"<b>{html.text(single.title)}</b>", single.picture, single.target, state.plain),
        "note": layout.note(single.told or SHORT_NOTE),
    }
    if not single.settled or live:
        source = html.thumbnail(single.picture.image, cards.LARGE)
        found["live"] = f'<img src="{source}" alt="Preview while you move">'
        found["picture"] = gr.skip()  # it lies under the live one
        found["words"] = html.notice("The judge reads it once it stands still.")
        return found
    found["picture"] = single_file(state, single)
    if single.reading is not None or single.target is not None:
        names = html.seen(single.reading.seen) if single.reading else ""
        found["words"] = html.reading(single.reading, single.target) + names
    if single.reading is not None:
        found["marks"] = overlay(marks((), single.reading))
    return found


def _comparison(state: CreateState) -> dict[str, Any]:
    """Any two pictures of the visitor's runs; to begin with, what a person chose beside what the judge did, or the
    first round's picture beside the shown one."""
    options = [
        (_label(run, done, i, len(state.runs) > 1), f"{run.title}|{done.number}|{i}")
        for run in state.runs
        for done in run.past.rounds
        for i in range(len(done.candidates))
    ]
    run = state.run
    if run is None or not run.past.rounds or state.round is None:
        return {"options": options, "left": None, "right": None, "compare": None}
    first, last = run.past.rounds[0], state.round
    left, right = _chosen(first), _chosen(last)
    if last.judge_choice is not None:
        first, left = last, last.judge_choice
    elif first is last and len(run.past.rounds) > 1:
        last = run.past.rounds[-1]
        right = _chosen(last)
    elif first is last and len(last.candidates) > 1:
        left = next(i for i in range(len(last.candidates)) if i != right)
    keys = (f"{run.title}|{first.number}|{left}", f"{run.title}|{last.number}|{right}")
    return {"options": options, "left": keys[0], "right": keys[1], "compare": compared(state, *keys)}


def _label(run: ShownRun, done: Round, index: int, several: bool) -> str:
    mark = " ✓" if done.candidates[index].chosen else ""
    where = f"{run.title.split(' · ')[0]}, " if several else ""
    return f"{where}round {done.number}, picture {index + 1}{mark}"


def _chosen(done: Round) -> int:
    return next(i for i, item in enumerate(done.candidates) if item.chosen)


def compared(state: CreateState, left: str | None, right: str | None) -> tuple[str, str] | None:
    """The files of two pictures that the comparison names; None where one of them does not exist."""
    found = []
    for key in (left, right):
        title, _, rest = (key or "").rpartition("|")[0].rpartition("|")
        index = (key or "").rpartition("|")[2]
        run = next((known for known in state.runs if known.title == title), None)
        done = run.round(int(rest)) if run is not None and rest.isdecimal() else None
        if run is None or done is None or not index.isdecimal() or int(index) >= len(done.candidates):
            return None
        found.append(round_files(state, run, done)[int(index)])
    return found[0], found[1]


def about(told: str, picture: Picture, target: Affect | None, plain: bool) -> str:
    """What is on stage: the words, the mood and the seed it was drawn from, to be used again or copied."""
    asked = picture.request
    words = f"<q>{html.text(asked.prompt)}</q>" if asked.prompt else "<em>mood alone</em>"
    if picture.drawn_as is not None:
        words += f' <span class="drawn-as" title="{CHOSEN}">(drawn as: {html.text(picture.drawn_as)})</span>'
    mood = "" if target is None else f" for <i>{html.text(html.mood(target))}</i>"
    return (
        f'<p class="shown" data-seed="{asked.seed}" data-settings="{html.text(parameters_text(picture))}">{told} · '
        f'{words}{mood}</p> <p class="more">· seed <b>{asked.seed}</b> <button type="button" data-does="reuse" '
        'title="Every run draws from this seed until you press Random">use again</button><button type="button" '
        'data-does="copy" title="As text that other studios read too">copy settings</button><button type="button" '
        'data-does="link" title="Opens this page with the settings as they stand now">copy link</button>'
        '<button type="button" data-does="to_continuum" title="In Continuum: the same words and seed at every mood">'
        'see it at every mood</button><button type="button" data-does="to_read" title="In Read: where in the picture '
        'its mood lies, and what carries it">read it closely</button></p>'
    )


def picture_shown(state: CreateState) -> Picture | None:
    """The picture on stage; None while a run is at work, or where there is none."""
    if state.stage == "single" and state.single is not None:
        return state.single.picture
    return state.round.best().picture if state.stage == "round" and state.round is not None else None


def shown_prompt(state: CreateState) -> str:
    """The words of the picture on stage."""
    picture = picture_shown(state)
    return "" if picture is None else picture.request.prompt


def difference(state: CreateState, words: str) -> str:
    """The next prompt against the one that the advice is about; empty where they are the same."""
    base = state.base()
    return html.diff(base.prompt, words) if base and words.strip() and words != base.prompt else ""


def strip_of(state: CreateState) -> str:
    """The rounds of the run at hand; none is marked where something else is on stage."""
    run, titles = state.run, [("★ " if item.starred else "") + item.title for item in state.runs]
    if run is None:
        return cards.EMPTY
    here = state.stage == "round"
    return cards.strip(
        run.past.rounds, run.thumbnails, state.shown if here else None, titles, state.at if here else None
    )


def file_name(picture: Picture, target: Affect | None, more: str = "") -> str:
    """What a file tells by its name: the words, the mood, the seed."""
    words = slug(picture.request.prompt) or PURE_MOOD
    mood = "" if target is None else f"-{html.mood(target)}"
    return f"{words}{mood}-seed-{picture.request.seed}{more}.png"


def round_files(state: CreateState, run: ShownRun, done: Round) -> list[str]:
    """The files of a round's candidates, written where they are not there yet.

    Those without the settings inside have names of their own, because what was shown never changes.
    """
    return [
        picture_file(
            c.picture,
            c.reading,
            _named(run, c, done.number, i, state.plain),
            run.settings,
            state.large,
            chosen=c.chosen,
            idle=state.idle,
        )
        for i, c in enumerate(done.candidates)
    ]


def single_file(state: CreateState, single: SinglePicture) -> str:
    """The file of a picture of its own."""
    name = file_name(single.picture, single.target)
    path = single.folder / (f"plain-{name}" if state.plain else name)
    return picture_file(single.picture, single.reading, path, single.settings, state.large, idle=True)


def _named(run: ShownRun, item: Candidate, number: int, index: int, plain: bool, drawn: bool = False) -> Path:
    name = file_name(item.picture, run.target, f"-{number}-{index + 1}{'-drawn' if drawn else ''}")
    return run.folder / (f"plain-{name}" if plain else name)

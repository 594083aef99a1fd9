"""Chains of concepts as cards: one per viewer, its five steps to read, to edit and to run again from (viewers.js)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from emofeedback.records import Chain, ChainStep, Rewrite
from emofeedback.rewriting.viewers import Viewer
from emofeedback.ui.parts import html
from emofeedback.ui.parts.html import text

TITLES = {
    "emotion": "The emotion, to this viewer",
    "about": "What it is about",
    "concepts": "Concepts that can be drawn",
    "check": "Checked against the prompt",
    "prompt": "The prompt, rewritten",
}
EMPTY = html.notice("Ask the viewers: how each of them comes from the emotion to other words appears here.")


def script() -> str:
    """The browser's side of the cards."""
    return Path(__file__).with_name("viewers.js").read_text(encoding="utf-8")


def style() -> str:
    """The cards' own style rules, placed beside them."""
    return f"<style>{Path(__file__).with_name('viewers.css').read_text(encoding='utf-8')}</style>"


def cards(
    chains: Sequence[Chain],
    rewrites: Sequence[Rewrite],
    missing: Sequence[str],
    viewers: Sequence[Viewer],
    shown: int | None,
    stamp: int,
    read: Mapping[str, float],
) -> str:
    """All chains in the director's order, then its merged rewrite, then who is missing.

    Args:
        rewrites: what the director made of the chains, the best first.
        shown: index of the chain that lies open.
        stamp: changes whenever the fields are to be set anew in the browser.
        read: rewritten prompt -> how far from the target the judge read a picture of it, as far as it did.
    """
    if not chains:
        return EMPTY
    known = {viewer.name: viewer for viewer in viewers}
    place = {rewrite.viewers[0]: rank for rank, rewrite in enumerate(rewrites) if rewrite.chain is not None}
    order = sorted(range(len(chains)), key=lambda i: place.get(chains[i].viewer, len(rewrites)))
    rows = "".join(_chain(i, chains[i], known.get(chains[i].viewer), i == shown, read) for i in order)
    both = "".join(_merged(rewrite, read) for rewrite in rewrites if rewrite.chain is None)
    gone = "".join(f"<li>{text(sentence)}</li>" for sentence in missing)
    use = '<button type="button" class="use" data-does="use">Use these for round 1</button>'
    return (
        f'<ol class="chains" data-stamp="{stamp}">{rows}{both}</ol>'
        f"{f'<ul class=missing>{gone}</ul>' if gone else ''}{use}"
    )


def _chain(index: int, chain: Chain, viewer: Viewer | None, shown: bool, read: Mapping[str, float]) -> str:
    words = chain.step("prompt").lines[0]
    steps = "".join(_step(chain.viewer, step) for step in chain.steps)
    who = f"<p class=who>{text(viewer.who)}</p>" if viewer else ""
    return (
        f'<li data-chain="{index}"><label class="take"><input type="checkbox" checked '
        f'aria-label="Use what {text(chain.viewer)} wrote"></label><details{" open" if shown else ""}>'
        f"<summary><b>{text(chain.viewer)}</b>{_away(words, read)}{html.diff(chain.prompt, words)}</summary>{who}"
        f'<ol class="steps">{steps}</ol></details></li>'
    )


def _step(viewer: str, step: ChainStep) -> str:
    lines = [line for line in step.lines if line]
    notes = "".join(f"<li>{text(note)}</li>" for note in step.notes)
    title = TITLES[step.name]
    rows = max(1, min(10, sum(1 + len(line) // 34 for line in lines)))
    mark = " <em>edited</em>" if step.edited else ""
    button = "Take these words" if step.name == "prompt" else "Re-run from here"
    return (
        f'<li class="step {step.name}"><h5>{text(title)}{mark}</h5>'
        f'<textarea rows="{rows}" spellcheck="false" maxlength="4000" aria-label="{text(viewer)}: {text(title)}">'
        f"{text(chr(10).join(lines))}</textarea>{f'<ul class=notes>{notes}</ul>' if notes else ''}"
        f'<button type="button" data-does="rerun" data-step="{step.name}">{button}</button></li>'
    )


def _merged(rewrite: Rewrite, read: Mapping[str, float]) -> str:
    by = " and ".join(rewrite.viewers)
    return (
        '<li class="merged" data-chain="merged"><label class="take"><input type="checkbox" checked '
        f'aria-label="Use the merged words"></label><div><b>Merged from {text(by)}</b>'
        f"{_away(rewrite.prompt, read)}<p>{text(rewrite.prompt)}</p></div></li>"
    )


def _away(prompt: str, read: Mapping[str, float]) -> str:
    """How far from the target the judge read it; nothing where it did not."""
    return f" <small>{read[prompt]:.2f} away</small>" if prompt in read else ""

"""Fragments of HTML. Every word that came from a user or a judge passes through `text` before it is markup."""

import base64
import difflib
import html
import io
import re
from collections.abc import Sequence

from PIL import Image

from emofeedback.affect import Affect, nearest_emotion
from emofeedback.records import Candidate, Critique, Edit, Reading, Round, Seen


def text(value: object) -> str:
    """Escape for element content and for quoted attributes."""
    return html.escape(str(value), quote=True)


def diff(before: str, after: str) -> str:
    """Both prompts as one line: words that went are struck out, words that came are marked."""
    old, new = re.findall(r"\w[\w'-]*|[^\w\s]", before), re.findall(r"\w[\w'-]*|[^\w\s]", after)
    parts: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(text(_join(old[a:b])))
            continue
        if b > a:
            parts.append(f"<del>{text(_join(old[a:b]))}</del>")
        if d > c:
            parts.append(f"<ins>{text(_join(new[c:d]))}</ins>")
    joined = " ".join(parts)
    tidy = re.sub(r" ((?:<(?:ins|del)>)?[,.;:!?])", r"\1", joined)
    return f'<p class="diff">{tidy or "<em>no words</em>"}</p>'


def _join(words: Sequence[str]) -> str:
    return re.sub(r" ([,.;:!?])", r"\1", " ".join(words))


def edit_words(edit: Edit) -> str:
    """An edit as plain words, for a checkbox label (not yet escaped)."""
    match edit.action:
        case "replace":
            return f"{edit.old} → {edit.new}"
        case "add":
            return f"+ {edit.new}"
        case "remove":
            return f"− {edit.old}"


def edit_list(edits: Sequence[Edit]) -> str:
    """The edits as coloured chips."""
    if not edits:
        return '<p class="quiet">No change of words suggested.</p>'
    items = []
    for edit in edits:
        old = f"<del>{text(edit.old)}</del>" if edit.old else ""
        new = f"<ins>{text(edit.new)}</ins>" if edit.new else ""
        arrow = "<span>→</span>" if old and new else ""
        items.append(f"<li>{old}{arrow}{new}</li>")
    return f'<ul class="edits">{"".join(items)}</ul>'


def unknown_words(prompt: str, unknown: Sequence[str]) -> str:
    """The prompt again with the words underlined that the generator has never seen; empty when there are none."""
    if not unknown:
        return ""
    lowered = {word.lower() for word in unknown}
    marked = "".join(
        f"<mark>{text(part)}</mark>" if part.lower() in lowered else text(part)
        for part in re.split(r"(\w[\w'-]*)", prompt[:400])
    )
    noun = "word is" if len(unknown) == 1 else "words are"
    return (
        f'<p class="unknown" role="status">{marked}<br><small>The underlined {noun} unknown to this generator and '
        f"will not show in the picture.</small></p>"
    )


def signed(value: float) -> str:
    """A coordinate with its sign, two digits, and a real minus."""
    return f"{value:+.2f}".replace("-", "−")


def reading(read: Reading | None, target: Affect | None = None) -> str:
    """The judge's numbers: valence and arousal with their spread, the nearest word, the way left to the target."""
    if read is None:
        return '<p class="quiet">The judge could not read this picture.</p>'
    rows = [
        f"<div><dt>Valence</dt><dd>{signed(read.affect.valence)} <small>± {read.valence_sd:.2f}</small></dd></div>",
        f"<div><dt>Arousal</dt><dd>{signed(read.affect.arousal)} <small>± {read.arousal_sd:.2f}</small></dd></div>",
    ]
    if target is not None:
        rows.append(f"<div><dt>To target</dt><dd>{read.affect.distance(target):.2f}</dd></div>")
    name = text(nearest_emotion(read.affect))
    return f'<p class="verdict">reads as <b>{name}</b></p><dl class="numbers">{"".join(rows)}</dl>'


def seen(items: Sequence[Seen]) -> str:
    """What the judge names in the picture, each with its probability as a bar."""
    if not items:
        return ""
    rows = "".join(
        f'<li title="{item.probability:.0%}"><span>{text(item.aspect)}</span><b>{text(item.word)}</b>'
        f'<i style="--share:{min(1.0, max(0.0, item.probability)):.2f}"></i></li>'
        for item in items[:12]
    )
    return f'<h4>It sees</h4><ul class="seen">{rows}</ul>'


def words(critique: Critique | None) -> str:
    """The judge's analysis and what carries the emotion."""
    if critique is None:
        return ""
    carries = "".join(f"<li>{text(word)}</li>" for word in critique.carries)
    carried = f'<h4>What carries the emotion</h4><ul class="carries">{carries}</ul>' if carries else ""
    return f"<h4>In its words</h4><blockquote>{text(critique.analysis)}</blockquote>{carried}"


def judgement(item: Candidate, critique: Critique | None, target: Affect) -> str:
    """All that the judge has to say about the chosen picture of a round."""
    content = {
        True: '<p class="kept">The words\' content is in the picture.</p>',
        False: '<p class="lost">Part of what the words name is missing in the picture.</p>',
        None: "",
    }[item.content_kept]
    names = seen(item.reading.seen) if item.reading else ""
    return reading(item.reading, target) + content + words(critique) + names


def suggestion(before: str, critique: Critique | None, after: str | None) -> str:
    """The suggested edits and the next prompt as a diff; empty when the judge advised nothing."""
    if critique is None:
        return ""
    body = edit_list(critique.edits)
    if after is not None and after != before:
        body += f"<h4>The next prompt</h4>{diff(before, after)}"
    return f"<h4>It would change</h4>{body}"


def thumbnail(image: Image.Image, pixels: int = 192) -> str:
    """The picture as a small JPEG data address."""
    small = image.convert("RGB")
    small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def strip(rounds: Sequence[Round], target: Affect) -> str:
    """The rounds so far, left to right: picture, distance, what changed in the words, cost."""
    if not rounds:
        return '<div class="strip empty"><p>Each round of a run will line up here.</p></div>'
    cards = []
    for index, item in enumerate(rounds):
        best = item.best()
        before = rounds[index - 1].prompt if index else item.prompt
        change = diff(before, item.prompt) if item.prompt else '<p class="diff"><em>mood alone</em></p>'
        away = "unread" if best.distance is None else f"{best.distance:.2f} away"
        cost = f"{item.cost.seconds:.1f} s" if item.cost.seconds else ""
        cards.append(
            f'<article class="card"><img src="{thumbnail(best.picture.image)}" alt="Round {item.number}: '
            f'{text(item.prompt[:120])}"><header><b>Round {item.number}</b><span>{away}</span></header>'
            f"{change}<footer>{cost}</footer></article>"
        )
    return f'<div class="strip" role="list" aria-label="Rounds">{"".join(cards)}</div>'


def progress(label: str, done: float | None = None, busy: bool = True) -> str:
    """A bar of fixed height; `done` in [0, 1], None = not known yet."""
    share = 0.0 if done is None else min(1.0, max(0.0, done))
    state = "busy" if busy else "idle"
    value = f' aria-valuenow="{round(100 * share)}"' if busy and done is not None else ""
    return (
        f'<div class="progress {state}" role="progressbar" aria-label="{text(label)}" aria-valuemin="0" '
        f'aria-valuemax="100"{value}><i style="--share:{share:.3f}"></i><span>{text(label)}</span></div>'
    )


def notice(sentence: str) -> str:
    """An empty state: one sentence that says what to do."""
    return f'<div class="notice"><p>{text(sentence)}</p></div>'

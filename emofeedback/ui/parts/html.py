"""Fragments of HTML. Every word that came from a user or a judge passes through `text` before it is markup."""

import base64
import difflib
import html
import io
import re
from collections.abc import Sequence

from PIL import Image

from emofeedback.affect import EMOTIONS, PRESETS, Affect, to_scale
from emofeedback.loop.rounds import TOLERANCE
from emofeedback.records import Candidate, Critique, Reading, Seen
from emofeedback.scenes.lexicon import seen_noun


def text(value: object) -> str:
    """Escape for element content and for quoted attributes."""
    return html.escape(str(value), quote=True)


def diff(before: str, after: str) -> str:
    """Both prompts as one line: words that went are struck out, words that came are marked."""
    old, new = tokens(before), tokens(after)
    parts: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(text(joined(old[a:b])))
            continue
        if b > a:
            parts.append(f"<del>{text(joined(old[a:b]))}</del>")
        if d > c:
            parts.append(f"<ins>{text(joined(new[c:d]))}</ins>")
    line = " ".join(parts)
    tidy = re.sub(r" ((?:<(?:ins|del)>)?[,.;:!?])", r"\1", line)
    return f'<p class="diff">{tidy or "<em>no words</em>"}</p>'


def tokens(prompt: str) -> list[str]:
    """A prompt's words and punctuation marks, one by one."""
    return re.findall(r"\w[\w'-]*|[^\w\s]", prompt)


def joined(words: Sequence[str]) -> str:
    """Words and punctuation marks as a line."""
    return re.sub(r" ([,.;:!?])", r"\1", " ".join(words))


def left_out(rest: str, what: str = "The prompt") -> str:
    """A notice on the end of a prompt that is too long for the generator; empty when nothing is left out."""
    if not rest:
        return ""
    tail = rest if len(rest) <= 120 else "… " + rest[-118:]
    said = f"{what} is too long for this generator; left out: {rest}"
    return (
        f'<p class="unknown" role="status" title="{text(said)}">{text(what)} is too long for this generator; left out: '
        f"<mark>{text(tail)}</mark></p>"
    )


def unknown_words(prompt: str, unknown: Sequence[str]) -> str:
    """The words of a prompt that the generator has never seen, as one line; empty when there are none."""
    if not unknown:
        return ""
    lowered = {word.lower() for word in unknown}
    found = [part for part in re.findall(r"\w[\w'-]*", prompt[:400]) if part.lower() in lowered]
    marked = " ".join(f"<mark>{text(word)}</mark>" for word in dict.fromkeys(found or unknown))
    noun = "is" if len(unknown) == 1 else "are"
    said = f"{marked} {noun} unknown to this generator and will not show in the picture."
    return f'<p class="unknown" role="status" title="{text(re.sub("<[^>]+>", "", said))}">{said}</p>'


def signed(value: float) -> str:
    """A coordinate with its sign, two digits, and a real minus."""
    return f"{value:+.2f}".replace("-", "−")


def coordinate(value: float) -> str:
    """A coordinate in [-1, 1] in the three scales of the pad (-1..1, 1-9, cell of 9), of which CSS shows one."""
    nine = to_scale(value, 1, 9)
    return (
        f'<span class="in-signed">{signed(value)}</span><span class="in-nine">{nine:.1f}</span>'
        f'<span class="in-grid">{round(nine)}</span>'
    )


def spread(sd: float) -> str:
    """A standard deviation on the scale [-1, 1], likewise."""
    return f'<span class="in-signed">± {sd:.2f}</span><span class="in-nine in-grid">± {4 * sd:.1f}</span>'


def verdict(read: Reading, target: Affect | None = None) -> str:
    """In plain words: what the picture reads as and, with a target, whether and how that is not what was asked for."""
    name = _word(read.affect)
    found = f"<b>{text(name)}</b>"
    if target is None:
        return f'<p class="verdict">It reads as {found}.</p>'
    asked = f"You asked for <b>{text(_word(target))}</b>"
    if read.affect.distance(target) <= TOLERANCE:
        return f'<p class="verdict agrees">{asked}; it reads as {found}: on target.</p>'
    valence, arousal = read.affect.valence - target.valence, read.affect.arousal - target.arousal
    sides = [
        (abs(valence), "pleasant" if valence > 0 else "unpleasant"),
        (abs(arousal), "excited" if arousal > 0 else "calm"),
    ]
    faults = [f"{_degree(by)} {word}" for by, word in sorted(sides, reverse=True) if by >= NOTICED]
    but = ", but" if name == _word(target) else ":"
    return f'<p class="verdict differs">{asked}; it reads as {found}{but} <em>{" and ".join(faults)}</em>.</p>'


NOTICED = 0.08
"""Difference on an axis that is worth a word; at the edge of TOLERANCE one of the two is always larger."""


def _word(affect: Affect) -> str:
    """The nearest of the words on the pad: all adjectives, so that they fit in a sentence."""
    return min((*PRESETS, "neutral"), key=lambda name: EMOTIONS[name].distance(affect))


def _degree(by: float) -> str:
    return "a little too" if by < 0.3 else "too" if by < 0.7 else "much too"


def reading(read: Reading | None, target: Affect | None = None) -> str:
    """The judge's verdict in words and its two numbers; what was asked for and the spread are for experts."""
    if read is None:
        return '<p class="quiet">The judge could not read this picture.</p>'
    rows = []
    for name, term, value, sd, asked in (
        ("Pleasant", VALENCE, read.affect.valence, read.valence_sd, target.valence if target else None),
        ("Energy", AROUSAL, read.affect.arousal, read.arousal_sd, target.arousal if target else None),
    ):
        wanted = "" if asked is None else f"asked {coordinate(asked)}"
        more = f'<small class="expert">{spread(sd)}</small>'
        rows.append(
            f'<div title="{text(term)}"><dt>{name}</dt><dd>{coordinate(value)} {more}<small>{wanted}</small></dd></div>'
        )
    rows.append(
        f'<div title="{text(SURE)}"><dt>The judge is</dt><dd class="how-sure">{text(sureness(read))}</dd></div>'
    )
    return verdict(read, target) + f'<dl class="numbers">{"".join(rows)}</dl>'


VALENCE = "Valence: from unpleasant (−1) to pleasant (+1)"
AROUSAL = "Arousal: from calm (−1) to excited (+1)"
SURE = "By the spread of the judge's rating around its mean"


def sureness(read: Reading) -> str:
    """How sure a judge is, by the larger of its two standard deviations."""
    sd = max(read.valence_sd, read.arousal_sd)
    return "sure" if sd < 0.18 else "fairly sure" if sd < 0.3 else "not sure"


def nearness(distance: float | None) -> str:
    """How near a picture comes to what was asked for, in words."""
    if distance is None:
        return "unread"
    near = "on target" if distance <= TOLERANCE else "close" if distance < 0.3 else "some way off"
    return "far off" if distance >= 0.6 else near


def closeness(distance: float | None) -> str:
    """The same as HTML, with the number for experts."""
    if distance is None:
        return nearness(distance)
    return f'{nearness(distance)}<span class="expert"> · {distance:.2f} away</span>'


def mood(affect: Affect) -> str:
    """The nearest of the words on the pad."""
    return _word(affect)


def seen(items: Sequence[Seen]) -> str:
    """What the judge names in the picture, each with its probability as a bar."""
    if not items:
        return ""
    rows = "".join(
        f'<li title="{item.probability:.0%}"><span>{text(item.aspect)}</span><b>{text(seen_noun(item.word))}</b>'
        f'<i style="--share:{min(1.0, max(0.0, item.probability)):.2f}"></i></li>'
        for item in items[:12]
    )
    return f'<h4>It sees</h4><ul class="seen">{rows}</ul>'


def words(critique: Critique | None) -> str:
    """The judge's analysis and what carries the emotion."""
    if critique is None:
        return ""
    carries = "".join(f"<li>{text(word)}</li>" for word in dict.fromkeys(critique.carries))
    carried = f'<h4>What carries the emotion</h4><ul class="carries">{carries}</ul>' if carries else ""
    return f"<h4>In its words</h4><blockquote>{text(critique.analysis)}</blockquote>{carried}"


def judgement(item: Candidate, critique: Critique | None, target: Affect) -> str:
    """All that the judge has to say about the chosen picture of a round."""
    content = {
        True: '<p class="kept">✓ What the words name is in the picture.</p>',
        False: '<p class="lost">✗ Part of what the words name is missing.</p>',
        None: "",
    }[item.content_kept]
    names = seen(item.reading.seen) if item.reading else ""
    return reading(item.reading, target) + content + words(critique) + names


def thumbnail(image: Image.Image, pixels: int = 192) -> str:
    """The picture as a small JPEG data address."""
    small = image.convert("RGB")
    small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


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

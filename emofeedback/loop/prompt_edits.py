"""Prompt revision: applies phrase edits to a prompt."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emofeedback.protocols import LeftOut
from emofeedback.records import Edit


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PREPOSITIONS = _words("""
    in at under with without by on near beside among amongst during after before amid behind over above below beneath
    underneath between through across along around against into onto upon from to towards toward inside outside within
    beyond past off of for about opposite like until since via
""")
_DETERMINERS = _words("""
    a an the this that these those his her its their my our your some any each every another no two three four five
    several many few both
""")
_CONJUNCTIONS = frozenset(("and", "or", "nor", "but"))
_CLAUSES = _words("that which who whose where when while as because if than")
_COPULAS = _words("is are was were be been being am isn't aren't wasn't seems looks feels becomes gets has have had")
_VERBS = _COPULAS | _words("""
    rises rise rose shines shine shone falls fall fell stands stand stood sits sit sat runs run ran glows glow burns
    burn blows blow hangs hang hung lies lie lay sets lights light fills fill covers cover drifts drift flies fly flew
    rolls roll watches watch holds hold carries carry wears wear sees see lives live waits wait walks walk plays play
    swims swim sleeps sleep dances dance passes pass crosses cross reads read eats eat drinks drink makes make takes
    take comes come goes go hides hide chases chase rides ride drives drive meets meet grows grow leans lean floats
    float flickers flicker sails sail looks look sings sing howls howl barks bark hoots hoot jumps jump crashes crash
    explodes explode sway sways pours pour bursts burst swirls swirl whispers dries crawls crawl creeps reflects
    reflect shimmers shimmer sparkle sparkles twinkle twinkles gathers gather surrounds surround leads winds turns
    turn sells sell paints paint flood floods rests rest feeds feed eats keep keeps hits hit strikes strike breaks
    break roars roar settles lingers hovers hover circles circle race races lands land dots dot line lines
    overlooks
""")
_FILLED = frozenset(("covered", "filled", "lit", "surrounded"))
_PARTICLES = _words("up down out off away")
_DEGREES = _words("very really so too quite rather slightly extremely softly dimly brightly only just even")
_PRONOUNS = frozenset(("it", "there", "it's", "there's"))
_ADJECTIVES = _words("""
    dark bright dim warm cold cool hot soft hard old new young big small large little tall tiny huge red orange yellow
    green blue purple pink brown black white grey gray golden silver deep thick thin heavy light full empty quiet calm
    wild strong long wide high low wet dry fresh pale clear open lone single vivid muted faint moonlit starlit sunlit
    wooden distant first last late early loud autumn winter summer spring bare dead great whole good nice cute fine
    grand vast gentle strange dense rich bold rare
""")
_NOT_PARTICIPLES = _words("""
    king ring spring string morning evening lightning building wing thing ceiling painting clothing wedding being
    something nothing everything anything red bed shed seed weed sled reed field need feed steed lighting
""")
_STYLE = re.compile(
    r"\b(?:"
    r"watercolou?r|oil painting|oil on canvas|digital (?:art|painting)|concept art|in the style of|"
    r"style|photo|photograph|photography|photorealistic|realistic|8k|4k|hd|hdr|35mm|bokeh|"
    r"cinematic|trending on|artstation|illustration|anime|pixel art|sketch|poster|render|rendering|"
    r"unreal engine|octane|highly detailed|detailed|minimalist|vector|gouache|pastel drawing|"
    r"ink drawing|charcoal drawing|line art|isometric|low poly|film still|film grain|polaroid|woodcut|"
    r"impressionist|studio ghibli|art deco|masterpiece|wide shot|wide angle|close-up"
    r")\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|_+")
_LEADING_LINK = re.compile(rf"(?:{'|'.join(sorted(_PREPOSITIONS - {'of'}))}|next|as|lit|late)\b", re.IGNORECASE)
_BEARING = re.compile(
    r"(?:\w+ly )?(?:lit|\w{3,}ing)\b|(?:fast |sound )?asleep\b|wide-eyed\b|arms \w+|eyes \w+", re.IGNORECASE
)
_DANGLING = re.compile(rf"(?:^|(?<=[\s,]))(?:and|or|a|an|the|{'|'.join(sorted(_PREPOSITIONS))}|next)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person made of an edit: taken or dropped, and its new words, maybe rewritten."""

    on: bool = True
    new: str = ""


def untouched(edits: Sequence[Edit]) -> tuple[Choice, ...]:
    """Every edit taken as it is."""
    return tuple(Choice(True, edit.new) for edit in edits)


def chosen_edits(edits: Sequence[Edit], choices: Sequence[Choice]) -> tuple[Edit, ...]:
    """The edits that were taken, with their words as rewritten; one rewritten to nothing removes its old phrase.

    Raises:
        ValueError: there are not as many choices as edits.
    """
    kept = []
    for edit, choice in zip(edits, choices, strict=True):
        new = choice.new.strip()
        if not choice.on or (edit.action == "add" and not new):
            continue
        if edit.action == "replace" and not new:
            kept.append(Edit("remove", old=edit.old))
        else:
            kept.append(edit if edit.action == "remove" else replace(edit, new=new))
    return tuple(kept)


def apply_edits(prompt: str, edits: Sequence[Edit], left_out: LeftOut | None = None) -> str:
    """The prompt after the edits, one after the other, with commas and spaces tidied.

    Phrases match whole words, whatever their case. A replacement whose old phrase is absent is an addition; removing
    an absent phrase or adding a present one changes nothing. What goes, goes as a whole: a noun with its article,
    adjectives and preposition, an adjective alone. A phrase that stands by itself ("in the rain") does not take the
    place of an adjective or a bare noun, but goes behind its part of the sentence: "a foggy lake, at night" with
    "foggy" -> "in the rain" gives "a lake, in the rain, at night". What is added stands at the end, before words
    about the style.

    Args:
        left_out: how the generator at hand cuts a prompt that is too long for it. What the edits bring then stands
            before the cut, and the words of the prompt keep their order. None = nothing is cut.
    """
    edited = _applied(prompt, edits)
    if left_out is None or not left_out(edited):
        return edited
    return _within_reach(edited, [new for edit in edits if (new := _tidy(edit.new))], left_out)


def _applied(prompt: str, edits: Sequence[Edit]) -> str:
    for edit in edits:
        old, new = _tidy(edit.old), _tidy(edit.new)
        if edit.action == "remove":
            prompt = _remove(prompt, old)
        elif edit.action == "add" or not holds_phrase(prompt, old):
            prompt = _add(prompt, new)
        else:
            prompt = _replace(prompt, old, new)
    return prompt


def _within_reach(text: str, brought: Sequence[str], left_out: LeftOut) -> str:
    """The text with all phrases that were brought before the cut: those behind it move together to its front."""
    moved: list[str] = []
    while True:
        found = [(phrase, _find(text, phrase)) for phrase in brought if phrase not in moved]
        late = [phrase for phrase, at in found if at is not None and left_out(text[: at.end()])]
        if not late:
            return text
        if moved and (block := _find(text, ", ".join(moved))) is not None:  # it pushed these behind the cut
            text = _tidy(f"{text[: block.start()]}{text[block.end() :]}")
        for phrase in late:
            text = _remove(text, phrase)
        moved += late
        text = _put_before_cut(text, ", ".join(moved), left_out)


def _put_before_cut(text: str, words: str, left_out: LeftOut) -> str:
    """The text with the words behind the last part of a sentence, else the last word, after which none is cut."""

    def reaches(at: int) -> bool:
        return not left_out(_beside(text[:at], words))

    parts = [m.end() for m in re.finditer(r"[,;.!?\n]+(?=\s)", text)]
    ends = [m.end() for m in re.finditer(r"\S+(?=\s)", text) if not _DANGLING.search(text[: m.end()])]
    for places in (parts, ends):
        count = bisect_left(places, True, key=lambda at: not reaches(at))
        if count:
            left, right = _beside(text[: places[count - 1]], words), text[places[count - 1] :].strip(" ,;")
            return _tidy(f"{left}, {right}" if right else left)
    return _tidy(f"{words}, {text}")


def _beside(left: str, words: str) -> str:
    left = left.rstrip(" ,;")
    return f"{left}{' ' if left.endswith(('.', '!', '?')) else ', '}{words}"


def holds_phrase(prompt: str, phrase: str) -> bool:
    """Whether a prompt holds a phrase as `apply_edits` finds it: whole words, whatever their case.

    "sun" is not in "a sunset beach".
    """
    return _find(prompt, _tidy(phrase)) is not None


def _find(text: str, phrase: str) -> re.Match[str] | None:
    words = phrase.split()
    if not words:
        return None
    pattern = r"\s+".join(map(re.escape, words))
    before = r"(?<![\w-])(?<!\w['’])" if re.match(r"\w", phrase) else ""
    after = r"(?![\w-]|['’]\w)" if re.search(r"\w$", phrase) else ""
    return re.search(before + pattern + after, text, re.IGNORECASE)


def _add(text: str, new: str) -> str:
    if not new or _find(text, new) is not None:
        return text
    body = text.rstrip(" ,;.!?\t\n")
    closing = re.match(r"[.!?]+", text[len(body) :].strip(" ,;\t\n"))
    stop = closing[0] if closing else ""
    if not body:
        return _tidy(new)
    at = _style_start(body)
    if at is not None:
        return _tidy(f"{body[:at].rstrip(' ,')}, {new}, {body[at:].lstrip(' ,')}{stop}")
    return _tidy(f"{body}, {new}{stop}")


def _style_start(body: str) -> int | None:
    """Where trailing words about the style begin: ", oil painting, 4k" or " in the style of"; None = there are none."""
    at: int | None = None
    for comma in reversed([m.start() for m in re.finditer(",", body)]):
        end = at if at is not None else len(body)
        if not _STYLE.search(body[comma:end]) or len(body[comma:end].split()) > 7:
            break
        at = comma
    if at is None and (manner := re.search(r"\s+in the style of\b", body, re.IGNORECASE)):
        at = manner.start()
    return at


def _remove(text: str, old: str) -> str:
    match = _find(text, old)
    if match is None:
        return text
    cut = _Phrase(text, match).cut()
    return _tidy(_capital(text, _join(text[: cut[0]], text[cut[1] :])))


def _replace(text: str, old: str, new: str) -> str:
    match = _find(text, old)
    if match is None or not new:
        return _remove(text, old)
    if _find(text[: match.start()], new) or _find(text[match.end() :], new):
        return _remove(text, old)
    phrase = _Phrase(text, match)
    stands = bool(_LEADING_LINK.match(new) or _BEARING.match(new))
    if phrase.attributive:
        if len(new.split()) == 1 and not _LEADING_LINK.match(new):
            return _capital(text, _tidy(_agree(text[: match.start()], new) + new + text[match.end() :]))
        return _moved(text, phrase.cut(), new)
    if not stands and not _LEADING_LINK.match(match[0]):
        return _capital(text, _tidy(_put_noun(text, phrase, new)))
    start, end = phrase.cut()
    inside = not phrase.linked and text[end:].lstrip()[:1].isalnum() and not phrase.governed
    if phrase.shared or inside or not phrase.separable(start):
        return _moved(text, (start, end), new)
    left, right = text[:start].rstrip(), text[end:].lstrip()
    if left and not left.endswith((",", ".", ";", "!", "?", ":", "(")) and not _LEADING_LINK.match(new):
        left += ","
    if right[:1].isalnum() and not _LEADING_LINK.match(new):
        right = f", {right}"
    return _tidy(_capital(text, f"{left} {new} {right}"))


def _put_noun(text: str, phrase: "_Phrase", new: str) -> str:
    """A noun in the place of a noun; its own article takes the place of the old one."""
    start = phrase.match.start()
    if re.match(r"(?:a|an|the)\s", new, re.IGNORECASE):
        start = phrase.noun_start()
    return _agree(text[:start], new) + new + text[phrase.match.end() :]


def _moved(text: str, cut: tuple[int, int], new: str) -> str:
    """The text without a span, and the new phrase behind that part of the sentence."""
    whole = _join(text[: cut[0]], text[cut[1] :])
    left = whole[: len(whole) - len(text[cut[1] :].lstrip())] if text[cut[1] :].strip() else whole
    right = whole[len(left) :]
    part = re.match(r"[^,;.!?]*", right)
    end = part.end() if part else 0
    head = f"{left}{right[:end]}".rstrip()
    style = _style_start(head) if "," not in right[end:] else None
    if style is not None:
        head, right, end = head[:style], f", {head[style:].lstrip(' ,')}{right[end:]}", 0
    joined = f"{head}, {new}" if head.strip(" ,") else new
    return _tidy(_capital(text, f"{joined}{',' if right[end:].strip()[:1].isalnum() else ''}{right[end:]}"))


class _Phrase:
    """The whole phrase around a match: which words go when it goes.

    There is no grammar here, only word classes by list and ending; where they cannot tell, little is cut.
    """

    def __init__(self, text: str, match: re.Match[str]) -> None:
        self.match = match
        tokens = [(m[0], m.start(), m.end()) for m in _WORD.finditer(text)]
        self.words = [word.lower().replace("’", "'") for word, _, _ in tokens]
        self.spans = [(start, end) for _, start, end in tokens]
        inside = [i for i, (start, end) in enumerate(self.spans) if start < match.end() and end > match.start()]
        self.first = inside[0] if inside else 0
        self.last = inside[-1] + 1 if inside else 0
        self.whole = (
            bool(inside) and self.spans[inside[0]][0] == match.start() and self.spans[inside[-1]][1] == match.end()
        )
        self.linked = self._is_linked()
        if self.whole and self.linked and self._word(self.first) in _PREPOSITIONS and not self._ends_phrase(self.last):
            # "in the evening" of "in the evening sun" is but an adjective of the sun
            self.linked = False
            self.first += 2 if self._word(self.first + 1) in _DETERMINERS else 1
        self.attributive = self.whole and not self.linked and self._is_attributive()
        self.shared = False  # other words hang on the same preposition
        self.governed = False  # the phrase hangs on a preposition of its own

    def _is_linked(self) -> bool:
        first, second = self._word(self.first), self._word(self.first + 1)
        return first in _PREPOSITIONS or first in ("next", "as", "while", "lit") or (first == "late" and second == "at")

    def separable(self, start: int) -> bool:
        """Whether the span from `start` is a phrase of its own: it has a preposition or stands between commas."""
        at = next((i for i, span in enumerate(self.spans) if span[0] >= start), self.first)
        return (
            self._word(at) in _PREPOSITIONS or _LEADING_LINK.match(self._word(at)) is not None or self._breaks(at - 1)
        )

    def noun_start(self) -> int:
        """Where the match's noun phrase begins, with its article."""
        return self.spans[self._noun_start()][0] if self.whole else self.match.start()

    def cut(self) -> tuple[int, int]:
        """The span of the text that goes, without words that would be left hanging."""
        if not self.whole:
            return self.match.span()
        if self.attributive:
            start, end = self._attribute()
        else:
            start, end = self._clause()
        return self.spans[start][0], self.spans[end - 1][1]

    def _word(self, at: int) -> str:
        return self.words[at] if 0 <= at < len(self.words) else ""

    def _breaks(self, at: int) -> bool:
        word = self._word(at)
        return not word or not word[0].isalnum()

    def _is_participle(self, at: int) -> bool:
        word = self._word(at)
        return len(word) > 4 and word.endswith(("ing", "ed")) and word not in _NOT_PARTICIPLES

    def _is_adjective(self, at: int) -> bool:
        word = self._word(at)
        if word in _ADJECTIVES or word in _DEGREES:
            return True
        return len(word) > 4 and word.endswith(("y", "ous", "ful", "less", "ing", "ed", "ish", "ic", "al", "lit", "ly"))

    def _ends_phrase(self, at: int) -> bool:
        """Whether a noun phrase cannot go on with this word."""
        word = self._word(at)
        return (
            self._breaks(at)
            or word in _PREPOSITIONS
            or word in _DETERMINERS
            or word in _CONJUNCTIONS
            or word in _CLAUSES
            or word in _VERBS
            or word in _PARTICLES
            or word in ("next", "late", "again", "together", "alone", "not", "then", "so")
        )

    def _is_bearing(self) -> bool:
        """Whether the match says what somebody does or how they are: 'a child [sleeping] in a bed'."""
        return bool(_BEARING.match(self.match[0])) and self._word(self.last - 1) not in _NOT_PARTICIPLES

    def _is_attributive(self) -> bool:
        """Whether the match stands before a noun that stays: 'a [foggy] lake', 'a [dark], stormy night'."""
        if not self._ends_phrase(self.last):
            if self._is_participle(self.last):
                return not self._ends_phrase(self.last + 1) and not self._word(self.last + 1).endswith("ly")
            return not self._word(self.last).endswith("ly")
        joined = self._word(self.last) in (",", "and", "or", "but") and self._is_adjective(self.last - 1)
        if not joined or self._ends_phrase(self.last + 1):
            return False
        # an article before and two words behind: 'a [cold] and foggy lake'
        left = self.first - 1
        return self._word(left) in _DETERMINERS and self._is_adjective(self.last + 1)

    def _attribute(self) -> tuple[int, int]:
        start, end = self.first, self.last
        while self._word(start - 1) in _DEGREES:
            start -= 1
        if self._word(end) in (",", "and", "or", "but"):
            return start, end + 1
        if self._word(start - 1) in ("and", ",", "but") and self._is_adjective(start - 2):
            left = start - 2
            while self._is_adjective(left):
                left -= 1
            if self._word(left) in _DETERMINERS:
                start -= 1
        return start, end

    def _noun_start(self) -> int:
        """The first token of the match's noun phrase."""
        if self.linked or self._word(self.first) in _DETERMINERS or self._is_bearing():
            return self.first
        at = self.first
        while True:
            before = at - 1
            word = self._word(before)
            if word in _DETERMINERS:
                return before
            adjective = self._is_adjective(before) and not self._ends_phrase(before) and not self._acts(before)
            if word.endswith("'s") or adjective:
                at = before
                continue
            joined = word in ("and", ",") and self._is_adjective(at) and self._is_adjective(at - 2)
            if joined and self._word(self._before_adjectives(at - 2)) in _DETERMINERS:
                at -= 2
                continue
            if not self._ends_phrase(before):
                # other words belong to the phrase if an article stands before them
                left = before
                while left > before - 4 and not self._ends_phrase(left):
                    left -= 1
                if self._word(left) in _DETERMINERS and not any(
                    self._verb_like(i) for i in range(left + 1, self.first)
                ):
                    return left
            return at

    def _acts(self, at: int) -> bool:
        """Whether a participle belongs to the noun before it: 'a dog [chasing] kites', not 'a [flying] kite'."""
        if not (self._is_participle(at) and self._word(at).endswith("ing")):
            return False
        return not self._ends_phrase(at - 1) and not self._is_adjective(at - 1)

    def _before_adjectives(self, at: int) -> int:
        while self._is_adjective(at):
            at -= 1
        return at

    def _verb_like(self, at: int) -> bool:
        word = self._word(at)
        return word in _VERBS or self._acts(at) or (word.endswith("s") and not word.endswith(("ss", "us", "'s")))

    def _clause(self) -> tuple[int, int]:
        """Noun phrase or prepositional phrase, with what governs it and what hangs on it."""
        start, end = self._noun_start(), self._phrase_end()
        governed = start
        if not self.linked:
            governed = self._governor(start)
            self.governed = self._word(governed) in _PREPOSITIONS
        elif self._word(start) in ("in", "with", "by") and self._word(start - 1) in _FILLED:
            governed = self._governor(start + 1)
        after = self._word(end)
        if after in ("and", "or") and not self._breaks(end + 1):
            follows = self._word(end + 1)
            prepositional = follows in _PREPOSITIONS
            has_link = self.linked or governed < start
            if has_link and not prepositional and not self._is_clause(end + 1):
                self.shared = True  # "with [lanterns and] kites"
                return (start + self._link_length() if self.linked else start), end + 1
            if self._breaks(governed - 1) or prepositional:
                return governed, end + 1
        if after == "," and (self.linked or governed < start) and self._lists(end + 1):
            self.shared = True
            return (start + self._link_length() if self.linked else start), end + 1
        start = governed
        if self._word(start - 1) in ("and", "or", "but") and not self._breaks(start - 2):
            start -= 1
        return start, end

    def _link_length(self) -> int:
        return 3 if self._word(self.first + 1) in ("front",) else 2 if self._word(self.first) == "next" else 1

    def _is_clause(self, at: int) -> bool:
        """Whether the words from here on are a sentence of their own: 'and it is raining'."""
        while not self._breaks(at):
            if self._word(at) in _COPULAS:
                return True
            at += 1
        return False

    def _lists(self, at: int) -> bool:
        """Whether a list goes on: ', kites and crows'."""
        words = []
        while not self._breaks(at):
            words.append(self._word(at))
            at += 1
        if not words or words[0] in _PREPOSITIONS or "and" not in words[1:]:
            return False
        return len(words) <= 6 and not any(word in _PREPOSITIONS or word in _VERBS for word in words)

    def _governor(self, start: int) -> int:
        """The preposition, participle or verb without which the noun phrase is nothing."""
        before = start - 1
        word = self._word(before)
        if word in _PREPOSITIONS:
            at = before
            if word == "of" and self._word(at - 1) in ("front", "out", "because", "full", "made", "ahead"):
                at -= 2 if self._word(at - 1) == "front" and self._word(at - 2) == "in" else 1
            elif word == "to" and self._word(at - 1) in ("next", "close", "due"):
                at -= 1
            elif self._word(at - 1) in _PREPOSITIONS | _PARTICLES and self._word(at - 1) not in ("of",):
                at -= 1  # "from behind the hill"
            if word in ("in", "with", "by", "of") and (
                self._word(at - 1) in ("lit", "full")
                or (self._word(at - 1).endswith("ed") and self._is_participle(at - 1))
            ):
                at -= 1  # "covered in snow"
            if at < before and self._word(at - 1) in _COPULAS:
                at = self._subject_of(at - 1)  # "is full of stars"
            return at
        if word in ("it's", "there's"):
            return self._subject_of(start)
        if word in _VERBS and not self._breaks(before - 1) and word not in ("light", "lights", "line", "lines"):
            return self._subject_of(before)
        if self._is_participle(before) and word.endswith("ing"):
            return before  # "a dog chasing kites"
        return start

    def _subject_of(self, verb: int) -> int:
        """Takes in an empty subject and its conjunction: 'while it is raining'."""
        at = verb
        if self._word(at - 1) in _PRONOUNS:
            at -= 1
            if self._word(at - 1) in ("while", "as", "when", "and", "because"):
                at -= 1
        return at

    def _phrase_end(self) -> int:
        at = self.last
        if self._word(at) == "of":
            if not self.linked and self._breaks(self._noun_start() - 1):
                return at + 1  # "[the light of] a summer evening": the rest can stand
            at += 1
            if self._word(at) in _DETERMINERS:
                at += 1
            while not self._ends_phrase(at):
                at += 1
        word = self._word(at)
        if self.linked and self.first + 1 < self.last and word not in ("which", "that", "who"):
            return at
        if word in ("which", "that", "who"):
            while not self._breaks(at):
                at += 1
            return at
        if word in _COPULAS:
            at += 1
            while not self._ends_phrase(at) or self._word(at) in _DETERMINERS:
                at += 1
            while self._word(at) in _PARTICLES:
                at += 1
            return at
        if word in _VERBS or (self._is_participle(at) and not self._breaks(at)):
            acting = word not in _VERBS
            at += 1
            while self._word(at) in _PARTICLES or self._word(at).endswith("ly"):
                at += 1
            if acting and self._word(at) in ("from", "into"):
                at += 1
                if self._word(at) in _DETERMINERS:
                    at += 1
                while not self._ends_phrase(at) or self._word(at) == "of" or self._word(at - 1) == "of":
                    at += 1
        return at


def _join(left: str, right: str) -> str:
    """Both sides of a cut, without words that are left hanging between them."""
    left, right = left.rstrip(), right.lstrip()
    if left.endswith((".", "!", "?")) and right[:1].islower():
        right = right[:1].upper() + right[1:]
    if not left or left.endswith((".", "!", "?", ";")):
        right = right.lstrip(",.;!? ") if right[:1] in ",.;!?" and right.strip(",.;!? ") else right
    if not right or not right[0].isalnum() or _LEADING_LINK.match(right) or re.match(r"and\b", right, re.I):
        kept = left
        while kept and _DANGLING.search(kept):
            kept = _DANGLING.sub("", kept).rstrip()
        # a preposition before "and" or a comma hangs; one that the user wrote before a preposition may stand
        left = kept if not _LEADING_LINK.match(right) or not re.search(r"\b(?:up|down|out)$", left) else left
    if not left or left.endswith((",", ".", ";", "!", "?")):
        right = re.sub(r"^(?:and|or|but)\s+", "", right, flags=re.IGNORECASE)
        right = re.sub(r"^[,;]\s*", "", right) if not left else right
    if right[:1].isalnum() or right[:1] == "'":
        return (_agree(f"{left} " if left else "", right)) + right
    return left + right


def _capital(before: str, after: str) -> str:
    """A sentence that began with a capital still does."""
    stripped = after.lstrip(" ,;")
    if before[:1].isupper() and stripped[:1].islower():
        return stripped[:1].upper() + stripped[1:]
    return after


def _agree(left: str, right: str) -> str:
    """Make an indefinite article at the end of `left` fit the word that follows."""
    match = re.search(r"(?:^|(?<=\W))(a|an)(\s+)$", left, re.IGNORECASE)
    if match is None:
        return left
    vowel = right[:1].lower() in "aeiou" and not re.match(r"(?:uni|one\b|once\b|eu|ewe)", right, re.IGNORECASE)
    article = match[1][0] + ("n" if vowel else "")
    return left[: match.start()] + article + match[2]


def _tidy(text: str) -> str:
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r"\s*,(?:\s*,)+\s*", ", ", text)
    text = re.sub(r"\s+([,.;!?])", r"\1", text)
    text = re.sub(r",(?=[^\s\d])", ", ", text)
    text = re.sub(r",\s*(?=[.;!?])", "", text)
    return text.strip(" ,\t\n")

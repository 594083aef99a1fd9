"""Birds, a fish and a butterfly, drawn in the local units of `figures`."""

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, line, path
from emofeedback.scenes.draw.faces import DARK, PALE, drop, eye, eyes, face, mouth, moved, pair


def _beak(ink: Ink, x: float, y: float, w: float, colour: str) -> str:
    """A beak that points at the viewer: closed, or open with the tongue showing; its corners smile or droop."""
    lit, dark = ink(colour), ink.shade(colour, 0.7)
    if ink.pose in ("cheering", "alarmed"):
        deep = 1.7 if ink.pose == "cheering" else 2.1
        return (
            path(f"M{x - w},{y} H{x + w} L{x},{y + deep * w:.1f}Z", dark)
            + path(f"M{x - 0.66 * w:.1f},{y} H{x + 0.66 * w:.1f} L{x},{y + (deep - 0.5) * w:.1f}Z", ink("#8a1c26"))
            + path(f"M{x - w},{y} L{x},{y - 0.9 * w:.1f} L{x + w},{y}Z", lit)
        )
    bend = {"smiling": -0.45, "downcast": 0.5}.get(ink.pose, 0.0) * w
    return path(
        f"M{x - 0.9 * w:.1f},{y} L{x},{y - 0.8 * w:.1f} L{x + 0.9 * w:.1f},{y} L{x},{y + 1.2 * w:.1f}Z", lit
    ) + line(
        f"M{x - 0.95 * w:.1f},{y + bend:.1f} Q{x},{y - 1.1 * bend + 0.3 * w:.1f} {x + 0.95 * w:.1f},{y + bend:.1f}",
        dark,
        1.8,
    )


_WINGS = {"plain": 0.0, "smiling": 16.0, "cheering": 137.0, "downcast": -6.0, "asleep": -4.0, "alarmed": 76.0}
"""Degrees by which hanging wings are lifted."""


_PLUMAGE = {
    None: ("#7a6250", "#e4512f", PALE, "#f5b52e"),
    "gull": ("#a9b6c4", "#fbfbf7", "#ffffff", "#f2a722"),
    "crow": ("#2b2c36", "#41424f", "#383944", "#8a8c96"),
    "parrot": ("#2f9e4a", "#e8342f", "#f7c52d", "#454550"),
    "chicken": ("#f6efe2", "#fbf7ee", "#ffffff", "#f5b52e"),
    "penguin": ("#262b36", "#f7f8fa", "#ffffff", "#f39a2c"),
}
"""Back, breast, belly and beak of a kind of bird, unlit."""


def draw_bird(ink: Ink) -> str:
    """A big round robin that looks at the viewer: red breast, brown back, yellow beak; other birds by their plumage."""
    plain, breast, under, beak = _PLUMAGE[ink.kind]
    back = ink.own(plain)
    wing = path("M-6,-4 C6,-8 17,2 16,20 C15,32 8,38 4,40 C-2,30 -8,12 -6,-4Z", ink.shade(back, 0.68))
    sits, bowed = ink.pose == "asleep", ink.pose == "downcast"
    legs = "" if sits else line("M-9,-14 V-2.2 M-15,-2.2 H-3 M9,-14 V-2.2 M3,-2.2 H15", ink("#4a3226"), 4)
    drop = 5.0 if sits else 0.0
    body = path(
        "M0,-66 C24,-66 33,-46 32,-34 C31,-18 18,-9 0,-9 C-18,-9 -31,-18 -32,-34 C-33,-46 -24,-66 0,-66Z", ink(back)
    )
    belly = path("M-24,-30 C-22,-54 22,-54 24,-30 C22,-16 10,-11 0,-11 C-10,-11 -22,-16 -24,-30Z", ink(breast)) + path(
        "M-19,-21 C-10,-27 10,-27 19,-21 C13,-13 6,-11 0,-11 C-6,-11 -13,-13 -19,-21Z", ink(under)
    )
    crest = path("M-11,-19 L-13,-33 L-4,-24 L0,-36 L4,-24 L13,-33 L11,-19Z", ink(back)) if ink.pose == "alarmed" else ""
    comb = (
        circle(-7, -22, 5.4, ink("#d8332c")) + circle(0, -25, 6.4, ink("#d8332c")) + circle(7, -22, 5.4, ink("#d8332c"))
    )
    head = (
        crest
        + (comb if ink.kind == "chicken" else "")
        + circle(0, 0, 23, ink(back))
        + path("M-19,5 C-17,-9 -4,-8 0,-1 C4,-8 17,-9 19,5 C17,20 8,23 0,23 C-8,23 -17,20 -19,5Z", ink(breast))
        + _beak(ink, 0, 5.5, 8, beak)
        + eyes(ink, 10, -5, 3.1, back if ink.kind is None else breast)
        + _tear(ink, 12, 1, 3.4)
    )
    x, y, turn = {"downcast": (4, -46, 14), "asleep": (3, -48, 12), "cheering": (0, -66, -6)}.get(ink.pose, (0, -63, 0))
    if ink.pose == "smiling":
        turn = 9
    wings = pair(moved(wing, 0, 0, 0, 0.78 if ink.pose == "alarmed" else 1.0), 24, -46, -_WINGS[ink.pose])
    over = ink.pose in ("plain", "downcast", "asleep", "smiling")
    whole = (body + belly + wings) if over else (wings + body + belly)
    size = 0.9 if ink.pose in ("cheering", "alarmed") else 1.06
    tail = "" if sits else path("M-8,-16 L-12,-3 H12 L8,-16Z", ink.shade(back, 0.5))
    return moved(tail + legs + moved(whole + moved(head, x, y, turn), 0, drop - (2 if bowed else 0)), 0, 0, 0, size)


def draw_owl(ink: Ink) -> str:
    """A brown owl on a short stump: ear tufts, two big eye discs."""
    coat, disc = ink.own("#8a5a34"), "#f3ddb3"
    opened = ink.pose in ("cheering", "alarmed")
    wing = path("M-6,-6 C6,-8 14,4 12,22 C11,34 2,40 -4,42 C-10,28 -10,10 -6,-6Z", ink.shade(coat, 0.62))
    stump = (
        path("M-19,0 L-16,-16 H16 L20,0Z", ink("#6e5a4c"))
        + path("M4,0 L5,-16 H16 L20,0Z", ink("#463831"))
        + ellipse(0, -16, 17, 4, ink("#c9ab86"))
    )
    body = path("M-22,-60 C-30,-36 -20,-16 0,-15 C20,-16 30,-36 22,-60Z", ink(coat)) + ellipse(
        0, -34, 14, 18, ink(disc)
    )
    body += line("M-6,-38 L0,-34 L6,-38 M-6,-28 L0,-24 L6,-28", ink.shade(coat, 0.85), 2.6)
    tuft = path("M-7,4 L4,-17 L8,6Z", ink(coat))
    fall = {"downcast": 70.0, "asleep": 30.0, "alarmed": -14.0}.get(ink.pose, 4.0)
    head = pair(tuft, 15, -12, fall) + ellipse(0, 0, 26, 20, ink(coat))
    for x in (-10.5, 10.5):
        head += circle(x, -1, 11.5, ink(disc))
        if ink.pose in ("plain", "smiling", "alarmed"):
            head += circle(x, -1, 8.4, ink("#ffb81c"))
    head += _beak(ink, 0, 8, 5.8, "#d9822b") + eyes(ink, 10.5, -1, 4.0, disc) + _tear(ink, 14, 5, 3.8)
    x, y, turn = {"downcast": (3, -54, 12), "asleep": (3, -58, 12), "smiling": (0, -68, 10)}.get(ink.pose, (0, -68, 0))
    return moved(
        stump
        + pair(moved(wing, 0, 0, 0, 0.76 if opened else 1.0), 21, -54, -_WINGS[ink.pose])
        + body
        + moved(head, x, y, turn),
        0,
        0,
        0,
        0.95 if opened else 0.98,
    )


def _tear(ink: Ink, x: float, y: float, r: float) -> str:
    """The tear of those whose beak or one eye cannot look sad enough."""
    if ink.pose != "downcast":
        return ""
    return drop(ink, x, y, r)


def _upright(pose: str, turn: float) -> float:
    """Turn of the eye in a head turned by `turn` degrees, so that a sad brow still falls backwards."""
    return -turn if pose == "downcast" else 0.0


def _bill(ink: Ink, colour: str, w: float, h: float) -> str:
    """A flat bill in profile, its root at the origin: closed with a smiling or drooping corner, or open."""
    lit, dark = ink(colour), ink.shade(colour, 0.72)
    if ink.pose in ("cheering", "alarmed"):
        return (
            path(
                f"M0,{-0.2 * h:.1f} L{0.8 * w:.1f},{-0.2 * h:.1f} L{0.7 * w:.1f},{1.1 * h:.1f} L0,{0.8 * h:.1f}Z",
                ink("#8a1c26"),
            )
            + path(
                f"M-2,{0.4 * h:.1f} Q{0.5 * w:.1f},{h:.1f} {0.86 * w:.1f},{0.9 * h:.1f} "
                f"Q{0.6 * w:.1f},{1.7 * h:.1f} -3,{h:.1f}Z",
                dark,
            )
            + path(
                f"M-2,{-0.8 * h:.1f} Q{0.5 * w:.1f},{-0.8 * h:.1f} {w},{-0.9 * h:.1f} "
                f"Q{w},{-0.1 * h:.1f} -2,{0.2 * h:.1f}Z",
                lit,
            )
        )
    bend = {"smiling": -0.75, "downcast": 0.6}.get(ink.pose, 0.1) * h
    return path(
        f"M-2,{-0.8 * h:.1f} Q{0.5 * w:.1f},{-0.5 * h:.1f} {w},{-0.1 * h:.1f} Q{w + 1:.1f},{0.7 * h:.1f} "
        f"{0.5 * w:.1f},{0.8 * h:.1f} L-2,{0.9 * h:.1f}Z",
        lit,
    ) + line(f"M-3,{bend:.1f} Q{0.35 * w:.1f},{0.6 * h:.1f} {0.86 * w:.1f},{0.25 * h:.1f}", dark, 2.4)


def _waterfowl(
    ink: Ink, coat: str, neck_colour: str, neck: float, thick: float, r: float, bill: str, wing_tone: float
) -> str:
    """Duck and swan: a boat-shaped body, a neck of length `neck` and a head of radius r in profile.

    coat, neck_colour: unlit.
    """
    pose = ink.pose
    body = path(
        "M-42,-36 C-36,-30 -24,-34 -10,-34 C6,-34 22,-32 26,-18 C28,-4 16,0 2,0 H-14 C-32,0 -40,-14 -42,-36Z", ink(coat)
    ) + path("M-40,-24 C-30,-10 0,-8 26,-16 C27,-3 16,0 2,0 H-14 C-30,0 -37,-10 -40,-24Z", ink.shade(coat, 0.8))
    wing = path("M16,-2 C8,-14 -14,-15 -34,-10 C-30,4 -8,14 8,10 C14,8 18,4 16,-2Z", ink.shade(coat, wing_tone))
    lift = {"cheering": 62.0, "alarmed": 38.0, "smiling": 12.0, "downcast": -8.0}.get(pose, 0.0)
    if pose in ("cheering", "alarmed"):
        wing = moved(wing, 10, -25, lift, 1.45) + moved(wing, 3, -25, lift + 22, 1.3)
    else:
        wing = moved(wing, 4, -21, lift)
    # head: centre and turn; neck: control point on its way from the breast
    hx, hy, turn, cx, cy = {
        "plain": (24, -30 - neck, 0, 14, -24 - 0.8 * neck),
        "smiling": (22, -33 - neck, -12, 12, -26 - 0.8 * neck),
        "cheering": (24, -34 - neck, -28, 16, -26 - 0.7 * neck),
        "downcast": (30, -25 - 0.12 * neck, 30, 28, -40 - 0.5 * neck),
        "asleep": (6, -34, 14, 38, -34 - 0.5 * neck),
        "alarmed": (26, -28 - 0.9 * neck, 2, 0, -24 - 0.8 * neck),
    }[pose]
    curve = f"M17,-17 Q{cx},{cy:.1f} {hx},{hy:.1f}"
    cheek = ellipse(2, 0.5 * r, 0.3 * r, 0.22 * r, ink("#f0686a"), 0.8) if pose in ("smiling", "cheering") else ""
    head = moved(_bill(ink, bill, 1.12 * r, 0.5 * r), 0.78 * r, 0.2 * r) + circle(0, 0, r, ink(neck_colour)) + cheek
    head += moved(
        eye(ink, 0, 0, 0.23 * r, neck_colour) + _tear(ink, 0, 0.4 * r, 0.2 * r),
        0.3 * r,
        -0.22 * r,
        _upright(pose, turn),
    )
    ruffle = ""
    if pose == "alarmed":
        ruffle = path(
            f"M{-0.6 * r:.1f},{-0.6 * r:.1f} L{-1.5 * r:.1f},{-1.2 * r:.1f} L{-0.4 * r:.1f},{-0.95 * r:.1f} "
            f"L{-0.7 * r:.1f},{-1.75 * r:.1f} L{0.3 * r:.1f},{-0.9 * r:.1f}Z",
            ink(neck_colour),
        )
    front = line(curve, ink(neck_colour), thick) + moved(ruffle + head, hx, hy, turn)
    behind = wing if pose in ("cheering", "alarmed") else ""
    return behind + body + ("" if behind else wing) + front


def draw_duck(ink: Ink) -> str:
    """A big yellow duck with an orange bill."""
    coat = ink.own("#f6c52b")
    return moved(_waterfowl(ink, coat, coat, 17, 23, 20, "#f0741f", 0.82), -7.5, 0, 0, 0.9)


def draw_swan(ink: Ink) -> str:
    """A white swan: a long curved neck, an orange bill."""
    coat = ink.own("#f8f6f2")
    return moved(_waterfowl(ink, coat, coat, 40, 11.5, 14, "#ee7a24", 0.88), -4)


def draw_fish(ink: Ink) -> str:
    """A large orange fish above the ground: it leaps when it is glad and lies low when it is sad or asleep."""
    coat = ink.own("#f08a24")
    fin = ink.shade(coat, 0.68)
    x, y, turn, size = {
        "plain": (0, -46, 0, 1.0),
        "smiling": (2, -50, -12, 0.96),
        "cheering": (0, -52, -38, 0.92),
        "downcast": (0, -32, 20, 0.96),
        "asleep": (0, -27, 0, 1.0),
        "alarmed": (0, -48, 6, 1.0),
    }[ink.pose]
    spines = (
        "M-20,-20 L-16,-38 L-8,-26 L-2,-41 L6,-27 L12,-38 L18,-20Z"
        if ink.pose == "alarmed"
        else ("M-20,-20 C-14,-36 6,-36 16,-22Z" if ink.pose != "downcast" else "M-22,-18 C-18,-27 0,-27 10,-23Z")
    )
    fish = (
        path("M-24,0 L-48,-22 C-44,-8 -44,8 -48,22Z", fin)
        + path(spines, fin)
        + path("M-32,0 C-20,-32 26,-36 46,-2 C28,32 -18,30 -32,0Z", ink(coat))
        + path("M-32,0 C-10,16 24,14 46,-2 C28,32 -18,30 -32,0Z", ink.shade(coat, 1.25))
        + path("M0,-26 C8,-12 8,10 0,25 L-8,24 C-1,10 -1,-12 -8,-25Z", ink(PALE))
        + path("M-4,6 C-14,6 -20,14 -18,22 C-8,22 0,16 2,10Z", fin)
        + mouth(ink, 30, 9.5, 7.5, coat)
        + (ellipse(20, 6, 5, 3.4, ink("#f0505a"), 0.8) if ink.pose in ("smiling", "cheering") else "")
        + moved(eye(ink, 0, 0, 5.2, coat), 24, -7, _upright(ink.pose, turn))
        + moved(_tear(ink, 0, 4, 3.4), 16, -3, -turn)
    )
    return moved(fish, x, y, turn, size)


def draw_butterfly(ink: Ink) -> str:
    """A big butterfly above the ground: orange fore wings, magenta hind wings, a round face."""
    upper, lower = ink.own("#ff8a1f"), ink.shade(ink.own("#ff8a1f"), 0.6) if ink.coat else ink("#dd3a94")
    rim = ink("#3a1c2c")
    skin = "#f6d08a"
    # turn of the fore wings, of the hind wings, width of both, height of the body's middle
    fore, hind, width, y = {
        "plain": (0, 0, 1.0, -50),
        "smiling": (-8, -4, 1.0, -53),
        "cheering": (-30, -24, 0.94, -44),
        "downcast": (58, 34, 0.8, -46),
        "asleep": (64, 40, 0.55, -44),
        "alarmed": (14, -22, 0.93, -50),
    }[ink.pose]
    wings = ""
    for side in (-1, 1):
        rear = path("M2,2 C16,0 38,4 36,20 C34,36 14,38 8,26 C4,18 2,10 2,2Z", rim) + path(
            "M5,6 C16,5 31,9 29,19 C27,29 16,29 12,22 C8,16 6,11 5,6Z", lower
        )
        front = path("M2,4 C2,-16 14,-40 40,-40 C50,-38 46,-4 34,2 C24,7 12,6 2,4Z", rim)
        front += path("M6,0 C7,-14 18,-33 36,-34 C41,-30 39,-8 30,-3 C22,1 12,2 6,0Z", ink(upper))
        front += circle(31, -24, 4.6, ink("#fff0c8"))
        wings += f'<g transform="scale({side * width} 1)">{moved(rear, 0, 0, hind)}{moved(front, 0, 0, fore)}</g>'
    tips = {"downcast": ("-15,-2", "15,-2"), "asleep": ("-14,-4", "14,-4"), "alarmed": ("-14,-22", "14,-22")}.get(
        ink.pose, ("-10,-24", "10,-24")
    )
    head = (
        line(f"M-3,-8 Q-6,-18 {tips[0]} M3,-8 Q6,-18 {tips[1]}", ink(DARK), 2.6)
        + circle(0, 0, 11.5, ink(skin))
        + face(ink, 4.6, -1.6, 1.9, 5.4, 3.6, skin)
    )
    body = line("M0,-6 V26", ink(DARK), 7)
    bowed = {"downcast": (2, -10, 16), "asleep": (2, -12, 12)}.get(ink.pose, (0, -16, 0))
    return moved(wings + body + moved(head, *bowed), 0, y)

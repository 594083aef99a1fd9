"""Animals, drawn in the local units of `figures`; those with a side face right."""

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, line, path, rect

DARK = "#241d22"


def draw_dog(ink: Ink) -> str:
    """A brown-orange dog: floppy ears, round muzzle, tail up, red collar."""
    coat, ear = "#cf7a2e", "#7a3d17"
    far = ink.shade(coat, 0.62)
    return (
        line("M-33,-44 C-44,-50 -46,-62 -41,-72", ink(coat), 8)
        + path("M-22,-30 H-12 V0 H-21Z M4,-30 H14 V0 H5Z", far)
        + path(
            "M-38,-42 C-38,-52 -30,-53 -20,-52 L14,-54 C26,-52 27,-40 24,-30 L23,0 H13 L12,-22 "
            "C2,-19 -12,-20 -22,-23 L-24,0 H-35 L-34,-20 C-38,-26 -39,-34 -38,-42Z",
            ink(coat),
        )
        + path("M-22,-23 C-12,-20 2,-19 12,-22 L13,-30 C2,-26 -14,-26 -24,-31Z", far)
        + path("M13,-50 L17,-24 C25,-28 27,-40 26,-48Z", ink("#f6e3c2"))
        + line("M11,-46 Q20,-41 29,-44", ink("#d3262b"), 5)
        + circle(23, -59, 15.5, ink(coat))
        + path("M28,-66 C38,-66 48,-62 48,-54 C48,-46 38,-44 27,-45Z", ink("#f6e3c2"))
        + circle(46, -58, 4.6, ink(DARK))
        + circle(29, -63, 2.8, ink(DARK))
        + path("M20,-74 C8,-76 3,-64 5,-48 C6,-40 17,-40 18,-48 C19,-56 24,-66 20,-74Z", ink(ear))
    )


def draw_cat(ink: Ink) -> str:
    """A dark grey cat that sits and looks out: pointed ears, pale face and chest, tail up."""
    coat = "#4c4a5c"
    pale = ink("#f4efe6")
    eyes = ink.grade("#d6e04a")
    return (
        line("M-14,-8 C-40,-4 -42,-26 -34,-40 C-28,-52 -30,-62 -38,-66", ink.shade(coat, 0.8), 9)
        + path("M-20,-2 C-26,-26 -16,-44 -10,-56 H12 C20,-44 28,-26 22,-2 Q21,0 18,0 H-17Z", ink(coat))
        + path("M6,-56 H12 C20,-44 28,-26 22,-2 Q21,0 18,0 H6Z", ink.shade(coat, 0.66))
        + path("M-8,-54 H10 C12,-40 8,-28 1,-26 C-6,-28 -10,-40 -8,-54Z", pale)
        + ellipse(-6, -4, 7, 4.4, pale)
        + ellipse(9, -4, 7, 4.4, pale)
        + path("M-21,-66 L-20,-95 L-6,-82 H8 L22,-95 L23,-66 C23,-52 12,-47 1,-47 C-10,-47 -21,-52 -21,-66Z", ink(coat))
        + path("M8,-82 L22,-95 L23,-66 C23,-52 12,-47 4,-47 C14,-56 14,-72 8,-82Z", ink.shade(coat, 0.7))
        + path("M-17,-76 L-17,-88 L-9,-80Z M19,-76 L19,-88 L11,-80Z", ink("#d98c92"))
        + ellipse(1, -56, 10, 7.5, pale)
        + ellipse(-9, -68, 4.6, 5, eyes)
        + ellipse(11, -68, 4.6, 5, eyes)
        + rect(-10.4, -72, 2.8, 8, ink(DARK), radius=1.4)
        + rect(9.6, -72, 2.8, 8, ink(DARK), radius=1.4)
        + path("M-3,-61 H5 L1,-56Z", ink("#c9636b"))
    )


def draw_horse(ink: Ink) -> str:
    """A chestnut horse with a dark mane and tail, one foreleg raised."""
    coat, mane = "#9a4a22", "#33180f"
    far = ink.shade(coat, 0.6)
    return (
        path("M-36,-66 C-49,-64 -51,-44 -47,-18 C-40,-28 -34,-44 -31,-60Z", ink(mane))
        + path("M-28,-45 L-17,-24 L-19,0 H-11 L-10,-26 L-12,-44Z M18,-46 L31,-32 L27,-13 L33,-10 L38,-34 L26,-52Z", far)
        + path(
            "M-37,-58 C-38,-69 -28,-71 -18,-69 C-6,-66 4,-66 11,-71 C17,-82 24,-91 31,-95 L33,-101 L37,-95 "
            "C42,-90 46,-83 50,-76 C51,-71 46,-69 43,-71 C40,-74 37,-75 34,-76 C31,-68 30,-58 27,-50 "
            "C25,-45 22,-42 19,-41 L20,-22 L19,0 H11 L12,-22 L8,-39 C0,-36 -12,-37 -19,-41 "
            "C-20,-34 -25,-28 -24,-22 L-25,0 H-34 L-33,-22 C-37,-32 -38,-45 -37,-58Z",
            ink(coat),
        )
        + path("M8,-39 C0,-36 -12,-37 -19,-41 L-24,-26 C-30,-40 -26,-48 -18,-48 C-4,-46 8,-46 19,-52 L19,-41Z", far)
        + path("M11,-24 L12,0 H19 L20,-24Z M-33,-22 L-34,0 H-25 L-24,-22Z", far)
        + path("M32,-98 C22,-96 10,-84 5,-66 C12,-65 19,-69 22,-77 C26,-84 30,-88 36,-90Z", ink(mane))
        + path("M38,-92 C43,-88 47,-81 49,-77 L45,-76 C43,-80 39,-86 36,-88Z", ink("#f4e6d2"))
        + path("M11,-5 H19 V0 H11Z M-34,-5 H-25 V0 H-34Z", ink(mane))
    )


def draw_deer(ink: Ink) -> str:
    """A tan stag: wide pale antlers, white belly, throat and rump, thin legs."""
    coat = "#c98d4e"
    white = ink("#fbf1de")
    far = ink.shade(coat, 0.6)
    horn = ink("#5c3820")
    return (
        line("M25,-76 C14,-80 8,-88 11,-98 M13,-85 L4,-92 M18,-80 L20,-94", horn, 4)
        + line("M30,-77 C40,-82 46,-88 43,-98 M41,-84 L50,-91 M35,-80 L32,-95", horn, 4)
        + path("M-25,-32 L-16,-18 L-17,0 H-11 L-10,-20 L-12,-34Z M8,-34 L19,-18 L20,0 H26 L25,-20 L20,-36Z", far)
        + path(
            "M-36,-46 C-36,-54 -28,-56 -18,-54 C-6,-51 4,-52 10,-55 C15,-61 18,-68 22,-74 C27,-79 34,-78 38,-74 "
            "L47,-67 C48,-63 44,-61 40,-62 L33,-62 C31,-54 28,-46 24,-40 C22,-36 18,-34 16,-34 L16,-18 L17,0 "
            "H10 L9,-18 L7,-33 C0,-30 -10,-31 -18,-34 L-21,-17 L-20,0 H-27 L-28,-17 C-32,-26 -37,-36 -36,-46Z",
            ink(coat),
        )
        + path("M-18,-34 C-10,-31 0,-30 7,-33 L16,-34 L20,-38 C8,-40 -8,-37 -24,-42 L-27,-30Z", white)
        + path("M33,-62 C31,-54 28,-46 24,-40 C22,-46 24,-58 29,-64Z", white)
        + path("M-36,-46 C-36,-51 -33,-54 -29,-54 C-27,-48 -30,-40 -34,-36Z", white)
        + path("M24,-74 L10,-72 C12,-66 18,-65 23,-68Z", far)
        + circle(45, -65.5, 3.2, ink(DARK))
        + circle(33, -71, 2.2, ink(DARK))
    )


def draw_wolf(ink: Ink) -> str:
    """A blue-grey wolf that howls: muzzle to the sky, thick ruff, bushy tail hanging."""
    coat = "#74839a"
    pale = ink("#dfe6ee")
    far = ink.shade(coat, 0.55)
    return (
        path("M-30,-50 C-44,-48 -52,-30 -49,-8 C-40,-12 -30,-24 -25,-38Z", ink.shade(coat, 0.7))
        + path("M-24,-34 L-14,-20 L-17,0 H-8 L-6,-22 L-8,-34Z M10,-34 L24,-20 L24,0 H33 L32,-22 L26,-36Z", far)
        + path(
            "M-35,-46 C-33,-55 -20,-55 -8,-54 L-2,-60 L2,-58 L5,-68 L9,-66 L12,-75 L1,-88 L18,-85 "
            "C24,-90 33,-95 41,-100 L47,-95 L34,-82 L46,-84 L46,-79 L38,-71 L37,-62 L33,-62 L33,-50 L28,-48 "
            "C27,-40 23,-34 19,-32 L20,0 H10 L9,-27 C0,-26 -10,-28 -18,-33 L-24,-20 L-23,0 H-33 L-33,-20 "
            "C-36,-28 -37,-38 -35,-46Z",
            ink(coat),
        )
        + path("M34,-82 L46,-84 L46,-79 L38,-71 L37,-62 L33,-62 L33,-50 L28,-48 L24,-36 C20,-50 24,-70 32,-82Z", pale)
        + path("M9,-27 C0,-26 -10,-28 -18,-33 L-22,-24 C-30,-34 -22,-40 -10,-38 C4,-36 14,-38 20,-44 L19,-32Z", far)
        + circle(44, -98, 3.4, ink(DARK))
        + line("M24,-84 L29,-87", ink(DARK), 3)
    )


def draw_bird(ink: Ink) -> str:
    """A big robin: round body, red breast, brown back, beak, cocked tail."""
    back = "#6b5546"
    return (
        line("M0,-16 L-2,-2 H8 M14,-16 L13,-2 H23", ink("#3c2a22"), 4)
        + path("M-20,-42 L-49,-66 L-41,-38 L-22,-22Z", ink.shade(back, 0.7))
        + path(
            "M-26,-30 C-26,-52 -8,-66 6,-76 C20,-84 38,-76 38,-58 C40,-30 26,-10 4,-10 C-12,-10 -24,-18 -26,-30Z",
            ink(back),
        )
        + path("M20,-72 C30,-76 38,-68 38,-58 C40,-36 28,-26 14,-26 C4,-40 6,-62 20,-72Z", ink("#e4412b"))
        + path(
            "M14,-26 C28,-26 36,-34 38,-48 C38,-26 24,-10 4,-10 C-8,-10 -18,-14 -22,-20 C-8,-20 4,-22 14,-26Z",
            ink("#f5e9d6"),
        )
        + path("M-24,-42 C-14,-52 2,-54 8,-46 C8,-30 -10,-20 -34,-26Z", ink.shade(back, 0.62))
        + path("M36,-68 L51,-61 L36,-56Z", ink("#f0a92b"))
        + circle(25, -66, 4, ink(DARK))
        + circle(26.2, -67.2, 1.3, ink("#ffffff"))
    )


def draw_owl(ink: Ink) -> str:
    """A brown owl that looks out from a short stump: ear tufts, two big eye discs."""
    coat, disc = "#8a5a34", "#f3ddb3"
    eye = ink.grade("#ffb81c")
    parts = (
        path("M-19,0 L-16,-20 H16 L20,0Z", ink("#6e5a4c"))
        + path("M4,0 L5,-20 H16 L20,0Z", ink("#463831"))
        + ellipse(0, -20, 17, 4, ink("#c9ab86"))
        + path(
            "M-24,-62 L-26,-97 L-10,-88 H10 L26,-97 L24,-62 C30,-40 20,-20 0,-18 C-20,-20 -30,-40 -24,-62Z", ink(coat)
        )
        + ellipse(0, -40, 14, 18, ink(disc))
        + path("M-26,-60 C-34,-42 -28,-26 -12,-20 C-16,-34 -16,-48 -22,-60Z", ink.shade(coat, 0.75))
        + path("M26,-60 C34,-42 28,-26 12,-20 C16,-34 16,-48 22,-60Z", ink.shade(coat, 0.52))
        + line("M-6,-42 L0,-38 L6,-42 M-6,-32 L0,-28 L6,-32", ink.shade(coat, 0.85), 2.6)
    )
    for x in (-11.5, 11.5):
        parts += circle(x, -70, 12.5, ink(disc)) + circle(x, -70, 8.6, eye) + circle(x, -70, 4.8, ink(DARK))
    return parts + path("M-5,-65 H5 L0,-53Z", ink("#d9822b"))


def draw_butterfly(ink: Ink) -> str:
    """A big butterfly that hovers above the ground: orange fore wings, magenta hind wings."""
    upper, lower = "#ff8a1f", "#dd3a94"
    wings = ""
    for side, tone in ((-1, 1.0), (1, 0.8)):
        wings += f'<g transform="translate(0 -54) scale({side} 1)">'
        wings += path("M2,2 C16,0 38,4 36,20 C34,36 14,38 8,26 C4,18 2,10 2,2Z", ink.shade(lower, 0.5))
        wings += path("M4,5 C16,4 32,8 30,19 C28,30 15,30 11,23 C7,17 5,11 4,5Z", ink.shade(lower, tone))
        wings += path("M2,4 C2,-16 16,-44 42,-44 C52,-42 48,-4 34,2 C24,7 12,6 2,4Z", ink("#3a1c2c"))
        wings += path("M5,1 C6,-14 18,-36 37,-37 C43,-34 40,-8 30,-3 C22,1 12,2 5,1Z", ink.shade(upper, tone))
        wings += circle(33, -26, 4.4, ink("#fff0c8")) + "</g>"
    body = line("M0,-64 V-30", ink(DARK), 6) + circle(0, -67, 4.4, ink(DARK))
    feelers = line("M-1,-69 C-4,-78 -8,-82 -12,-84 M1,-69 C4,-78 8,-82 12,-84", ink(DARK), 2.6)
    return f'<g transform="rotate(12 0 -54)">{wings}{feelers}{body}</g>'

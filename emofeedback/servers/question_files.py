"""Questions to language models: templates kept as data files, and people's words made harmless inside of them."""

from functools import cache
from importlib import resources
from string import Template

from emofeedback.affect import Affect, nearest_emotion


def plain(text: str) -> str:
    """A person's words on one line and without the marks that chat templates give a meaning."""
    return " ".join(text.replace("<", " ").replace(">", " ").replace('"', "'").split())


def point_text(affect: Affect) -> str:
    """A point for a language model: numbers on [-1, 1] and the nearest named emotion."""
    return (
        f"valence {affect.valence:+.2f} (-1 unpleasant .. 1 pleasant), "
        f"arousal {affect.arousal:+.2f} (-1 calm .. 1 excited), near {nearest_emotion(affect)!r}"
    )


def fill(package: str, name: str, **variables: str) -> str:
    """The template prompts/NAME.txt of a package with its variables put in; lines left empty go.

    Raises:
        ValueError: the variables are not exactly those that the template names.
    """
    template = _template(package, name)
    wanted = set(template.get_identifiers())
    if wanted != set(variables) or not template.is_valid():
        raise ValueError(f"prompts/{name}.txt needs {sorted(wanted)}, not {sorted(variables)}")
    return "\n".join(line for line in template.substitute(variables).strip().splitlines() if line.strip())


@cache
def _template(package: str, name: str) -> Template:
    return Template(resources.files(package).joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8"))

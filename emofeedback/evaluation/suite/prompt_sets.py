"""The prompts of a suite: unseen scenes of the bundled world, 132 everyday sentences, or a person's own file."""

from importlib import resources
from pathlib import Path

from emofeedback.errors import UserError
from emofeedback.files.read_bounded import read_bounded
from emofeedback.files.text_file import decoded
from emofeedback.text import prompt_lines

EVERYDAY = "everyday"
MOST_BYTES = 2**20


def prompt_set(name: str | None, count: int, seed: int) -> tuple[str, ...]:
    """`count` prompts, or all of a set that has fewer.

    Args:
        name: None = places and subjects of the scene world that no training has seen, by the seed; "everyday" = the
            sentences that ship, for generators of open vocabulary; else a file with a prompt a line.

    Raises:
        UserError: the file cannot be read or holds fewer than two prompts.
    """
    if name is None:
        from emofeedback.evaluation.protocols.generator_and_judge import held_out_prompts  # loads numpy and scipy

        return tuple(held_out_prompts(count, seed))
    if name == EVERYDAY:
        text = resources.files("emofeedback.evaluation.suite").joinpath("everyday.txt").read_text(encoding="utf-8")
    else:
        try:
            text = decoded(read_bounded(Path(name), MOST_BYTES), name)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"The prompts {name} cannot be read ({reason}); give a text file or 'everyday'.") from None
    found = prompt_lines(text)[:count]
    if len(found) < 2:
        raise UserError(f"{name} holds {len(found)} prompts; a suite needs two or more, a line each.")
    return found

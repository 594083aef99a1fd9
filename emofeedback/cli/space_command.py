"""`space`: a folder that is ready to push as a Hugging Face Space."""

from emofeedback.cli.console import CommandResult, Console, UsageError, usage
from emofeedback.cli.space_options import SpaceOptions
from emofeedback.deploy.space import HARDWARE, write_space


def run(arguments: SpaceOptions, console: Console) -> CommandResult:
    """Write the folder, whole or not at all."""
    with usage():
        if arguments.hardware not in HARDWARE:
            raise UsageError(f"Unknown hardware {arguments.hardware!r}; known are {', '.join(HARDWARE)}.")
    console.progress("copying")
    space = write_space(arguments.folder, arguments.hardware, arguments.title)
    data = {
        "out": str(space.folder),
        "hardware": space.hardware,
        "files": space.files,
        "bytes": space.size,
        "largest_bytes": space.largest,
    }
    text = (
        f"{space.files} files, {space.size / 1e6:.0f} MB, are in {space.folder}; the largest has "
        f"{space.largest / 1e6:.1f} MB.\nPush it: hf upload OWNER/NAME {space.folder} . --repo-type space"
    )
    return CommandResult(data, text)

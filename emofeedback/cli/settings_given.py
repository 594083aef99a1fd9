"""The settings of a command: those of the environment, overridden by its arguments."""

import os

from emofeedback.cli.console import UsageError, usage
from emofeedback.cli.shared_options import SharedOptions
from emofeedback.settings import Settings

OVERRIDING = (
    "generator",
    "judge",
    "calibration",
    "rater",
    "adapter",
    "device",
    "threads",
    "seed",
    "out",
    "rewriter",
    "upscaler",
)


def settings_from(arguments: SharedOptions) -> Settings:
    """Settings of the environment, overridden by the arguments that were given.

    Raises:
        UsageError: one of them cannot be used.
    """
    with usage():
        given = {name: value for name in OVERRIDING if (value := getattr(arguments, name, None)) is not None}
        if getattr(arguments, "no_upscale", False):
            if "upscaler" in given:
                raise UsageError("Give either --upscaler or --no-upscale, not both.")
            given["upscaler"] = "none"
        return Settings.from_environment(os.environ).changed(**given)

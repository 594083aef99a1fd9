"""The options of `soak`."""

from dataclasses import dataclass
from typing import Annotated

from emofeedback.cli.shared_options import SharedOptions, limited, option


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakOptions(SharedOptions):
    """How many users, how long, and which studio."""

    users: Annotated[int, limited(1, 500)] = 20
    minutes: Annotated[float, limited(0.01, 10_000, "", "M")] = 3.0
    url: Annotated[str | None, option("of a studio that runs; else one is started here", "ADDRESS")] = None
    pid: Annotated[int | None, limited(1, 2**31, "of that studio, to watch its memory")] = None

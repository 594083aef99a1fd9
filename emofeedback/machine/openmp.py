"""How the CPU threads of torch wait for each other: asleep, not spinning."""

import os
from collections.abc import MutableMapping

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Of the OpenMP standard, of GNU's library (torch on Linux) and of LLVM's and Intel's (torch on macOS and Windows)."""


def wait_passively(environ: MutableMapping[str, str] = os.environ) -> None:
    """To be called before torch is imported; nothing changes where one of the three variables is set.

    A thread that spins at the end of a parallel loop takes the core that a slower thread of the same loop needs, as
    soon as another process keeps a core busy: work becomes ten times slower.
    """
    if not any(name in environ for name in PASSIVE):
        environ.update(PASSIVE)

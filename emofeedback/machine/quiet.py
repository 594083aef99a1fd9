"""What the libraries say on a terminal: warnings of the network's and the pictures', errors of the models'."""

import logging
import os

WARNINGS = ("httpx", "httpcore", "PIL")
ERRORS = ("torchao", "torch.utils._pytree")
"""On its import torchao warns of the kernels that this machine lacks, and torch of how torchao registers its enums."""


def quiet_libraries() -> None:
    """To be called before transformers and diffusers are imported; TRANSFORMERS_VERBOSITY and its like win."""
    for names, level in ((WARNINGS, logging.WARNING), (ERRORS, logging.ERROR)):
        for name in names:
            logging.getLogger(name).setLevel(level)
    for library in ("TRANSFORMERS", "DIFFUSERS"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")  # read when the library is imported

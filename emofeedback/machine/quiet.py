"""What is said on a terminal: warnings of the network's and the pictures' libraries, errors of the models', no keys."""

import logging
import os
from typing import TextIO

from emofeedback.redaction import HTTP_LOGGERS, RedactingFormatter, hide_in_logs

WARNINGS = (*HTTP_LOGGERS, "PIL")
ERRORS = ("torchao", "torch.utils._pytree")
"""On its import torchao warns of the kernels that this machine lacks, and torch of how torchao registers its enums."""


def quiet_libraries() -> None:
    """To be called before transformers and diffusers are imported; TRANSFORMERS_VERBOSITY and its like win."""
    for names, level in ((WARNINGS, logging.WARNING), (ERRORS, logging.ERROR)):
        for name in names:
            logging.getLogger(name).setLevel(level)
    for library in ("TRANSFORMERS", "DIFFUSERS"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")  # read when the library is imported


def log_to(stream: TextIO | None, form: str) -> None:
    """Set up logging from INFO on; passwords, keys and tokens stay out of every line, tracebacks included.

    Args:
        stream: None = standard error.
        form: as logging.Formatter takes it.
    """
    hide_in_logs()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])

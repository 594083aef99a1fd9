"""What the libraries say on a terminal: warnings of the network's and the pictures', errors of the models'."""

import logging
import os


def quiet_libraries() -> None:
    """To be called before transformers and diffusers are imported; TRANSFORMERS_VERBOSITY and its like win."""
    for name in ("httpx", "httpcore", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for library in ("TRANSFORMERS", "DIFFUSERS"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")  # read when the library is imported

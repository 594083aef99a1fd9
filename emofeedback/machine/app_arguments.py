"""The arguments of `app.py`: where it listens. All else is set by variables of the environment."""

import argparse
from collections.abc import MutableMapping, Sequence
from typing import NoReturn

from emofeedback.errors import UserError
from emofeedback.machine.server_port import VARIABLE, asked_port

HOST = "GRADIO_SERVER_NAME"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(
            f"{message}; app.py takes --host and --port alone, and models and limits from EMOFEEDBACK_ variables."
        )


def take_arguments(arguments: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Put what the arguments say into the environment, where gradio reads it when it is imported.

    Raises:
        UserError: an argument is not known, or is no port; one sentence.
        SystemExit: help was asked for, and shown.
    """
    parser = _Parser(
        prog="app.py",
        allow_abbrev=False,
        description="The studio as a web page. Models, folders and limits are set by EMOFEEDBACK_ variables.",
    )
    parser.add_argument("--host", metavar="NAME", help="who reaches it: 127.0.0.1 this machine (usual), 0.0.0.0 all")
    parser.add_argument("--port", metavar="N", help="where it listens; otherwise the first free one from 7860")
    given = parser.parse_args(list(arguments))
    if given.port is not None:
        asked_port({VARIABLE: given.port}, name="--port")
        environ[VARIABLE] = given.port
    if given.host is not None:
        environ[HOST] = given.host

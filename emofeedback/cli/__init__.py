"""The command line: parse, run one command, one JSON object or a short text on stdout, everything else on stderr."""

import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import Sequence

from emofeedback.cli.arguments import command_module, parser
from emofeedback.cli.console import Console, Outcome, UsageError
from emofeedback.errors import Cancelled, UserError
from emofeedback.machine.quiet import quiet_libraries

DONE, FAILED, BAD_USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the work failed, 2 bad usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed help or its one sentence
        return stop.code if isinstance(stop.code, int) else BAD_USAGE
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    quiet_libraries()
    console = Console(sys.stderr)
    try:
        # Whatever a library writes to stdout would spoil the one JSON object there.
        with contextlib.redirect_stdout(sys.stderr):
            outcome: Outcome = command_module(arguments.command).run(arguments, console)
        console.clear()
        sys.stdout.write((json.dumps(outcome.data, allow_nan=False) if arguments.json else outcome.text) + "\n")
        sys.stdout.flush()
        return DONE if outcome.done else FAILED
    except UsageError as error:
        return _fail(console, arguments.command, str(error), BAD_USAGE)
    except UserError as error:
        return _fail(console, arguments.command, str(error), FAILED)
    except (KeyboardInterrupt, Cancelled) as stop:
        message = str(stop) or "Stopped at your request; nothing half-written was left."
        return _fail(console, arguments.command, message, FAILED)
    except BrokenPipeError:
        with contextlib.suppress(OSError):  # the reader is gone; keep the interpreter from flushing to it at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except MemoryError:
        return _fail(console, arguments.command, "There is not enough memory; ask for fewer pictures at once.", FAILED)
    except Exception as error:
        if os.environ.get("EMOFEEDBACK_DEBUG"):
            raise
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        message = f"This failed unexpectedly ({what}); set EMOFEEDBACK_DEBUG=1 to see where."
        return _fail(console, arguments.command, message, FAILED)


def _fail(console: Console, command: str, message: str, code: int) -> int:
    console.clear()
    sys.stderr.write(f"emofeedback {command}: {message}\n")
    return code

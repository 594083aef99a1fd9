"""The command line: parse, run one command, one JSON object or a short text on stdout, everything else on stderr."""

import contextlib
import json
import os
import sys
from collections.abc import Sequence

import typer

from emofeedback.cli.command_line import PROGRAM, Asked, command_line
from emofeedback.cli.console import Console, UsageError
from emofeedback.errors import Cancelled, UserError
from emofeedback.machine.openmp import wait_passively
from emofeedback.machine.processes import close_group
from emofeedback.machine.quiet import log_to, quiet_libraries
from emofeedback.machine.terminal import print_anything
from emofeedback.redaction import redacted

DONE, FAILED, BAD_USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the work failed, 2 bad usage."""
    print_anything()
    try:
        asked = command_line().main(argv, prog_name=PROGRAM, standalone_mode=False)
    except typer.TyperException as error:
        sys.stderr.write(redacted(_usage_sentence(error)) + "\n")
        return BAD_USAGE
    if not isinstance(asked, Asked):  # help or the version was shown
        return int(asked or DONE)
    return _run(asked)


def _run(asked: Asked) -> int:
    log_to(sys.stderr, "%(message)s")
    quiet_libraries()
    wait_passively()
    console = Console(sys.stderr)
    try:
        # Whatever a library writes to stdout would spoil the one JSON object there.
        with contextlib.redirect_stdout(sys.stderr):
            outcome = asked.run(console)
        console.clear()
        text = json.dumps(outcome.data, allow_nan=False) if asked.options.json else outcome.text
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        return DONE if outcome.done else FAILED
    except UsageError as error:
        return _fail(console, asked.command, str(error), BAD_USAGE)
    except UserError as error:
        return _fail(console, asked.command, str(error), FAILED)
    except (KeyboardInterrupt, Cancelled) as stop:
        message = str(stop) or "Stopped at your request; nothing half-written was left."
        return _fail(console, asked.command, message, FAILED)
    except BrokenPipeError:
        with contextlib.suppress(OSError):  # the reader is gone; keep the interpreter from flushing to it at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except MemoryError:
        return _fail(console, asked.command, "There is not enough memory; ask for fewer pictures at once.", FAILED)
    except Exception as error:
        if os.environ.get("EMOFEEDBACK_DEBUG"):
            raise
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        message = f"This failed unexpectedly ({what}); set EMOFEEDBACK_DEBUG=1 to see where."
        return _fail(console, asked.command, message, FAILED)
    finally:
        close_group()


def _usage_sentence(error: typer.TyperException) -> str:
    """One sentence that says what is wrong and where help is."""
    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    command = context.command_path if context is not None else PROGRAM
    message = " ".join(error.format_message().split()).rstrip(".?").replace(". Did you mean", "; did you mean")
    message = message.replace("Value error, ", "")
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is not None and "Input should be" in message:
        kind = "a whole number" if "integer" in message else "a number"
        message = f"{message.partition(': ')[0]}: give {kind} from {low} to {high}"
    return f"{command}: {message}; see `{command} --help`."


def _fail(console: Console, command: str, message: str, code: int) -> int:
    console.clear()
    sys.stderr.write(redacted(f"{PROGRAM} {command}: {message}") + "\n")
    return code

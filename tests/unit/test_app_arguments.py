"""`python app.py --port 7930` listened on 7860 and said nothing: arguments are taken, or refused by one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from emofeedback.errors import UserError
from emofeedback.machine.app_arguments import take_arguments

ROOT = Path(__file__).parents[2]


def test_host_and_port_are_what_gradio_reads() -> None:
    environ = {"GRADIO_SERVER_PORT": "7000", "OTHER": "x"}
    take_arguments([], environ)
    assert environ == {"GRADIO_SERVER_PORT": "7000", "OTHER": "x"}
    take_arguments(["--port", "7930", "--host=0.0.0.0"], environ)
    assert environ == {"GRADIO_SERVER_PORT": "7930", "GRADIO_SERVER_NAME": "0.0.0.0", "OTHER": "x"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--port", "x"], "--port must be a whole number"),
        (["--port", "70000"], "--port must be a whole number"),
        (["--port"], "expected one argument"),
        (["--share"], "unrecognized arguments: --share"),
        (["--por", "1"], "unrecognized arguments"),
    ],
)
def test_others_are_refused_by_one_sentence(given: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        take_arguments(given, {})
    assert "\n" not in str(caught.value)


def test_the_app_itself_refuses_them_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "--prot", "7930"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("unrecognized arguments: --prot 7930; app.py takes --host and --port alone")
    assert done.stderr.count("\n") == 1

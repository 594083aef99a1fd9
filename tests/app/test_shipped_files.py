"""Nothing that ships is ever written to."""

from pathlib import Path

from emofeedback.ui.app import EXAMPLE
from emofeedback.ui.create.browse import Browse
from emofeedback.ui.create.example import load_example
from emofeedback.ui.create.run_view import round_files
from emofeedback.ui.session import Visits

ROOT = Path(__file__).parents[2]


def shipped() -> dict[str, tuple[int, int]]:
    """Size and time of every file of the assets and the checkpoints, by its path."""
    files = [file for folder in ("assets", "checkpoints") for file in (ROOT / folder).rglob("*") if file.is_file()]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def test_the_page_of_a_visitor_without_settings_in_files_writes_beside_copies_of_the_example(tmp_path: Path) -> None:
    """`plain-*.png` appeared in assets/example_run, which is read-only where the package is installed."""
    before, modes = shipped(), {path: path.stat().st_mode for path in (EXAMPLE, *EXAMPLE.iterdir())}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        state = Browse(Visits(tmp_path), load_example(EXAMPLE)).first()
        run = state.runs[0]
        written = []
        for state.plain in (True, False):
            written += [Path(file) for done in run.past.rounds for file in round_files(state, run, done)]
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert written and all(file.is_file() and not file.is_relative_to(ROOT) for file in written)
    assert shipped() == before

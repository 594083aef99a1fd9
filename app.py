"""The studio as a web page: `python app.py`, and what a Hugging Face Space runs."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # before anything touches CUDA

from emofeedback.checksums import CHECKSUMS, sha256
from emofeedback.errors import UserError
from emofeedback.history import History
from emofeedback.protocols import Generator, Judge
from emofeedback.settings import Settings, checkpoint_folder, data_folder
from emofeedback.training.finetune_order import FinetuneOrder
from emofeedback.ui import studio
from emofeedback.ui.history_keep import Keeper
from emofeedback.ui.hosting import Hosting

if TYPE_CHECKING:
    from emofeedback.training.finetune_job import FinetuneJob

ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU"))


def load(settings: Settings) -> tuple[Generator, Judge]:
    """The models; what they need is imported here, so that the page does not wait for it."""
    from emofeedback import build

    return build.load(settings)


def open_job(settings: Settings, order: FinetuneOrder, judge: Judge, out: Path) -> "FinetuneJob":
    """A fine-tuning job, for the tab that starts them."""
    from emofeedback import build

    return build.build_finetune_job(settings, order, judge, out)


def open_history(settings: Settings) -> Keeper:
    """The runs of all visitors, and who keeps them.

    Raises:
        UserError: their folder cannot be used.
    """
    history = History(data_folder(settings, os.environ) / "history", cap=settings.history_mb * 2**20)
    found = {part: _revision(settings, part) for part in ("generator", "judge")}
    return Keeper(history, {part: revision for part, revision in found.items() if revision})


def _revision(settings: Settings, part: str) -> str | None:
    """What tells one state of a model's weights from another: a digest of its checksums; None without those."""
    given = getattr(settings, part)
    folder = checkpoint_folder(settings, f"scene-{part}") if given == "bundled" else Path(given)
    return sha256(folder / CHECKSUMS)[:12] if (folder / CHECKSUMS).is_file() else None


def zero_gpu_pair(settings: Settings) -> tuple[Generator, Judge]:
    """The models on the GPU that ZeroGPU lends; they are loaded at once, because its workers are forks of this one."""
    from emofeedback.zero_gpu import on_zero_gpu

    return on_zero_gpu(load(settings), spaces.GPU(duration=60))


def main() -> None:
    """Settings from the environment, models on a thread, page at once."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment(os.environ)
        keeper = open_history(settings)
        pair = zero_gpu_pair(settings) if ZERO_GPU else None
    except UserError as error:
        raise SystemExit(str(error)) from None
    studio.launch(
        lambda: pair or load(settings),
        host="0.0.0.0" if os.environ.get("SPACE_ID") else None,
        open_job=None if ZERO_GPU else lambda order, judge, out: open_job(settings, order, judge, out),
        hosting=Hosting.of(settings),
        keeper=keeper,
    )


if __name__ == "__main__":
    main()

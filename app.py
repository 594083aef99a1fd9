"""The studio as a web page: `python app.py`, and what a Hugging Face Space runs."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

from emofeedback.errors import UserError
from emofeedback.protocols import Generator, Judge
from emofeedback.settings import Settings
from emofeedback.training.finetune_order import FinetuneOrder
from emofeedback.ui import studio

if TYPE_CHECKING:
    from emofeedback.training.finetune_job import FinetuneJob


def load(settings: Settings) -> tuple[Generator, Judge]:
    """The models; what they need is imported here, so that the page does not wait for it."""
    from emofeedback import build

    return build.load(settings)


def open_job(settings: Settings, order: FinetuneOrder, judge: Judge, out: Path) -> "FinetuneJob":
    """A fine-tuning job, for the tab that starts them."""
    from emofeedback import build

    return build.build_finetune_job(settings, order, judge, out)


def main() -> None:
    """Settings from the environment, models on a thread, page at once."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment(os.environ)
    except UserError as error:
        raise SystemExit(str(error)) from None
    studio.launch(
        lambda: load(settings),
        host="0.0.0.0" if os.environ.get("SPACE_ID") else None,
        open_job=lambda order, judge, out: open_job(settings, order, judge, out),
    )


if __name__ == "__main__":
    main()

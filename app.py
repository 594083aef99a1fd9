"""The studio as a web page: `python app.py`, and what a Hugging Face Space runs."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emofeedback.errors import UserError
from emofeedback.machine.app_arguments import take_arguments
from emofeedback.machine.server_port import asked_port, free_port

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
if __name__ == "__main__":
    try:
        take_arguments(sys.argv[1:], os.environ)
        asked_port(os.environ)  # gradio's import dies of a port that is no number
    except UserError as error:
        raise SystemExit(str(error)) from None
if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # before anything touches CUDA

from emofeedback.deploy.models import KINDS, Kind, LoadedModels
from emofeedback.files.checksums import CHECKSUMS, sha256
from emofeedback.finetuning.order import FinetuneOrder
from emofeedback.generators.scene.known_words import drawn_words
from emofeedback.history.store import History
from emofeedback.machine.memory import few_arenas
from emofeedback.machine.openmp import wait_passively
from emofeedback.machine.quiet import log_to, quiet_libraries
from emofeedback.machine.temporary import process_folder
from emofeedback.machine.terminal import print_anything
from emofeedback.protocols import Generator, Judge
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.embedded import EmbeddedThinker
from emofeedback.rewriting.viewers import load_viewers
from emofeedback.servers.hub import OnDownload
from emofeedback.servers.visitor_addresses import check_asked, environment_for, only_outside
from emofeedback.settings import Settings, checkpoint_folder, data_folder
from emofeedback.ui import app as studio
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.limits import Hosting, serves_others
from emofeedback.ui.safety import guarded

if TYPE_CHECKING:
    from types import ModuleType

    from emofeedback.finetuning.job import FinetuneJob

ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU"))


def load(settings: Settings) -> tuple[Generator, Judge]:
    """The models; what they need is imported here, so that the page does not wait for it."""
    from emofeedback import build

    return build.load(settings)


def loaded_models_of(settings: Settings, writer: HistoryWriter) -> LoadedModels:
    """The models of all tabs, which the Models tab may change."""

    def build_module() -> "ModuleType":
        from emofeedback import build

        return build

    def changed(kind: Kind, name: str) -> None:
        revision = _revision(_with(settings, kind, name), kind)
        writer.revisions = {part: known for part, known in writer.revisions.items() if part != kind}
        if revision is not None:
            writer.revisions[kind] = revision

    inside = settings.private_servers or not serves_others(settings, os.environ)

    def opened(kind: Kind, name: str) -> Any:
        named = getattr(settings, kind)
        check_asked(name, named, public=settings.public, inside=inside)
        build, environ = build_module(), environment_for(name, named, os.environ, kind)
        make = build.build_shown_generator if kind == "generator" else build.build_judge
        return make(_with(settings, kind, name), environ, outside=only_outside(name, named, inside=inside))

    def fetched(kind: Kind, name: str, tell: OnDownload) -> None:
        check_asked(name, getattr(settings, kind), public=settings.public, inside=inside)
        build_module().fetch_model(settings, kind, name, tell)

    return LoadedModels(
        openers={kind: partial(opened, kind) for kind in KINDS},
        fetchers={kind: partial(fetched, kind) for kind in KINDS},
        names={"generator": settings.generator, "judge": settings.judge},
        idle_minutes=settings.idle_minutes,
        changed=changed,
    )


def _with(settings: Settings, kind: Kind, name: str) -> Settings:
    """The settings with another model; what belongs to the model that they name goes with it."""
    if name == getattr(settings, kind):
        return settings
    if kind == "generator":
        return settings.changed(generator=name, adapter=None, emotion_adapter=None)
    return settings.changed(judge=name, calibration=None)


def open_job(settings: Settings, order: FinetuneOrder, judge: Judge, out: Path) -> "FinetuneJob":
    """A fine-tuning job, for the tab that starts them."""
    from emofeedback import build

    return build.build_finetune_job(settings, order, judge, out)


def open_company(settings: Settings) -> Company | None:
    """The viewers who rewrite prompts, where the settings name a rewriter; the page has the embedded ones anyway."""
    if settings.rewriter in ("none", "embedded"):
        viewers = load_viewers(settings.viewers_dir)
        return Company(EmbeddedThinker(drawn_words(settings)), viewers)
    from emofeedback import build

    return build.build_rewriter(settings)


def open_history(settings: Settings) -> HistoryWriter:
    """The runs of all visitors, and who keeps them.

    Raises:
        UserError: their folder cannot be used.
    """
    history = History(data_folder(settings, os.environ) / "history", cap=settings.history_mb * 2**20)
    found = {part: _revision(settings, part) for part in ("generator", "judge")}
    return HistoryWriter(history, {part: revision for part, revision in found.items() if revision})


def _revision(settings: Settings, part: str) -> str | None:
    """What tells one state of a model's weights from another: a digest of its checksums; None without those."""
    given = getattr(settings, part)
    folder = checkpoint_folder(settings, f"scene-{part}") if given == "bundled" else Path(given)
    return sha256(folder / CHECKSUMS)[:12] if (folder / CHECKSUMS).is_file() else None


def zero_gpu_pair(settings: Settings) -> tuple[Generator, Judge]:
    """The models on the GPU that ZeroGPU lends; they are loaded at once, because its workers are forks of this one."""
    from emofeedback.deploy.zero_gpu import on_zero_gpu

    pair = load(settings)  # the safety checker of its family works in those workers too
    return on_zero_gpu(guarded(pair) if settings.public else pair, spaces.GPU(duration=60))


def chosen(settings: Settings, loaded_models: LoadedModels | None) -> Settings:
    """The settings with the models that are chosen now."""
    return settings if loaded_models is None else _with(settings, "generator", loaded_models.name("generator"))


def main() -> None:
    """Settings from the environment, models on a thread, page at once."""
    log_to(None, "%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that temporary files go
    print_anything()
    quiet_libraries()
    wait_passively()
    few_arenas()
    os.environ.setdefault("GRADIO_TEMP_DIR", str(process_folder() / "uploads"))  # uploads go with the process
    host = "0.0.0.0" if os.environ.get("SPACE_ID") else None
    try:
        settings = Settings.from_environment(os.environ)
        port = free_port(os.environ, host)
        writer = open_history(settings)
        pair = zero_gpu_pair(settings) if ZERO_GPU else None
        loaded_models = None if ZERO_GPU or settings.public else loaded_models_of(settings, writer)
        company = open_company(settings)
    except UserError as error:
        raise SystemExit(str(error)) from None
    studio.launch(
        lambda: pair or (load(settings) if loaded_models is None else loaded_models.pair()),
        studio.StudioOptions(
            open_job=None
            if ZERO_GPU
            else lambda order, judge, out: open_job(chosen(settings, loaded_models), order, judge, out),
            hosting=Hosting.of(settings, local=host is None and not serves_others(settings, os.environ)),
            writer=writer,
            loaded_models=loaded_models,
            company=company,
        ),
        host=host,
        port=port,
    )


if __name__ == "__main__":
    main()

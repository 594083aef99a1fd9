"""`sweep`: one prompt and one seed over a grid, a path or a blend, with figures of continuity and an animation."""

import os
import shutil
from pathlib import Path

from emofeedback.cli.console import CommandResult, Console, UsageError, plain_text, usage
from emofeedback.cli.settings_given import settings_from
from emofeedback.cli.sweep_options import SweepOptions
from emofeedback.errors import UserError
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.storage import results_folder
from emofeedback.machine.processes import Processes
from emofeedback.records import VisualPrompt
from emofeedback.settings import Settings
from emofeedback.sweep.animation import format_of
from emofeedback.sweep.plane import Continuity
from emofeedback.sweep.run_sweep import Rows, Sweep, SweepOrder, plan, run_sweep, sweep_json, write_sweep


def run(arguments: SweepOptions, console: Console) -> CommandResult:
    """Draw the sweep; sheet.png, sweep.csv, sweep.json and the pictures are written."""
    settings = settings_from(arguments)
    prompt = plain_text(arguments.prompt)
    if sum(given is not None for given in (arguments.grid, arguments.path, arguments.blend)) > 1:
        raise UsageError("Give one of --grid, --path and --blend, not several.")
    wanted = arguments.animation
    with usage():
        form = None if wanted is None else format_of(wanted.suffix or wanted.name)
        rows = plan(arguments.grid or 5, arguments.path, arguments.blend, arguments.frames, arguments.extent)
    if wanted is not None and wanted.suffix and wanted.exists():
        raise UsageError(f"{wanted} is already there; give --animation another name.")
    processes = Processes.join(cpu=settings.device == "cpu")
    if not processes.main:
        _drawn(arguments, settings, prompt, rows, console, processes)
        processes.leave()
    with results_folder(settings.out) as folder:
        sweep = _drawn(arguments, settings, prompt, rows, console, processes)
        processes.leave()
        from emofeedback.build import build_upscaler

        large = LargePictures(build_upscaler(settings))
        files = write_sweep(sweep, folder, form, large=large)
        data = sweep_json(sweep, files, folder, large=large)
        if wanted is not None and wanted.suffix and files.animation is not None:
            data["animation"] = str(_copy_whole(files.animation, wanted))
    lines = [f"Sheet: {data['sheet']}", f"Table: {data['table']}"]
    if data["animation"]:
        lines.append(f"Animation: {data['animation']}")
    lines += [_figure_line(name, figure) for name, figure in sweep.figures.items()]
    return CommandResult(data, "\n".join(lines))


def _drawn(
    arguments: SweepOptions,
    settings: Settings,
    prompt: str,
    rows: Rows,
    console: Console,
    processes: Processes,
) -> Sweep:
    """The whole sweep, to which every process draws its part."""
    console.progress("loading the models")
    from emofeedback.build import build_generator, build_judge

    settings = settings.changed(device=processes.own_device(settings.device))
    try:
        generator, judge = build_generator(settings), build_judge(settings)
    except Exception as error:
        processes.gather([], error)  # the others wait for this part
        raise
    visual = None if arguments.visual is None else VisualPrompt(arguments.visual)
    order = SweepOrder(prompt, rows, settings.seed, arguments.strength, arguments.steps, visual)
    for event in run_sweep(generator, judge, order, processes=processes):
        if isinstance(event, Sweep):
            return event
        console.bar("drawing", round(event.done), event.total)
    raise AssertionError("the last event is the sweep")


def _copy_whole(source: Path, target: Path) -> Path:
    """Copy under a temporary name, then rename."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(f"{target} cannot be written ({error.strerror or error}); it is kept as {source}.") from None
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _figure_line(name: str, figure: Continuity) -> str:
    return (
        f"Along {name}: mean step {figure.mean_step:.1f} delta E, largest {figure.largest_step:.1f} "
        f"({figure.ratio:.1f} times the mean), ends {figure.travel:.1f} apart"
    )

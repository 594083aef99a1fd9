"""`finetune`: tune the generator on the judge's reward; its folder holds the adapter, metrics and pictures."""

import os
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emofeedback.affect import Affect
from emofeedback.cli.console import CommandResult, Console, UsageError, usage
from emofeedback.cli.finetune_options import FinetuneOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.errors import UserError
from emofeedback.files.text_file import decoded
from emofeedback.finetuning.job_settings import settings_of, tasks_of
from emofeedback.finetuning.job_store import JobRecord, read_record
from emofeedback.finetuning.objectives.table import automatic
from emofeedback.finetuning.order import AUTO, FinetuneOrder, Region
from emofeedback.machine.folder_lock import LOCK_FILES, alone_in
from emofeedback.machine.processes import Processes
from emofeedback.settings import Settings
from emofeedback.text import prompt_lines

if TYPE_CHECKING:
    from emofeedback.finetuning.job import FinetuneJob
    from emofeedback.finetuning.trainer import FinetuneResult

DEFAULT_OUT = Path("emofeedback-out") / "finetune"
ORDERED = ("group", "steps", "learning_rate")
"""Flags that every order has; the others are its `more`."""
MORE = (
    "prompts_per_update",
    "learned",
    "guidance",
    "passes",
    "micro_batch",
    "checkpointing",
    "rank",
    "beta",
    "window",
    "through",
    "variety",
    "audit_every",
    "audit_pictures",
    "audit_patience",
    "visual",
)
BUDGET = ("minutes", "updates")
MINUTES = 5.0


def run(arguments: FinetuneOptions, console: Console) -> CommandResult:
    """Run or resume one job; SIGINT ends it with the best adapter kept."""
    settings = settings_from(arguments)
    out = settings.out or DEFAULT_OUT
    first = os.environ.get("RANK", "0") == "0"  # of the processes that a launcher started
    with alone_in(out) if first and not arguments.dry_run else nullcontext():
        return _run(arguments, settings, out, first, console)


def _run(arguments: FinetuneOptions, settings: Settings, out: Path, first: bool, console: Console) -> CommandResult:
    if first and not (arguments.resume or arguments.dry_run) and set(os.listdir(out)) - set(LOCK_FILES):
        raise UsageError(f"{out} is not empty; give --resume to go on, or another folder with --out.")
    record = _resumable(out) if arguments.resume else None
    with usage():
        order = _ordered(arguments, settings) if record is None else _resumed(arguments, record)
        _check(order)
    processes = Processes.join(cpu=settings.device == "cpu")
    settings = settings.changed(adapter=None, device=processes.own_device(settings.device))
    console.progress("loading the models")
    from emofeedback.build import build_finetune_job, build_judge
    from emofeedback.finetuning.job import settings_for

    judge = build_judge(settings)
    with usage():
        chosen = settings_for(order, judge).objective
    if order.objective == AUTO and chosen != automatic(True):
        console.note(f"{judge.name} gives scores and no gradient: the objective is {chosen}.")
    work = build_finetune_job(settings, order, judge, out)
    if arguments.dry_run:
        return _dry_run(work)
    if record is not None:
        work.resume()
    return _train(work, order, console)


def _check(order: FinetuneOrder) -> None:
    """Refuse, before a model is loaded, what contradicts itself with every judge."""
    tasks_of(order)
    names = [order.objective] if order.objective != AUTO else [automatic(True), automatic(False)]
    refused: list[UserError] = []
    for name in names:
        try:
            settings_of(order, name)
        except UserError as error:
            refused.append(error)
    if len(refused) == len(names):
        raise refused[0]


def _train(work: "FinetuneJob", order: FinetuneOrder, console: Console) -> CommandResult:
    from emofeedback.finetuning.adapter_export import PAGE
    from emofeedback.training.common.budget import StopSignal

    def show(entry: dict[str, Any]) -> None:
        if entry["kind"] == "audit":
            console.note(f"update {entry['update']}: audit {entry['score']:+.3f}, distance {entry['error']:.3f}")
        else:
            reward = "unread" if entry["reward"] is None else f"{entry['reward']:+.3f}"
            console.progress(f"update {entry['update']}: reward {reward}, {entry['elapsed']:.0f} s")

    with StopSignal() as stop:
        ending = work.run(lambda: stop.stopped, show, order)
    processes, out = work.trainer.processes, work.trainer.out
    processes.leave()
    page = ending.adapter / PAGE
    data = {
        **asdict(ending.result),
        "adapter": str(ending.adapter),
        "metrics": str(out / "metrics.jsonl"),
        "sheet": str(page) if page.is_file() else None,
        "out": str(out),
        "processes": processes.count,
    }
    return CommandResult(data, _text(ending.result, ending.adapter), done=ending.result.stopped != "cancelled")


def _text(result: "FinetuneResult", folder: Path) -> str:
    lines = [f"{result.updates} updates, {result.pictures} pictures, {result.seconds:.0f} s; stopped: {result.stopped}"]
    if result.base is not None and result.best is not None:
        lines.append(f"Held-out distance to the target {result.base.error:.3f} -> {result.best.error:.3f}")
    if result.best_update == 0:
        lines.append("No audited update beat the start; the adapter changes nothing.")
    return "\n".join([*lines, f"Adapter: {folder}"])


def _dry_run(work: "FinetuneJob") -> CommandResult:
    """One update and one audit, measured and thrown away."""
    estimate, trainer = work.estimate(), work.trainer
    trainer.processes.leave()
    data = {
        **asdict(estimate),
        "trainable_parameters": sum(p.numel() for p in trainer.policy.parameters()),
        "settings": trainer.settings.as_json(),
    }
    memory = "" if estimate.memory_mb is None else f", {estimate.memory_mb:.0f} MB of memory"
    each = f"{estimate.seconds_per_update:.1f} s an update, {estimate.seconds_per_audit:.1f} s an audit"
    total = f"{estimate.updates} updates ({estimate.pictures} pictures) in {estimate.minutes:.1f} minutes"
    text = f"{each}: {total}{memory}"
    return CommandResult(data, text)


def _resumable(out: Path) -> JobRecord:
    record = read_record(out)
    if record is None or not record.resumable:
        raise UserError(f"There is no job in {out} to resume; start one without --resume.")
    return record


def _resumed(arguments: FinetuneOptions, record: JobRecord) -> FinetuneOrder:
    """The recorded job's order, with more budget where the command line gives one.

    Raises:
        UserError: the command line asks for another job than the recorded one.
    """
    for name in ("prompts", "held_out", "target", "region", "adapter"):
        if getattr(arguments, name) is not None:
            raise UserError(f"A resumed job has its prompts and targets already; leave out --{name.replace('_', '-')}.")
    for name, value in _given(arguments, "objective", "seed", *ORDERED, *MORE).items():
        if value != record.settings.get(name):
            raise UserError(
                f"The job in {record.folder} was started with {name.replace('_', ' ')} {record.settings.get(name)}, "
                f"not {value}; leave it out."
            )
    order, budget = record.order(), _given(arguments, *BUDGET)
    return replace(order, minutes=budget.get("minutes"), updates=budget.get("updates")) if budget else order


def _given(arguments: FinetuneOptions, *names: str) -> dict[str, Any]:
    """The flags of these names that were given, by the name of their setting."""
    found = {name: getattr(arguments, name) for name in names}
    return {_setting(name): value for name, value in found.items() if value is not None}


def _setting(flag: str) -> str:
    return "prompts" if flag == "prompts_per_update" else flag


def _ordered(arguments: FinetuneOptions, settings: Settings) -> FinetuneOrder:
    """The order that the command line gives.

    Raises:
        UserError: it contradicts itself, or a file cannot be read.
    """
    more, start = _given(arguments, *MORE), None
    if settings.adapter is not None:
        from emofeedback.build import parse_adapter  # imports torch, so only where it is needed

        path, more["start_scale"] = parse_adapter(settings.adapter)
        if not path.exists():
            raise UserError(f"There is no adapter at {path} to start from; leave out --adapter or correct it.")
        start = str(path)
    if arguments.target is not None and arguments.region is not None:
        raise UserError("Give --target or --region, not both.")
    region: Region = arguments.region or ("emotions" if arguments.visual else "corners")
    return FinetuneOrder(
        prompts=tuple(read_prompts(arguments.prompts)) if arguments.prompts else (),
        held_out=tuple(read_prompts(arguments.held_out)) if arguments.held_out else (),
        region="point" if arguments.target else region,
        point=_point(arguments.target) if arguments.target else None,
        objective=arguments.objective or AUTO,
        minutes=MINUTES if arguments.minutes is None and arguments.updates is None else arguments.minutes,
        updates=arguments.updates,
        seed=settings.seed,
        start=start,
        **_given(arguments, *ORDERED),
        more=more,
    )


def read_prompts(path: Path) -> list[str]:
    """One prompt a line; empty lines and comments (# before a blank) are left out, each prompt counts once.

    Raises:
        UserError: the file cannot be read or holds no prompt.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as text ({error}); give a file with one prompt a line.") from None
    prompts = list(prompt_lines(decoded(content, str(path))))
    if not prompts:
        raise UserError(f"{path} holds no prompt; write one a line.")
    return prompts


def _point(text: str) -> Affect:
    try:
        valence, arousal = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--target must be two numbers V,A such as -0.7,0.6, not {text!r}.") from None
    return Affect(valence, arousal)

"""`finetune`: tune the generator on the judge's reward; its folder holds the adapter, metrics and pictures."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emofeedback.affect import Affect
from emofeedback.cli.console import Console, Outcome, UsageError, plain_text, usage
from emofeedback.cli.finetune_options import FinetuneOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.errors import UserError
from emofeedback.finetuning.job_store import JobRecord, read_record
from emofeedback.finetuning.order import Region
from emofeedback.protocols import Judge
from emofeedback.settings import Settings

if TYPE_CHECKING:
    from emofeedback.finetuning.job import FinetuneJob
    from emofeedback.finetuning.job_settings import FinetuneSettings, Tasks
    from emofeedback.finetuning.trainer import FinetuneResult

DEFAULT_OUT = Path("emofeedback-out") / "finetune"
PROMPTS, HELD_OUT = 64, 16
OPTIONS = (
    "objective",
    "minutes",
    "updates",
    "prompts_per_update",
    "group",
    "learned",
    "steps",
    "guidance",
    "passes",
    "micro_batch",
    "checkpointing",
    "rank",
    "learning_rate",
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


def run(arguments: FinetuneOptions, console: Console) -> Outcome:
    """Run or resume one job; SIGINT ends it with the best adapter kept."""
    settings = settings_from(arguments)
    out = settings.out or DEFAULT_OUT
    first = os.environ.get("RANK", "0") == "0"  # of the processes that a launcher started
    if first and os.path.isdir(out) and os.listdir(out) and not (arguments.resume or arguments.dry_run):
        raise UsageError(f"{out} is not empty; give --resume to go on, or another folder with --out.")
    record = _resumable(out) if arguments.resume else None
    with usage():
        given, tasks = _job(arguments, settings) if record is None else _resumed(arguments, record)
        _check(given)
    console.progress("loading the models")
    from emofeedback.build import build_generator, build_judge, build_rater
    from emofeedback.finetuning.build_finetuner import build_finetuner
    from emofeedback.finetuning.job import FinetuneJob
    from emofeedback.finetuning.processes import own_device

    settings = settings.changed(adapter=None, device=own_device(settings.device, os.environ))
    judge = build_judge(settings)
    job = _settled(given, judge, console)
    rater = build_rater(settings, judge)
    work = FinetuneJob(build_finetuner(build_generator(settings), judge, rater, job, tasks, out))
    if arguments.dry_run:
        return _dry_run(work)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be made ({error.strerror}); choose another folder with --out.") from None
    if record is not None:
        work.resume()
    return _train(work, console)


def _check(given: Mapping[str, Any]) -> None:
    """Refuse, before a model is loaded, what contradicts itself with every judge."""
    from emofeedback.finetuning.job_settings import FinetuneSettings
    from emofeedback.finetuning.reward_judge import BY_GRADIENT, BY_SCORES

    try:
        FinetuneSettings(**{"objective": BY_GRADIENT, **given})
    except UserError as error:
        try:
            FinetuneSettings(**{"objective": BY_SCORES, **given})
        except UserError:
            raise error from None


def _settled(given: Mapping[str, Any], judge: Judge, console: Console) -> "FinetuneSettings":
    """The job's settings, with the objective that suits the judge where none is given.

    Raises:
        UsageError: they contradict each other, or the objective needs another judge.
    """
    from emofeedback.finetuning.job_settings import FinetuneSettings
    from emofeedback.finetuning.reward_judge import BY_GRADIENT, objective_for

    with usage():
        name = objective_for(judge, given.get("objective"))
        job = FinetuneSettings(**{**given, "objective": name})
    if "objective" not in given and name != BY_GRADIENT:
        console.note(f"{judge.name} gives scores and no gradient: the objective is {name}.")
    return job


def _train(work: "FinetuneJob", console: Console) -> Outcome:
    from emofeedback.finetuning.adapter_export import PAGE
    from emofeedback.training.common.budget import StopSignal

    def show(entry: dict[str, Any]) -> None:
        if entry["kind"] == "audit":
            console.note(f"update {entry['update']}: audit {entry['score']:+.3f}, distance {entry['error']:.3f}")
        else:
            reward = "unread" if entry["reward"] is None else f"{entry['reward']:+.3f}"
            console.progress(f"update {entry['update']}: reward {reward}, {entry['elapsed']:.0f} s")

    with StopSignal() as stop:
        ending = work.run(lambda: stop.stopped, show)
    processes, out = work.trainer.processes, work.trainer.out
    processes.leave()
    if not processes.main:
        raise SystemExit(0)  # one process speaks for all: one JSON object on stdout
    page = ending.adapter / PAGE
    data = {
        **asdict(ending.result),
        "adapter": str(ending.adapter),
        "metrics": str(out / "metrics.jsonl"),
        "sheet": str(page) if page.is_file() else None,
        "out": str(out),
        "processes": processes.count,
    }
    return Outcome(data, _text(ending.result, ending.adapter), done=ending.result.stopped != "cancelled")


def _text(result: "FinetuneResult", folder: Path) -> str:
    lines = [f"{result.updates} updates, {result.pictures} pictures, {result.seconds:.0f} s; stopped: {result.stopped}"]
    if result.base is not None and result.best is not None:
        lines.append(f"Held-out distance to the target {result.base.error:.3f} -> {result.best.error:.3f}")
    if result.best_update == 0:
        lines.append("No audited update beat the start; the adapter changes nothing.")
    return "\n".join([*lines, f"Adapter: {folder}"])


def _dry_run(work: "FinetuneJob") -> Outcome:
    """One update and one audit, measured and thrown away."""
    estimate, trainer = work.estimate(), work.trainer
    data = {
        **asdict(estimate),
        "trainable_parameters": sum(p.numel() for p in trainer.policy.parameters()),
        "settings": trainer.settings.as_json(),
    }
    memory = "" if estimate.memory_mb is None else f", {estimate.memory_mb:.0f} MB of memory"
    each = f"{estimate.seconds_per_update:.1f} s an update, {estimate.seconds_per_audit:.1f} s an audit"
    total = f"{estimate.updates} updates ({estimate.pictures} pictures) in {estimate.minutes:.1f} minutes"
    text = f"{each}: {total}{memory}"
    return Outcome(data, text)


def _resumable(out: Path) -> JobRecord:
    record = read_record(out)
    if record is None or not record.resumable:
        raise UserError(f"There is no job in {out} to resume; start one without --resume.")
    return record


def _resumed(arguments: FinetuneOptions, record: JobRecord) -> "tuple[dict[str, Any], Tasks]":
    """The recorded job's settings and tasks, with more budget where the command line gives one.

    Raises:
        UserError: the command line asks for another job than the recorded one.
    """
    from emofeedback.finetuning.job_settings import FinetuneSettings, Tasks

    for name in ("prompts", "held_out", "target", "region", "adapter"):
        if getattr(arguments, name) is not None:
            raise UserError(f"A resumed job has its prompts and targets already; leave out --{name.replace('_', '-')}.")
    given = {_field(name): value for name in (*OPTIONS, "seed") if (value := getattr(arguments, name)) is not None}
    for name, value in given.items():
        if name not in BUDGET and value != record.settings.get(name):
            raise UserError(
                f"The job in {record.folder} was started with {name.replace('_', ' ')} {record.settings.get(name)}, "
                f"not {value}; leave it out."
            )
    budget = {name: given.get(name) for name in BUDGET} if any(name in given for name in BUDGET) else {}
    try:
        return FinetuneSettings(**{**record.settings, **budget}).as_json(), Tasks.from_json(record.tasks)
    except (TypeError, KeyError):
        raise UserError(f"The job in {record.folder} is of another version; start a new one.") from None


def _field(option: str) -> str:
    return "prompts" if option == "prompts_per_update" else option


def _job(arguments: FinetuneOptions, settings: Settings) -> "tuple[dict[str, Any], Tasks]":
    """The settings that the command line gives, and the tasks.

    Raises:
        UserError: they contradict each other, or a file cannot be read.
    """
    from emofeedback.finetuning.job_settings import Targets, Tasks, scene_prompts

    given = {_field(name): value for name in OPTIONS if (value := getattr(arguments, name)) is not None}
    if "minutes" not in given and "updates" not in given:
        given["minutes"] = 5.0
    if settings.adapter is not None:
        from emofeedback.build import parse_adapter  # imports torch, so only where it is needed

        path, given["start_scale"] = parse_adapter(settings.adapter)
        given["start"] = str(path)
        if not path.exists():
            raise UserError(f"There is no adapter at {path} to start from; leave out --adapter or correct it.")
    given["seed"] = settings.seed
    if arguments.target is not None and arguments.region is not None:
        raise UserError("Give --target or --region, not both.")
    region: Region = arguments.region or ("emotions" if arguments.visual else "corners")
    targets = Targets("point", _point(arguments.target)) if arguments.target else Targets(region)
    prompts = read_prompts(arguments.prompts) if arguments.prompts else scene_prompts(PROMPTS, settings.seed, "train")
    if arguments.held_out:
        held_out = read_prompts(arguments.held_out)
    else:
        held_out = [p for p in scene_prompts(HELD_OUT, settings.seed, "held-out") if p not in prompts]
    return given, Tasks(prompts, held_out, targets, settings.seed)


def read_prompts(path: Path) -> list[str]:
    """One prompt a line; empty lines and lines that begin with # are left out, each prompt counts once.

    Raises:
        UserError: the file cannot be read or holds no prompt.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as text ({error}); give a file with one prompt a line.") from None
    lines = (plain_text(line).strip() for line in text.splitlines())
    prompts = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not prompts:
        raise UserError(f"{path} holds no prompt; write one a line.")
    return prompts


def _point(text: str) -> Affect:
    try:
        valence, arousal = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--target must be two numbers V,A such as -0.7,0.6, not {text!r}.") from None
    return Affect(valence, arousal)

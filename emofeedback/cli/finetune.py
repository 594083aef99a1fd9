"""`finetune`: tune the generator on the judge's reward; its folder holds the adapter, metrics and pictures."""

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emofeedback.affect import Affect
from emofeedback.cli.console import Console, Outcome, UsageError, plain_text, settings_from, usage
from emofeedback.errors import UserError
from emofeedback.storage import write_json

if TYPE_CHECKING:
    from emofeedback.training.finetune import Finetuner, FinetuneResult
    from emofeedback.training.finetune_settings import FinetuneSettings, Tasks

DEFAULT_OUT = Path("emofeedback-out") / "finetune"
PROMPTS, HELD_OUT = 64, 16
STATE = Path("training") / "state.safetensors"
OPTIONS = (
    "objective", "minutes", "updates", "prompts_per_update", "group", "steps", "guidance", "passes", "micro_batch",
    "rank", "learning_rate", "beta", "window", "audit_every", "audit_pictures", "audit_patience",
)  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Outcome:
    """Run or resume one job; SIGINT ends it with the best adapter kept."""
    settings = settings_from(arguments)
    out = settings.out or DEFAULT_OUT
    if settings.adapter is not None:
        raise UsageError("Fine-tuning starts from the generator itself; leave out --adapter.")
    if os.path.isdir(out) and os.listdir(out) and not (arguments.resume or arguments.dry_run):
        raise UsageError(f"{out} is not empty; give --resume to go on, or another folder with --out.")
    if arguments.resume and not (out / STATE).is_file():
        raise UserError(f"There is no job in {out} to resume; start one without --resume.")
    with usage():
        job, tasks = _job(arguments, settings.seed)
    console.progress("loading the models")
    from emofeedback.build import build_generator, build_judge, build_rater
    from emofeedback.training.finetune_build import build_finetuner

    models = build_generator(settings), build_judge(settings), build_rater(settings)
    trainer = build_finetuner(*models, job, tasks, out)
    if arguments.dry_run:
        return _dry_run(trainer, job)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be made ({error.strerror}); choose another folder with --out.") from None
    if arguments.resume:
        trainer.load()
    prompts = {"prompts": list(tasks.prompts), "held_out": list(tasks.held_out)}
    write_json(out / "job.json", {"settings": job.as_json(), **prompts, "generator": settings.generator})
    return _train(trainer, console)


def _train(trainer: "Finetuner", console: Console) -> Outcome:
    from emofeedback.training.budget import StopSignal
    from emofeedback.training.finetune_export import PAGE, export_adapter

    def show(entry: dict[str, Any]) -> None:
        if entry["kind"] == "audit":
            console.note(f"update {entry['update']}: audit {entry['score']:+.3f}, distance {entry['error']:.3f}")
        else:
            reward = "unread" if entry["reward"] is None else f"{entry['reward']:+.3f}"
            console.progress(f"update {entry['update']}: reward {reward}, {entry['elapsed']:.0f} s")

    with StopSignal() as stop:
        result = trainer.run(lambda: stop.stopped, show)
        before = trainer.samples("base")
        after = trainer.samples("best") if result.best is not None else []
        out = trainer.out
        folder = export_adapter(trainer.policy, trainer.settings, trainer.tasks, result, out / "adapter", before, after)
    page = folder / PAGE
    data = {**asdict(result), "adapter": str(folder), "metrics": str(out / "metrics.jsonl"),
            "sheet": str(page) if page.is_file() else None, "out": str(out)}  # fmt: skip
    return Outcome(data, _text(result, folder), done=result.stopped != "cancelled")


def _text(result: "FinetuneResult", folder: Path) -> str:
    lines = [f"{result.updates} updates, {result.pictures} pictures, {result.seconds:.0f} s; stopped: {result.stopped}"]
    if result.base is not None and result.best is not None:
        lines.append(f"Held-out distance to the target {result.base.error:.3f} -> {result.best.error:.3f}")
    if result.best_update == 0:
        lines.append("No audited update beat the base; the adapter changes nothing.")
    return "\n".join([*lines, f"Adapter: {folder}"])


def _dry_run(trainer: "Finetuner", job: "FinetuneSettings") -> Outcome:
    """One update, measured and thrown away."""
    import resource
    import sys

    entry = trainer.update()
    seconds = entry["seconds"]
    updates = job.updates if job.updates is not None else max(1, int(60 * (job.minutes or 0) / seconds))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    data = {
        "seconds_per_update": seconds, "updates": updates, "pictures": updates * job.prompts * job.group,
        "minutes": round(updates * seconds / 60, 2), "memory_mb": round(peak),
        "trainable_parameters": sum(p.numel() for p in trainer.policy.parameters()), "settings": job.as_json(),
    }  # fmt: skip
    text = (f"{seconds:.1f} s an update, {updates} updates ({data['pictures']} pictures) in {data['minutes']} minutes "
            f"without audits, {data['memory_mb']} MB of memory")  # fmt: skip
    return Outcome(data, text)


def _job(arguments: argparse.Namespace, seed: int) -> "tuple[FinetuneSettings, Tasks]":
    """The job's settings and tasks from the command line.

    Raises:
        UserError: they contradict each other, or a file cannot be read.
    """
    from emofeedback.training.finetune_settings import FinetuneSettings, Targets, Tasks, scene_prompts

    given = {n: v for n in OPTIONS if (v := getattr(arguments, n)) is not None}
    given["prompts"] = given.pop("prompts_per_update", FinetuneSettings.__dataclass_fields__["prompts"].default)
    if "minutes" not in given and "updates" not in given:
        given["minutes"] = 5.0
    job = FinetuneSettings(**given, seed=seed)
    if arguments.target is not None and arguments.region is not None:
        raise UserError("Give --target or --region, not both.")
    targets = Targets("point", _point(arguments.target)) if arguments.target else Targets(arguments.region or "corners")
    prompts = read_prompts(arguments.prompts) if arguments.prompts else scene_prompts(PROMPTS, seed, "train")
    if arguments.held_out:
        held_out = read_prompts(arguments.held_out)
    else:
        held_out = [p for p in scene_prompts(HELD_OUT, seed, "held-out") if p not in prompts]
    return job, Tasks(prompts, held_out, targets, seed)


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

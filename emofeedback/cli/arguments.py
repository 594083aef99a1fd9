"""The parser: all commands and flags. Imports no model, so help and errors answer at once."""

import argparse
import importlib
import math
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from emofeedback import __version__
from emofeedback.finetuning.objectives.table import NAMES, OBJECTIVES
from emofeedback.finetuning.order import REGIONS

# one module per command, imported when it runs
MODULES = {
    "generate": "emofeedback.cli.generate",
    "estimate": "emofeedback.cli.estimate",
    "sweep": "emofeedback.cli.sweep",
    "render": "emofeedback.cli.render",
    "train": "emofeedback.cli.train",
    "finetune": "emofeedback.cli.finetune",
    "evaluate": "emofeedback.cli.evaluate",
    "benchmark": "emofeedback.cli.benchmark",
    "doctor": "emofeedback.cli.doctor",
    "space": "emofeedback.cli.space",
    "soak": "emofeedback.cli.soak",
}


def command_module(command: str) -> ModuleType:
    """The module whose `run(arguments, console)` does a command."""
    return importlib.import_module(MODULES[command])


class OneSentenceParser(argparse.ArgumentParser):
    """argparse, but an error is one sentence."""

    def error(self, message: str) -> NoReturn:
        sentence = message[0].upper() + message[1:].rstrip(".")
        sys.stderr.write(f"{self.prog}: {sentence}; see `{self.prog} --help`.\n")
        raise SystemExit(2)


def whole(low: int, high: int) -> Any:
    """A type for argparse: a whole number in [low, high]."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}, not {text!r}") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must lie between {low} and {high}, but is {value}")
        return value

    return parse


def number(low: float, high: float) -> Any:
    """A type for argparse: a finite number in [low, high]."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"must be a number from {low:g} to {high:g}, not {text!r}")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must lie between {low:g} and {high:g}, but is {value:g}")
        return value

    return parse


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = OneSentenceParser(
        prog="emofeedback", description="Pictures that carry a set emotion, refined by a judge's feedback."
    )
    top.add_argument("--version", action="version", version=__version__)
    top.formatter_class = partial(argparse.HelpFormatter, max_help_position=28)  # type: ignore[assignment]
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _generate(_command(commands, "generate", "draw a prompt at a valence and arousal, read it, refine it"))
    _estimate(_command(commands, "estimate", "read valence and arousal in pictures"))
    _sweep(_command(commands, "sweep", "one prompt over a grid or along a path of the plane"))
    _render(_command(commands, "render", "draw labelled scenes of the scene world"))
    _train(_command(commands, "train", "train a bundled model from scratch"))
    _finetune(_command(commands, "finetune", "tune the generator on the judge's reward in a short job"))
    _evaluate(
        _command(
            commands,
            "evaluate",
            "measure the generator, the judge, its advice, the loop, rewriting or fine-tuning with the second rater",
        )
    )
    _benchmark(_command(commands, "benchmark", "measure speed and memory on this machine"))
    _command(commands, "doctor", "check this installation")
    _space(_command(commands, "space", "write a folder that is ready to push as a Hugging Face Space"))
    _soak(_command(commands, "soak", "many users at once against the studio's API, for some minutes"))
    return top


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    shared = command.add_argument_group("shared")
    shared.add_argument("--generator", metavar="NAME|PATH|REPO", help="'bundled', a folder, REPO[@REV], hosted:REPO")
    shared.add_argument("--judge", metavar="NAME|PATH|REPO|URL", help="'bundled', a folder, REPO[@REV], URL[#MODEL]")
    shared.add_argument("--calibration", type=Path, metavar="FILE", help="of the judge, made by `evaluate judge`")
    shared.add_argument("--adapter", metavar="PATH[:SCALE]", help="a LoRA on the generator")
    shared.add_argument("--device", help="auto, cpu, cuda, cuda:N, mps")
    shared.add_argument("--threads", type=whole(1, 1024), help="CPU threads of one operation")
    shared.add_argument("--seed", type=whole(0, 2**53), help="default 0")
    shared.add_argument("--out", type=Path, metavar="DIR", help="a new or empty folder; else a new one inside it")
    shared.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else there")
    return command


def _generate(command: argparse.ArgumentParser) -> None:
    command.add_argument("prompt", help="may be empty: pure mood")
    command.add_argument("--valence", type=number(-1, 1), metavar="V", help="unpleasant -1 .. 1 pleasant")
    command.add_argument("--arousal", type=number(-1, 1), metavar="A", help="calm -1 .. 1 excited")
    command.add_argument("--emotion", metavar="NAME", help="a named emotion instead of V and A")
    command.add_argument("--rounds", type=whole(1, 50), default=1, metavar="N")
    command.add_argument("--candidates", type=whole(1, 64), default=4, metavar="N")
    command.add_argument(
        "--strength", type=number(0, 5), default=1.0, metavar="X", help="of the emotion; 0 = words only"
    )
    command.add_argument("--steps", type=whole(1, 1000), metavar="N", help="denoising steps")
    command.add_argument("--guidance", type=number(0, 50), metavar="X")
    command.add_argument(
        "--tolerance", type=number(0, 3), default=0.12, metavar="X", help="stop this close (default .12)"
    )
    command.add_argument(
        "--patience",
        type=whole(1, 50),
        default=None,
        metavar="N",
        help="stop after N rounds without gain",
    )
    command.add_argument("--image", type=Path, metavar="FILE", help="start from this picture")
    command.add_argument("--image-strength", type=number(0.01, 1), default=0.6, metavar="X", help="how much is redrawn")
    command.add_argument("--continuation", choices=("same_seed", "image"), default="same_seed", help="of later rounds")
    _visual(command, "guide by pictures of the emotion out of the visual prompt bank")
    command.add_argument(
        "--visual-picture", type=Path, action="append", default=[], metavar="FILE", help="guide by this picture instead"
    )
    _rewriting(command, "rewrites the prompt for round 1: none, embedded, a language model's PATH or REPO, URL[#MODEL]")


def _visual(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--visual", nargs="?", type=number(0, 5), const=1.0, metavar="STRENGTH", help=text)


def _rewriting(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--rewriter", metavar="NAME", help=text)
    command.add_argument("--viewers", metavar="NAME,NAME", help="of the rewriter's company (default: all)")


def _estimate(command: argparse.ArgumentParser) -> None:
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="pictures, or folders of pictures")


def _sweep(command: argparse.ArgumentParser) -> None:
    command.add_argument("prompt")
    shape = command.add_mutually_exclusive_group()
    shape.add_argument("--grid", type=whole(2, 15), metavar="N", help="N x N sheet (default 5)")
    shape.add_argument("--path", metavar='"V,A V,A ..."', help="a path through waypoints")
    shape.add_argument("--blend", metavar="FIRST,SECOND[,SHARE]", help="from one named emotion to another")
    command.add_argument("--frames", type=whole(2, 200), default=9, metavar="N", help="pictures of a path or blend")
    command.add_argument("--animation", type=Path, metavar="FILE", help="also as a .webp, .gif or .mp4")
    command.add_argument("--extent", type=number(0.05, 1), default=0.8, metavar="X", help="the grid spans [-X, X]")
    command.add_argument("--strength", type=number(0, 5), default=1.0, metavar="X")
    command.add_argument("--steps", type=whole(1, 1000), metavar="N")
    _visual(command, "guide each picture by pictures of its own point's emotion out of the visual prompt bank")


def _render(command: argparse.ArgumentParser) -> None:
    command.add_argument("--count", type=whole(1, 1_000_000), default=16, metavar="N")
    command.add_argument("--size", type=whole(64, 1024), default=256, metavar="PIXELS")
    command.add_argument("--split", choices=("train", "held-out"), default="train")


def _train(command: argparse.ArgumentParser) -> None:
    parts = ("generator", "few-step", "autoencoder", "upscaler", "judge", "rater", "bank", "adapter")
    command.add_argument("part", choices=parts)
    command.add_argument("--minutes", type=number(0.01, 10_000), default=60.0, metavar="M", help="over all resumes")
    command.add_argument(
        "--save-every",
        type=number(1, 100_000),
        default=120.0,
        metavar="SECONDS",
        help="what a kill loses (default 120)",
    )
    command.add_argument("--work", type=Path, default=Path("training"), metavar="DIR", help="data, state, logs, sheets")
    command.add_argument("--scenes", type=whole(64, 10_000_000), default=40_000, metavar="N", help="rendered for it")
    command.add_argument("--size", type=whole(64, 1024), default=128, metavar="PIXELS")
    command.add_argument("--resume", action="store_true", help="go on from the state in --work")
    command.add_argument(
        "--align-with", type=Path, metavar="DIR", help="generator: a judge whose vision its tokens shall follow"
    )
    bank = command.add_argument_group("bank", "visual prompts: from rendered scenes, or from a folder of pictures")
    bank.add_argument("--pictures", type=Path, metavar="DIR", help="with metadata.jsonl or .csv: captions and ratings")
    bank.add_argument("--scale", default="-1:1", metavar="LOW:HIGH", help="of the folder's ratings (default -1:1)")
    bank.add_argument("--text-encoder", default="bundled", metavar="NAME|PATH", help="bundled, or a CLIP model")
    bank.add_argument("--picture-encoder", default="bundled", metavar="NAME|PATH", help="bundled, or CLIP, DINOv2, ...")
    judge = command.add_argument_group("judge and adapter", "on a base that is trained already")
    judge.add_argument("--base", metavar="REPO|PATH", help="judge: a vision-language model; adapter: a generator")
    judge.add_argument("--stage", choices=("supervised", "grpo", "all"), help="of a judge (default: all on a base)")
    judge.add_argument("--ratings", type=Path, metavar="FILE", help="judge: pictures rated by people, CSV or TSV")
    judge.add_argument("--images", type=Path, metavar="DIR", help="judge: the rated pictures; --scale is the ratings'")
    judge.add_argument("--pairs", type=Path, metavar="FILE", help="adapter: neutral and emotional prompts, JSON lines")
    few = command.add_argument_group("few-step", "distil a generator into a LoRA that draws in four forward passes")
    few.add_argument("--teacher", type=Path, metavar="DIR", help="a generator's folder (default: the bundled one)")
    few.add_argument("--critic", action="store_true", help="a critic of latents sharpens what regression averages")
    few.add_argument("--trajectories", type=whole(64, 10_000_000), default=10_000, metavar="N", help="to learn from")
    few.add_argument(
        "--install",
        nargs="?",
        choices=("preview", "default"),
        const="preview",
        metavar="USE",
        help="put the result into the teacher's folder: for previews, or as the default way to draw",
    )


def _finetune(command: argparse.ArgumentParser) -> None:
    titles = ", ".join(f"{one.name}: {one.title}" for one in OBJECTIVES.values())
    command.add_argument("--objective", choices=NAMES, help=f"default: by the judge; {titles}")
    command.add_argument("--prompts", type=Path, metavar="FILE", help="one a line; default: place-subject prompts")
    command.add_argument("--held-out", type=Path, metavar="FILE", help="prompts of the audit")
    command.add_argument("--target", metavar="V,A", help="one point, such as --target=-0.7,0.6")
    command.add_argument("--region", choices=tuple(REGIONS), help="default corners")
    command.add_argument("--minutes", type=number(0.01, 100_000), metavar="M", help="budget (default 5)")
    command.add_argument("--updates", type=whole(1, 1_000_000), metavar="N", help="budget, in place of minutes")
    command.add_argument("--resume", action="store_true", help="go on with the job in --out")
    command.add_argument("--dry-run", action="store_true", help="estimate time and memory; writes nothing")
    command.add_argument("--rater", metavar="NAME|PATH|REPO|URL", help="who audits; not the judge's model")
    command.add_argument(
        "--visual", action="store_true", default=None, help="dpo: pairs that differ in their visual prompt alone"
    )
    expert = command.add_argument_group("expert settings")
    for name, limits in (
        ("prompts-per-update", (1, 4096)),
        ("group", (1, 1024)),
        ("learned", (2, 1024)),
        ("steps", (1, 200)),
        ("passes", (1, 100)),
        ("micro-batch", (1, 4096)),
        ("rank", (1, 256)),
        ("window", (0, 200)),
        ("through", (0, 200)),
        ("audit-every", (1, 10_000)),
        ("audit-pictures", (2, 1024)),
        ("audit-patience", (1, 1000)),
    ):
        expert.add_argument(f"--{name}", type=whole(*limits), metavar="N")
    expert.add_argument("--checkpointing", action="store_true", default=None, help="less memory, more time")
    expert.add_argument("--guidance", type=number(0, 50), metavar="X", help="of rollouts; 1 = none")
    expert.add_argument("--learning-rate", type=number(1e-8, 0.1), metavar="X")
    expert.add_argument("--beta", type=number(0, 1e6), metavar="X", help="how strongly the policy is tied")
    expert.add_argument("--variety", type=number(0, 100), metavar="X", help="direct: keeps a group's pictures apart")


def _evaluate(command: argparse.ArgumentParser) -> None:
    parts = ("generator", "judge", "rater", "advice", "loop", "finetune", "rewriting", "visual")
    command.add_argument("part", choices=parts)
    command.add_argument("--count", type=whole(2, 10_000), metavar="N", help="prompts, pictures or prompt-target pairs")
    command.add_argument("--rater", metavar="NAME|PATH|REPO|URL", help="as --judge, but another model")
    command.add_argument("--rounds", type=whole(1, 50), default=3, metavar="N", help="of the loop")
    command.add_argument("--candidates", type=whole(1, 64), default=8, metavar="N", help="of a round of the loop")
    command.add_argument(
        "--ablation", action="store_true", help="loop: with and without rewriter, visual prompt and the judge's edits"
    )
    command.add_argument(
        "--strength", type=number(0, 5), default=1.0, metavar="X", help="of the V-A adapter in an ablation; 0 = off"
    )
    people = command.add_argument_group("judge against people", "with --ratings; calibrates the judge on the way")
    people.add_argument("--ratings", type=Path, metavar="FILE", help="a CSV file of mean ratings, one row per picture")
    people.add_argument("--images", type=Path, metavar="DIR", help="the rated pictures")
    people.add_argument("--scale", default="1-9", metavar="LOW-HIGH", help="of the ratings (default 1-9)")
    people.add_argument("--columns", metavar="PICTURE,VALENCE,AROUSAL", help="names of the three columns")
    people.add_argument("--method", choices=("affine", "isotonic"), default="affine", help="of the calibration")
    people.add_argument("--save", type=Path, metavar="FILE", help="write the calibration, for --calibration")
    command.add_argument("--tuned", metavar="PATH[:SCALE]", help="visual: an adapter of `finetune --visual`, as an arm")
    _rewriting(command, "which rewriter `evaluate rewriting` measures (default embedded)")
    tuning = command.add_argument_group("finetune", "jobs on corner targets against the base and the judge's best of N")
    tuning.add_argument("--objectives", metavar="NAMES", help="such as awm,grpo (default: as `finetune`)")
    tuning.add_argument("--learning-rates", metavar="NUMBERS", help="searched for each objective, such as 3e-4,1e-3")
    tuning.add_argument("--seeds", type=whole(1, 100), default=3, metavar="N", help="jobs an objective (default 3)")
    tuning.add_argument("--best-of", type=whole(4, 64), default=16, metavar="N", help="pictures the judge picks from")
    _budget(tuning, "of a job (default 5)")


def _benchmark(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "part", nargs="?", choices=("speed", "finetune", "shapes"), default="speed", help="default speed"
    )
    command.add_argument("--repeats", type=whole(2, 1000), default=5, metavar="N")
    tuning = command.add_argument_group("finetune", "how fast each objective draws, updates and learns")
    tuning.add_argument("--objectives", metavar="NAMES", help="default: all that the judge allows")
    tuning.add_argument("--rater", metavar="NAME|PATH|REPO|URL", help="as --judge, but another model")
    _budget(tuning, "of each objective (default 2)")
    shapes = command.add_argument_group("shapes", "published models' full sizes with random weights, on a GPU")
    shapes.add_argument(
        "--size", dest="side", type=whole(256, 2048), metavar="PIXELS", help="of a drawn picture (default 1024)"
    )
    shapes.add_argument(
        "--scale", choices=("full", "tiny"), default="full", help="tiny: the same code anywhere, to try the command"
    )


def _budget(group: Any, text: str) -> None:
    group.add_argument("--minutes", type=number(0.01, 100_000), metavar="M", help=text)
    group.add_argument("--updates", type=whole(1, 1_000_000), metavar="N", help="in place of minutes")


def _space(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="OUT", help="a new or empty folder")
    command.add_argument("--hardware", default="cpu-basic", metavar="NAME", help="cpu-basic, zero-gpu, l4x1, ...")
    command.add_argument("--title", default="EmoFeedback", help="of the Space")


def _soak(command: argparse.ArgumentParser) -> None:
    command.add_argument("--users", type=whole(1, 500), default=20, metavar="N")
    command.add_argument("--minutes", type=number(0.01, 10_000), default=3.0, metavar="M")
    command.add_argument("--url", metavar="ADDRESS", help="of a studio that runs; else one is started here")
    command.add_argument("--pid", type=whole(1, 2**31), metavar="N", help="of that studio, to watch its memory")

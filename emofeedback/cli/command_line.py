"""The command line: every command with its options. Imports no model, so help and errors answer at once."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from emofeedback import __version__
from emofeedback.cli.benchmark_options import BenchmarkOptions
from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.estimate_options import EstimateOptions
from emofeedback.cli.evaluate.evaluate_options import (
    GradedOptions,
    JudgeOptions,
    LoopOptions,
    RewritingOptions,
    TuningOptions,
    VisualOptions,
)
from emofeedback.cli.evaluate.ratings_options import RatingsOptions
from emofeedback.cli.evaluate.suite_options import CompareOptions, ScoreOptions, SuiteOptions
from emofeedback.cli.finetune_options import FinetuneOptions
from emofeedback.cli.generate_options import GenerateOptions
from emofeedback.cli.render_options import RenderOptions
from emofeedback.cli.shared_options import OPTIONAL_VALUES, SHARED, SharedOptions
from emofeedback.cli.soak_options import SoakOptions
from emofeedback.cli.space_options import SpaceOptions
from emofeedback.cli.sweep_options import SweepOptions
from emofeedback.cli.train_options import TrainOptions
from emofeedback.errors import UserError
from emofeedback.home import expanded

PROGRAM = "emofeedback"
COMMANDS: dict[str, tuple[type[SharedOptions], str]] = {
    "generate": (GenerateOptions, "draw a prompt at a valence and arousal, read it, refine it"),
    "estimate": (EstimateOptions, "read valence and arousal in pictures"),
    "sweep": (SweepOptions, "one prompt over a grid or along a path of the plane"),
    "render": (RenderOptions, "draw labelled scenes of the scene world"),
    "train": (TrainOptions, "train a bundled model from scratch"),
    "finetune": (FinetuneOptions, "tune the generator on the judge's reward in a short job"),
    "benchmark": (BenchmarkOptions, "measure speed and memory on this machine"),
    "doctor": (SharedOptions, "check this installation"),
    "space": (SpaceOptions, "write a folder that is ready to push as a Hugging Face Space"),
    "soak": (SoakOptions, "many users at once against the studio's API, for some minutes"),
}
"""A command's options and its help; `emofeedback.cli.NAME_command` does it."""
SUBJECTS: dict[str, tuple[type[SharedOptions], str]] = {
    "generator": (GradedOptions, "how well the generator draws what it is asked for"),
    "judge": (JudgeOptions, "how well the judge reads scenes, or rated pictures"),
    "rater": (GradedOptions, "how well the second rater reads scenes"),
    "advice": (GradedOptions, "whether the judge's words help, and the rater agrees"),
    "loop": (LoopOptions, "what feedback gains over the best of as many pictures"),
    "finetune": (TuningOptions, "what fine-tuning gains over the base and best of N"),
    "rewriting": (RewritingOptions, "how varied rewrites are, and what emotion they carry"),
    "visual": (VisualOptions, "how far visual prompts move the emotion"),
    "suite": (SuiteOptions, "every way to draw an emotion on the same prompts and points, with its cost"),
    "score": (ScoreOptions, "a drawn suite, graded by another rater; nothing is drawn again"),
    "ratings": (RatingsOptions, "the outside eye: people or models that rate pictures blind"),
    "compare": (CompareOptions, "two reports or two arms of a suite, by paired tests"),
}
"""The same for `evaluate`; `emofeedback.cli.evaluate.evaluate_NAME` does it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for; `run` imports what the work needs."""

    command: str
    module: str
    options: SharedOptions

    def run(self, console: Console) -> CommandResult:
        outcome: CommandResult = importlib.import_module(self.module).run(self.options, console)
        return outcome


class Command(TyperCommand):
    """A command whose help has a section a panel and whose options never take the next option for their value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give options with an optional value their value; refuse others without one."""
        valued: dict[str, Any] = {
            name: p for p in self.params for name in p.opts if name.startswith("-") and not _is_switch(p)
        }
        given, rest = [], list(args)
        while rest:
            given.append(token := rest.pop(0))
            if token == "--":
                break
            if (found := valued.get(token)) is None:
                continue
            if rest and not rest[0].startswith("--"):
                given.append(rest.pop(0))
            elif found.metavar in OPTIONAL_VALUES:
                given.append(OPTIONAL_VALUES[found.metavar])
            else:
                raise typer.BadParameter("a value is missing", ctx, found)
        return super().parse_args(ctx, [*given, *rest])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, the command's own options, panel by panel, and the shared ones last."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                own = "Arguments" if param.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(param, "rich_help_panel", None) or own, []).append(record)
        shared = sections.pop(SHARED, [])
        for title, rows in (*sections.items(), (SHARED, shared)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _is_switch(param: Any) -> bool:
    return bool(getattr(param, "is_flag", False))


def command_line() -> Any:
    """The whole command line; called with arguments it gives an `Asked`, or an exit code after help."""
    names: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
    plain: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "context_settings": names}
    top = typer.Typer(
        **plain,
        help="Pictures that carry a set emotion, refined by a judge's feedback.",
        subcommand_metavar="COMMAND ...",
    )
    top.callback()(_version)
    for name, (options, text) in COMMANDS.items():
        _add(top, name, name, f"emofeedback.cli.{name}_command", options, text)
    top.add_typer(_evaluate(plain), name="evaluate")
    return typer.main.get_command(top)


def _evaluate(plain: dict[str, Any]) -> typer.Typer:
    group = typer.Typer(
        **plain,
        help="Measure one part with the second rater; report.json is written.",
        subcommand_metavar="SUBJECT ...",
    )
    for name, (options, text) in SUBJECTS.items():
        _add(group, name, f"evaluate {name}", f"emofeedback.cli.evaluate.evaluate_{name}", options, text)
    return group


def _add(group: typer.Typer, name: str, command: str, module: str, options: type[SharedOptions], text: str) -> None:
    asked = _callback(options, lambda given: Asked(command, module, given))
    group.command(name, cls=Command, help=text[0].upper() + text[1:] + ".")(asked)


def _callback(options: type[SharedOptions], make: Callable[[Any], Asked]) -> Callable[..., Asked]:
    """What typer calls: a function that takes the record's fields."""

    def asked(**given: Any) -> Asked:
        return make(options(**{name: _expanded(value) for name, value in given.items()}))

    asked.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]
    asked.__annotations__ = get_type_hints(options, include_extras=True)
    return asked


def _expanded(value: Any) -> Any:
    """Paths that begin with ~ in full: a shell leaves `--out=~/x` as it is."""
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    try:
        return expanded(value) if isinstance(value, Path) else value
    except UserError as error:
        raise typer.BadParameter(str(error)) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""

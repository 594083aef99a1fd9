"""`evaluate suite`: every arm on the same prompts and points; the table of the field, with what each arm costs."""

from pathlib import Path

from emofeedback.cli.console import CommandResult, Console, UsageError, names_in, usage
from emofeedback.cli.evaluate.evaluation_report import measured_rewriter
from emofeedback.cli.evaluate.suite_options import SuiteOptions
from emofeedback.cli.evaluate.suite_report import suite_result
from emofeedback.cli.settings_given import settings_from
from emofeedback.evaluation.suite.plan import ARMS, FORMS, Plan, in_order, possible
from emofeedback.evaluation.suite.prompt_sets import prompt_set
from emofeedback.machine.processes import Processes
from emofeedback.settings import Settings

DEFAULT_OUT = Path("emofeedback-out") / "suite"


def run(arguments: SuiteOptions, console: Console) -> CommandResult:
    """Draw what is missing in the folder, have the rater grade it, write report.json and report.html."""
    settings = settings_from(arguments)
    arms = _arms(arguments, settings)
    form = FORMS[arguments.form]
    with usage():
        prompts = prompt_set(arguments.prompts, arguments.count or form.prompts, settings.seed)
    processes = Processes.join(cpu=settings.device == "cpu")
    settings = settings.changed(device=processes.own_device(settings.device))
    console.progress("loading the models")
    from emofeedback.build import build_generator, build_judge, build_rater, build_rewriter
    from emofeedback.evaluation.suite.draw_arms import SuiteModels, draw_suite, grade_suite
    from emofeedback.evaluation.suite.store import SuiteFolder, rater_folder
    from emofeedback.judges.calibration import identity_of

    needs = {need for arm in arms for need in ARMS[arm].needs}
    generator, judge = build_generator(settings), build_judge(settings)
    rater = build_rater(settings, judge)
    rewriter = build_rewriter(settings.changed(rewriter=measured_rewriter(settings))) if "rewriter" in needs else None
    tuned = build_generator(settings.changed(adapter=arguments.tuned)) if "adapter" in needs else None
    models = {"generator": generator.name, "judge": judge.name, "judge_identity": identity_of(judge)}
    models |= {} if rewriter is None else {"rewriter": rewriter.name}
    models |= {} if tuned is None else {"tuned": str(arguments.tuned)}
    plan = Plan(
        prompts=prompts,
        grid=arguments.grid or form.grid,
        extent=arguments.extent,
        seed=settings.seed,
        rounds=arguments.rounds or form.rounds,
        candidates=arguments.candidates or form.candidates,
        arms=arms,
        models=models,
        strength=arguments.strength,
    )
    out = settings.out or DEFAULT_OUT
    if processes.main:
        SuiteFolder.begin(out, plan)
    processes.share(None)  # the others wait for the plan
    folder = SuiteFolder(out)
    mine, done, failure = processes.part(range(len(prompts))), 0, None

    def show(arm: str, prompt: int) -> None:
        nonlocal done
        done += 1
        console.bar(f"{arm}, prompt {prompt + 1}", done, 2 * len(mine) * len(plan.arms))

    try:
        draw_suite(SuiteModels(generator, judge, rewriter, tuned), folder, mine, done=show)
        grade_suite(rater, rater_folder(rater.name), folder, [(arm, i) for arm in plan.arms for i in mine], show)
    except Exception as error:  # the others wait for this part
        failure = error
    processes.gather([], failure)
    processes.leave()
    command = _command(arguments, settings)
    return suite_result(folder, command, names_in(arguments.metrics), settings, console)


def _arms(arguments: SuiteOptions, settings: Settings) -> tuple[str, ...]:
    """The arms that were named, or all that can be drawn.

    Raises:
        UsageError: one is unknown or lacks its adapter.
    """
    has = ["rewriter", "visual", *(["adapter"] if arguments.tuned else [])]
    if arguments.arms is None:
        named = possible(has)
        banked = settings.generator == "bundled" or settings.visual_prompts is not None
        return tuple(arm for arm in named if banked or "visual" not in ARMS[arm].needs)
    with usage():
        named = in_order(names_in(arguments.arms))
    for arm in named:
        if "adapter" in ARMS[arm].needs and not arguments.tuned:
            raise UsageError(f"The arm {arm} needs the adapter of a fine-tuning job; give it with --tuned.")
    if not named:
        raise UsageError("--arms names no arm.")
    return named


def _command(arguments: SuiteOptions, settings: Settings) -> str:
    """The command that makes the same suite."""
    parts = [f"emofeedback evaluate suite {arguments.form}"]
    for name in ("prompts", "count", "grid", "rounds", "candidates", "arms", "tuned", "rewriter", "rater", "metrics"):
        if (value := getattr(arguments, name)) is not None:
            parts.append(f"--{name} {value}")
    return " ".join([*parts, f"--extent {arguments.extent:g} --strength {arguments.strength:g} --seed {settings.seed}"])

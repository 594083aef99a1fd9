"""`generate`: the loop from the command line. Every round's pictures are written as soon as it is done."""

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from emofeedback.affect import MIKELS, Affect, emotion
from emofeedback.cli.console import CommandResult, Console, UsageError, names_in, plain_text, signed, usage
from emofeedback.cli.generate_options import GenerateOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.errors import UserError
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.open_picture import open_picture
from emofeedback.files.run_json import candidate_name, run_json
from emofeedback.files.storage import RUN_FILE, png_bytes, results_folder, write_json, write_whole
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import (
    Advised,
    Event,
    Finished,
    Progress,
    ReadDone,
    RoundDone,
    RoundStarted,
    RunOrder,
    rule_settings,
    run_loop,
)
from emofeedback.loop.waiting import Waiting
from emofeedback.picture_size import size_of
from emofeedback.protocols import left_out_of, negative_for
from emofeedback.records import Edit, Rewrites, Round, Run, VisualPrompt
from emofeedback.rewriting.director import turn_of
from emofeedback.rewriting.written import rewrites_json
from emofeedback.scenes.lexicon import seen_noun


def run(arguments: GenerateOptions, console: Console) -> CommandResult:
    """Draw, read and refine; the outcome is the run as JSON."""
    settings = settings_from(arguments)
    target = target_from(arguments)
    prompt = plain_text(arguments.prompt)
    start = open_picture(arguments.image) if arguments.image is not None else None
    with results_folder(settings.out) as folder:
        console.progress("loading the models")
        from emofeedback.build import build_generator, build_judge, build_rewriter, build_upscaler

        generator, judge, large = (
            build_generator(settings),
            build_judge(settings),
            LargePictures(build_upscaler(settings)),
        )
        rewriter = build_rewriter(settings, names_in(arguments.viewers))
        rewrites = rewriter.rewrite(prompt, target, seed=settings.seed) if rewriter is not None else None
        for sentence in rewrites.missing if rewrites is not None else ():
            console.note(sentence)
        unknown = generator.unknown_words(prompt)
        if unknown:
            console.note(f"{generator.name} does not know: {', '.join(unknown[:12])}{' ...' if unknown[12:] else ''}")
        drawing = Drawing(
            arguments.candidates,
            settings.seed,
            arguments.strength,
            arguments.steps,
            arguments.guidance,
            start,
            arguments.image_strength,
            visual_from(arguments),
            negative_for(generator, plain_text(arguments.negative)),
            size_of(arguments.size, generator.sizes, generator.size, generator.name),
        )
        rules = Rules(arguments.rounds, arguments.tolerance, arguments.patience, arguments.continuation)
        cut = left_out_of(generator)
        first = turn_of(rewrites.rewrites, prompt, settings.seed, arguments.candidates, cut) if rewrites else None
        events = run_loop(generator, judge, RunOrder(prompt, target, drawing, rules), first=first)
        said = {"rewrites": rewrites_json(rewrites)} if rewrites is not None else {}
        empty = Run(prompt, target, (), "cancelled", generator.name, judge.name)
        result = _follow(events, RunFolder(folder, rule_settings(drawing, rules), said, large), console, empty)
    data = {
        **run_json(result, folder, upscaling=large.upscaling),
        **said,
        "out": str(folder),
        "unknown_words": list(unknown),
    }
    text = "\n".join([*_rewrite_lines(rewrites), _text(result, folder)])
    return CommandResult(data, text, done=result.stopped not in ("cancelled", "unreadable"))


def visual_from(arguments: GenerateOptions) -> VisualPrompt | None:
    """The visual prompt that --visual and --visual-picture ask for; None = neither was given."""
    pictures = tuple((open_picture(file), 1.0) for file in arguments.visual_picture or ())
    if arguments.visual is None and not pictures:
        return None
    strength = 1.0 if arguments.visual is None else arguments.visual
    emotion_ = plain_text(arguments.emotion).strip().lower() if arguments.emotion is not None else None
    return VisualPrompt(strength, emotion_ if emotion_ in MIKELS else None, pictures=pictures)


def target_from(arguments: GenerateOptions) -> Affect:
    """The target from --valence and --arousal, or from --emotion."""
    valence, arousal = arguments.valence, arguments.arousal
    if arguments.emotion is not None:
        if valence is not None or arousal is not None:
            raise UsageError("Give either --emotion or --valence and --arousal, not both.")
        with usage():
            return emotion(plain_text(arguments.emotion))
    if valence is None or arousal is None:
        raise UsageError("Give both --valence and --arousal (each from -1 to 1), or --emotion NAME.")
    return Affect(valence, arousal)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run is written: each round's pictures as soon as it is done, run.json in the end.

    Attributes:
        settings: of the run's rules, which every picture carries.
        said: what run.json tells beside the run.
        large: in which size pictures are written.
    """

    path: Path
    settings: Mapping[str, object]
    said: Mapping[str, object]
    large: LargePictures = LargePictures()

    def write_round(self, done: Round) -> None:
        pictures = self.large.of_round(done.candidates)
        for index, (candidate, picture) in enumerate(zip(done.candidates, pictures, strict=True)):
            content = png_bytes(picture, candidate.reading, settings=self.settings)
            write_whole(self.path / candidate_name(done.number, index), content)

    def write_record(self, run: Run) -> None:
        write_json(self.path / RUN_FILE, {**run_json(run, upscaling=self.large.upscaling), **self.said})


def _follow(events: Iterator[Event], folder: RunFolder, console: Console, empty: Run) -> Run:
    """Write rounds as they finish; after Ctrl-C the finished ones make a run of their own."""
    done: list[Round] = []
    result = empty
    number = 1
    with closing(events):  # type: ignore[type-var]
        try:
            for event in events:
                match event:
                    case RoundStarted():
                        number = event.number
                    case Waiting():  # the last line stands
                        pass
                    case Progress():
                        console.bar(f"round {number}: drawing", event.step, event.steps)
                    case ReadDone():
                        console.progress(f"round {number}: asking for advice")
                    case Advised() if event.critique is None:
                        console.note(f"round {number}: the judge's advice could not be read")
                    case RoundDone():
                        folder.write_round(event.round)
                        done.append(event.round)
                        console.note(_round_line(event.round))
                    case Finished():
                        result = event.run
        except KeyboardInterrupt:
            if not done:
                raise
            result = Run(empty.prompt, empty.target, tuple(done), "cancelled", empty.generator, empty.judge)
            console.note("stopped at your request; the finished rounds are kept")
        except UserError:
            with suppress(UserError):  # what is done stays, if it can be written at all
                if done:
                    kept = Run(empty.prompt, empty.target, tuple(done), "cancelled", empty.generator, empty.judge)
                    folder.write_record(kept)
            raise
    folder.write_record(result)
    if result.failure is not None:
        raise UserError(result.failure)
    return result


def _round_line(done: Round) -> str:
    best = done.best()
    if best.reading is None:
        return f"round {done.number}: no picture could be read"
    affect = best.reading.affect
    return (
        f"round {done.number}: read valence {signed(affect.valence)}, arousal {signed(affect.arousal)}, "
        f"{best.distance:.2f} from the target ({done.cost.seconds:.1f} s)"
    )


def _rewrite_lines(rewrites: Rewrites | None) -> list[str]:
    if rewrites is None:
        return []
    by = [f"  {' + '.join(rewrite.viewers)}: {_short(rewrite.prompt)}" for rewrite in rewrites.rewrites]
    return ["Rewrites:", *by, ""]


def _text(run: Run, folder: Path) -> str:
    lines = [f"Target: valence {signed(run.target.valence)}, arousal {signed(run.target.arousal)}"]
    for r in run.rounds:
        lines += ["", f"Round {r.number}: {_short(r.prompt) or '(no words: pure mood)'}"]
        best = r.best()
        if best.reading is None:
            lines.append("  could not be read")
            continue
        affect = best.reading.affect
        kept = {True: ", content kept", False: ", content lost", None: ""}[best.content_kept]
        lines.append(
            f"  reads valence {signed(affect.valence)} ± {best.reading.valence_sd:.2f}, "
            f"arousal {signed(affect.arousal)} ± {best.reading.arousal_sd:.2f}; distance {best.distance:.2f}{kept}"
        )
        if best.picture.drawn_as is not None:
            lines.append(f"  drawn as: {best.picture.drawn_as}")
        if best.reading.seen:
            lines.append(f"  sees {', '.join(map(seen_noun, best.reading.words()))}")
        if r.critique is not None:
            lines.append(f"  {r.critique.analysis}")
            lines += [f"    {_edit_line(edit)}" for edit in r.critique.edits]
    why = {
        "tolerance": "the target was reached",
        "no_gain": "a round brought no gain",
        "rounds": "the rounds are used up",
        "no_edits": "the judge gave no further change",
        "unreadable": "no picture could be read",
        "advice_unreadable": "the judge's advice could not be read",
        "cancelled": "you asked to stop",
        "failed": "a model failed",
    }[run.stopped]
    lines += ["", f"Stopped because {why}."]
    best_run = run.best()
    for r in run.rounds:
        for index, candidate in enumerate(r.candidates):
            if candidate is best_run:
                lines.append(f"Best picture: {folder / candidate_name(r.number, index)}")
    return "\n".join(lines)


def _edit_line(edit: Edit) -> str:
    match edit.action:
        case "replace":
            return f"~ {edit.old} -> {edit.new}"
        case "add":
            return f"= {edit.new} (shown already, to stay)" if edit.keeps else f"+ {edit.new}"
        case _:
            return f"- {edit.old}"


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."

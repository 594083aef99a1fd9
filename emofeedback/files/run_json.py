"""Records as JSON, with the field names that callers of the CLI and readers of run.json rely on."""

from pathlib import Path

from emofeedback import __version__
from emofeedback.records import Candidate, Critique, PictureRequest, Reading, Run, VisualPrompt


def request_json(request: PictureRequest) -> dict[str, object]:
    return {
        "prompt": request.prompt,
        "valence": None if request.affect is None else request.affect.valence,
        "arousal": None if request.affect is None else request.affect.arousal,
        "seed": request.seed,
        "strength": request.strength,
        "steps": request.steps,
        "guidance": request.guidance,
        "start_strength": None if request.start is None else request.start_strength,
        **({} if request.visual is None else {"visual": visual_json(request.visual)}),
    }


def visual_json(visual: VisualPrompt) -> dict[str, object]:
    """A visual prompt; of a person's own pictures only how many there were."""
    return {
        "strength": visual.strength,
        "emotion": visual.emotion,
        "centres": None if visual.centres is None else [list(pair) for pair in visual.centres],
        "own_pictures": len(visual.pictures),
        "negative": visual.negative,
        "guidance": visual.guidance,
    }


def reading_json(reading: Reading, content_kept: bool | None = None) -> dict[str, object]:
    said = {"method": reading.method, "calibration": reading.calibration}
    return {
        "valence": round(reading.affect.valence, 4),
        "arousal": round(reading.affect.arousal, 4),
        "valence_sd": round(reading.valence_sd, 4),
        "arousal_sd": round(reading.arousal_sd, 4),
        "mass": round(reading.mass, 4),
        "seen": [{"aspect": s.aspect, "word": s.word, "probability": round(s.probability, 4)} for s in reading.seen],
        "content_kept": content_kept,
        **{name: value for name, value in said.items() if value is not None},
    }


def critique_json(critique: Critique | None) -> dict[str, object] | None:
    if critique is None:
        return None
    edits = [
        {"action": e.action, "old": e.old, "new": e.new, **({"keeps": True} if e.keeps else {})} for e in critique.edits
    ]
    return {"analysis": critique.analysis, "carries": list(critique.carries), "edits": edits}


def candidate_name(round_number: int, index: int) -> str:
    """The file name of a candidate's picture, unique in its run."""
    return f"round-{round_number:02d}-candidate-{index + 1:02d}.png"


def run_json(run: Run, folder: Path | None = None) -> dict[str, object]:
    """A run as DESIGN's JSON; `image` fields are file names, below `folder` where one is given."""

    def candidate_json(number: int, index: int, candidate: Candidate) -> dict[str, object]:
        name = candidate_name(number, index)
        reading = candidate.reading
        return {
            "image": name if folder is None else str(folder / name),
            "seed": candidate.picture.request.seed,
            "reading": None if reading is None else reading_json(reading, candidate.content_kept),
            "distance": None if candidate.distance is None else round(candidate.distance, 4),
            "chosen": candidate.chosen,
        }

    rounds, best_json, best = [], None, run.best()
    for r in run.rounds:
        candidates = [candidate_json(r.number, i, c) for i, c in enumerate(r.candidates)]
        for c, as_json in zip(r.candidates, candidates, strict=True):
            if c is best:
                best_json = {"round": r.number, "prompt": r.prompt, **as_json}
        rounds.append(
            {
                "number": r.number,
                "prompt": r.prompt,
                "candidates": candidates,
                "critique": critique_json(r.critique),
                "next_prompt": r.next_prompt,
                "advised_on": r.advised_on,
                "seconds": round(r.cost.seconds, 3),
                "cost": {name: round(getattr(r.cost, name), 3) for name in r.cost.__slots__},
            }
        )
    return {
        "prompt": run.prompt,
        "target": {"valence": run.target.valence, "arousal": run.target.arousal},
        "rounds": rounds,
        "best": best_json,
        "stopped": run.stopped,
        **({} if run.failure is None else {"failure": run.failure}),
        "generator": run.generator,
        "judge": run.judge,
        "settings": run.settings,
        "version": __version__,
    }

"""Advice examples for the judge: a picture, what was tried, a target, and the teacher's reply, made once and kept."""

import json
import multiprocessing
import os
import random
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from emofeedback.affect import Affect
from emofeedback.scenes.advice import advise, critique_to_json
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe, random_aspects
from emofeedback.scenes.grammar import Scene, poseable, sample_setting


@dataclass(frozen=True, slots=True)
class AdviceExample:
    """One lesson. Attempts are (prompt, valence, arousal), oldest first; the last one made picture `index`."""

    index: int
    attempts: tuple[tuple[str, float, float], ...]
    target: tuple[float, float]
    reply: str  # JSON

    def history(self) -> list[tuple[str, Affect | None]]:
        return [(prompt, Affect.clamped(valence, arousal)) for prompt, valence, arousal in self.attempts]


def other_setting(scene: Scene, rng: random.Random) -> Scene:
    """The same content in a random setting."""
    return replace(scene, **sample_setting(rng, scene.place, poseable(scene.subject, scene.companion)))


def example_for(number: int, index: int, scene: Scene, seed: int) -> AdviceExample:
    """Lesson `number`, on picture `index`; a pure function of its arguments.

    The prompt names any part of the setting, now and then another than the picture shows, as generators fail. One
    target in ten lies where the picture already is and four in ten not far from it, as later rounds do. Up to two
    earlier attempts came before.
    """
    rng = random.Random(f"lesson/{seed}/{number}")
    attempts = []
    for _ in range(rng.choices((0, 1, 2), weights=(0.4, 0.3, 0.3))[0]):
        attempts.append(_attempt(other_setting(scene, rng), rng))
    now = scene_affect(scene)
    drawn = other_setting(scene, rng) if rng.random() < 0.1 else scene
    prompt = describe(drawn, rng, random_aspects(rng))
    spread = rng.choices((0.07, 0.35, None), weights=(0.1, 0.4, 0.5))[0]
    target = Affect.clamped(
        *(
            round(rng.uniform(-1, 1) if spread is None else value + rng.gauss(0, spread), 1)
            for value in (now.valence, now.arousal)
        )
    )
    # What the judge reads is a little off; the lesson says so.
    read = (prompt, now.valence + rng.gauss(0, 0.04), now.arousal + rng.gauss(0, 0.04))
    reply = critique_to_json(advise(scene, prompt, target, rng))
    return AdviceExample(index, (*attempts, read), (target.valence, target.arousal), reply)


def _attempt(scene: Scene, rng: random.Random) -> tuple[str, float, float]:
    affect = scene_affect(scene)
    return describe(scene, rng, random_aspects(rng)), affect.valence, affect.arousal


def _lesson(item: tuple[int, int, Scene], seed: int) -> AdviceExample:
    return example_for(*item, seed)


def prepare_examples(path: Path, scenes: list[Scene], count: int, seed: int, workers: int = 2) -> list[AdviceExample]:
    """Lessons on `count` pictures (picture i mod len(scenes)), kept in `path` as JSON lines after a header line.

    A file with the same header is read instead of made again.
    """
    header = json.dumps({"count": count, "seed": seed, "scenes": len(scenes), "first": asdict(scenes[0])})
    if path.is_file():
        with path.open(encoding="utf-8") as stream:
            if stream.readline().rstrip("\n") == header:
                return [_from_record(json.loads(line)) for line in stream]
    items = [(i, i % len(scenes), scenes[i % len(scenes)]) for i in range(count)]
    if workers > 1:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            examples = pool.map(partial(_lesson, seed=seed), items, chunksize=64)
    else:
        examples = [_lesson(item, seed) for item in items]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(header + "\n")
        stream.writelines(json.dumps(asdict(example)) + "\n" for example in examples)
    os.replace(temporary, path)
    return examples


def _from_record(record: dict) -> AdviceExample:
    attempts = tuple((prompt, valence, arousal) for prompt, valence, arousal in record["attempts"])
    return AdviceExample(record["index"], attempts, (record["target"][0], record["target"][1]), record["reply"])

"""Few-step distillation: what the student is taught, how it is kept, and that it leaves all other drawing alone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from diffusers.models.embeddings import PatchEmbed
from peft import get_peft_model_state_dict
from PIL import Image
from tiny_finetune import tiny_checkpoint, tiny_generator
from torch import Tensor

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.flow.schedule import sigmas
from emofeedback.generators.scene.few_step import FACTS, FEW_STEP, FewStep, read_few_step
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.scenes.draw.render import render
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.few_step.distillation import Distillation, DistillRecipe, train_few_step
from emofeedback.training.few_step.student import Student, chord_loss, chord_points
from emofeedback.training.few_step.student_export import export_few_step, install_few_step, with_section
from emofeedback.training.few_step.trajectories import TrajectoryCache, TrajectoryPlan, make_trajectories, request_at

K = 2
RECIPE = DistillRecipe(steps=K, rank=4, batch=4, rate=1e-2)
FACT_VALUES: dict[str, float | int | str] = {
    "base": "x",
    "guidance": 3.0,
    "emotion_guidance": 3.0,
    "teacher_steps": 4,
    "trajectories": 8,
    "rank": 4,
    "updates": 1,
    "batch": 4,
    "minutes": 0.1,
    "loss": 0.5,
    "distance": 0.1,
    "distance_guided": 0.2,
    "distance_before": 0.3,
    "seed": 0,
    "threads": 1,
    "command": "train few-step",
}
AFFECT = Affect(0.5, -0.5)
PREVIEWS = [PictureRequest(prompt, AFFECT, seed, steps=K) for seed, prompt in enumerate(("a cat", "a dog"))]
OTHERS = [
    PictureRequest("a boat", AFFECT, 2, steps=3),
    PictureRequest("a cat", AFFECT, 3, steps=K, guidance=2.0),
    PictureRequest("a lake", None, 4, steps=K, guidance=1.0),
]


def plan(seed: int = 0) -> TrajectoryPlan:
    return TrajectoryPlan("base", seed, K, 4, 3.0, 3.0, shard=4, batch=3)


def taught(folder: Path) -> tuple[Path, Student]:
    """A student that differs from the base, and where it was exported."""
    student = Student(tiny_generator(), K, 4, seed=0)
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in student.weights:
            parameter += 0.3 * torch.randn(parameter.shape, generator=source)
            parameter.copy_(parameter.bfloat16().float())
    return export_few_step(student.pipeline, student.levels.tolist(), folder, FACT_VALUES), student


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taught(tmp_path_factory.mktemp("student"))[0]


def with_student(folder: Path, default: bool = False) -> SceneDiffusionGenerator:
    plain = tiny_generator()
    few = FewStep(folder, tuple(sigmas(K).tolist()), default)
    return SceneDiffusionGenerator(plain.pipeline, plain.adapter, few_step=few)


def draw(generator: SceneDiffusionGenerator, requests: list[PictureRequest]) -> list[np.ndarray]:
    return [np.asarray(p.image) for p in generator.generate(requests)]


def same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@contextmanager
def forwards(generator: SceneDiffusionGenerator) -> Iterator[list[int]]:
    """Batch sizes of the forward passes of transformers, whether the pipeline's or the student's."""
    rows: list[int] = []

    def count(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, PatchEmbed):
            rows.append(len(inputs[0]))

    hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
    try:
        yield rows
    finally:
        hook.remove()


# ---------------------------------------------------------------- what is taught


def test_a_student_that_goes_straight_from_end_to_end_has_no_loss_and_arrives() -> None:
    levels = sigmas(4, 2.0)
    ends = torch.randn(6, 5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    chords = (ends[:, 1:] - ends[:, :-1]) / (levels[1:] - levels[:-1])[:, None, None, None]
    windows, places = torch.tensor([0, 1, 2, 3, 0, 2]), torch.tensor([0.0, 0.5, 0.9, 0.0, 0.3, 0.0])

    def straight(noisy: Tensor, times: Tensor) -> Tensor:
        inside = torch.tensor([int((levels >= t).sum()) - 1 for t in times])
        return chords[torch.arange(len(noisy)), inside]

    points = chord_points(ends, levels, windows, places)
    predicted = straight(points.noisy, points.times)
    assert float(chord_loss(predicted, points)) == pytest.approx(0.0, abs=1e-10)
    assert float(chord_loss(predicted + 0.5, points)) == pytest.approx(0.25, rel=1e-4)
    starts = places == 0
    assert torch.equal(points.noisy[starts], ends[torch.arange(6), windows][starts])
    assert torch.allclose(points.arrived(points.velocity), ends[torch.arange(6), windows + 1], atol=1e-4)


def test_trajectories_begin_in_noise_and_end_where_the_generator_draws(tmp_path: Path) -> None:
    teacher = tiny_generator()
    make_trajectories(tmp_path, teacher, plan(), 4)
    cache = TrajectoryCache(tmp_path, plan(), 4)
    requests = [replace(r, steps=4) for r in cache.requests(range(4))]
    ends = cache.latents(range(4))
    assert requests[2].seed == request_at(0, 2).seed
    assert torch.allclose(ends[:, 0], teacher.noise([r.seed for r in requests]), atol=2e-3)
    with torch.no_grad():
        pictures = teacher.decode(ends[:, -1]).add(1).mul(127.5).round().clamp(0, 255).permute(0, 2, 3, 1).numpy()
    for ours, theirs in zip(pictures, draw(teacher, requests), strict=True):
        assert np.abs(ours - theirs.astype(float)).max() <= 2


def test_straight_ways_lead_to_the_rendered_scene_of_the_plan(tmp_path: Path) -> None:
    teacher = tiny_generator()
    teacher.plans = True
    rendered = replace(plan(), rendered=True)
    make_trajectories(tmp_path, teacher, rendered, 4)
    cache = TrajectoryCache(tmp_path, rendered, 4)
    requests, ends = cache.requests(range(4)), cache.latents(range(4))
    scenes = [found.scene if (found := teacher.plan_of(request)) else None for request in requests]
    assert all(scenes)
    clean = teacher.latents_of([render(scene, teacher.size) for scene in scenes if scene is not None])
    noise = teacher.noise([r.seed for r in requests])
    for k, level in enumerate(teacher.levels(K).tolist()):
        assert torch.allclose(ends[:, k], level * noise + (1 - level) * clean, atol=5e-3)
    with pytest.raises(UserError, match="another teacher or recipe"):
        make_trajectories(tmp_path, teacher, plan(), 4)


def test_a_student_begins_as_another(tmp_path: Path) -> None:
    folder, student = taught(tmp_path)
    again = Student(tiny_generator(), K, 4, seed=3, start_from=folder)
    assert all(torch.equal(a, b) for a, b in zip(student.weights, again.weights, strict=True))
    for wrong in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UserError, match="no student"):
            Student(tiny_generator(), K, 4, seed=3, start_from=wrong)
    with pytest.raises(UserError, match="rank 8"):
        Student(tiny_generator(), K, 8, seed=3, start_from=folder)


def test_half_of_the_emotions_are_not_those_of_the_words() -> None:
    requests = [request_at(0, i) for i in range(300)]
    assert requests[7] == request_at(0, 7)
    assert len({r.seed for r in requests}) == 300
    assert 10 < sum(r.affect is None for r in requests) < 60
    corner = [r for r in requests if r.affect and min(abs(r.affect.valence), abs(r.affect.arousal)) > 0.6]
    assert len(corner) > 10
    assert sum(len(r.prompt.split()) <= 9 for r in requests) > 100


# ---------------------------------------------------------------- how it is kept


def test_a_killed_cache_goes_on_with_the_shards_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    make_trajectories(straight, tiny_generator(), plan(), 8)
    make_trajectories(killed, tiny_generator(), plan(), 4)
    first = (killed / "shard-00000.npy").stat().st_mtime_ns
    real = np.save

    def cut_short(path: Path, rows: np.ndarray) -> None:
        real(path, rows[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", cut_short)
    with pytest.raises(KeyboardInterrupt):
        make_trajectories(killed, tiny_generator(), plan(), 8)
    monkeypatch.undo()
    with pytest.raises(UserError, match="missing"):
        TrajectoryCache(killed, plan(), 8)
    make_trajectories(killed, tiny_generator(), plan(), 8)
    assert (killed / "shard-00000.npy").stat().st_mtime_ns == first
    ours, theirs = TrajectoryCache(killed, plan(), 8), TrajectoryCache(straight, plan(), 8)
    assert torch.equal(ours.latents(range(8)), theirs.latents(range(8)))
    assert ours.requests(range(8)) == theirs.requests(range(8))
    with pytest.raises(UserError, match="another teacher"):
        make_trajectories(killed, tiny_generator(), plan(seed=1), 8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryCache:
    folder = tmp_path_factory.mktemp("trajectories")
    make_trajectories(folder, tiny_generator(), plan(), 12)
    return TrajectoryCache(folder, plan(), 12)


def distillation(cache: TrajectoryCache, recipe: DistillRecipe = RECIPE) -> Distillation:
    return Distillation(Student(tiny_generator(), K, 4, seed=0), cache, range(2), recipe, seed=5)


def test_the_loss_falls_and_only_the_lora_learns(cache: TrajectoryCache, tmp_path: Path) -> None:
    trained = distillation(cache)
    learning = {id(p) for p in trained.student.weights}
    named = list(trained.student.pipeline.transformer.named_parameters())
    assert {id(p) for _, p in named if p.requires_grad} == learning
    assert all((".lora_" in name) == (id(p) in learning) for name, p in named)
    before = trained.distance()
    losses = [trained.step(i, 0.1)["loss"] for i in range(40)]
    assert sum(losses[-8:]) < 0.9 * sum(losses[:8])
    kept = [p.detach().clone() for p in trained.student.weights]
    with trained.averaged():
        assert trained.distance() != before
    assert all(torch.equal(p, q) for p, q in zip(kept, trained.student.weights, strict=True))
    trained.look(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as page:
        assert page.size == (2 * 16 + 2, 2 * 16 + 2)


def test_a_critic_learns_to_tell_what_was_not_drawn_by_the_teacher(cache: TrajectoryCache) -> None:
    critical = distillation(cache, replace(RECIPE, critic=True, critic_rate=5e-3))
    losses = []
    for i in range(40):
        points, _ = critical.batch(i)
        losses.append(critical._teach_critic(points, torch.zeros_like(points.velocity)))  # a student that stands still
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_the_critic_pulls_only_after_its_share_of_the_run(cache: TrajectoryCache) -> None:
    recipe = replace(RECIPE, critic=True, critic_from=0.5, critic_pull=2.0)
    plain, critical = distillation(cache), distillation(cache, recipe)

    def apart() -> float:
        rows = zip(plain.student.weights, critical.student.weights, strict=True)
        return max(float((p - q).detach().abs().max()) for p, q in rows)

    for i, progress in enumerate((0.1, 0.1, 0.6, 0.6)):
        losses = plain.step(i, progress), critical.step(i, progress)
        assert "critic" not in losses[0] and np.isfinite(losses[1]["critic"])
        if i == 1:
            before = apart()
    assert before < 1e-3 < apart()
    with pytest.raises(ValueError, match="critic"):
        plain.load(critical.state())


# ---------------------------------------------------------------- how it draws


def test_previews_take_as_many_forward_passes_as_the_student_has_steps(exported: Path) -> None:
    generator = with_student(exported)
    assert generator.preview_steps == K
    with forwards(generator) as rows:
        drawn = draw(generator, PREVIEWS)
    assert rows == [2] * K
    assert not same(drawn, draw(tiny_generator(), [replace(r, guidance=1.0) for r in PREVIEWS]))


def test_the_generator_draws_what_the_student_learned(tmp_path: Path) -> None:
    folder, student = taught(tmp_path)
    generator = with_student(folder)
    latents = student.draw(generator.noise([r.seed for r in PREVIEWS]), PREVIEWS)
    with torch.no_grad():
        pictures = generator.decode(latents).add(1).mul(127.5).round().clamp(0, 255).permute(0, 2, 3, 1).numpy()
    for ours, theirs in zip(pictures, draw(generator, PREVIEWS), strict=True):
        assert np.abs(ours - theirs.astype(float)).mean() < 2  # bfloat16 against float32


def test_all_other_requests_draw_bit_for_bit_as_without_the_student(exported: Path) -> None:
    expected, generator = draw(tiny_generator(), OTHERS), with_student(exported)
    assert same(draw(generator, OTHERS), expected)
    draw(generator, PREVIEWS)
    assert same(draw(generator, OTHERS), expected)


def test_a_batch_of_both_kinds_equals_separate_draws(exported: Path) -> None:
    apart = draw(with_student(exported), PREVIEWS), draw(with_student(exported), OTHERS)
    mixed = draw(with_student(exported), [PREVIEWS[0], OTHERS[0], PREVIEWS[1], *OTHERS[1:]])
    assert same([mixed[0], mixed[2]], apart[0])
    assert same([mixed[1], *mixed[3:]], apart[1])


def test_a_stop_in_a_preview_leaves_nothing_behind(exported: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise RuntimeError("stopped")

    generator = with_student(exported)
    with pytest.raises(RuntimeError, match="stopped"):
        list(generator.generate(PREVIEWS, stop))
    assert same(draw(generator, OTHERS), draw(tiny_generator(), OTHERS))


def test_a_tuned_adapter_combines_with_the_student(exported: Path, tmp_path: Path) -> None:
    policy = ScenePolicy(tiny_generator(), rank=4)
    source = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=source)
    pipeline = policy.generator.pipeline
    layers = get_peft_model_state_dict(pipeline.transformer, adapter_name="policy")
    pipeline.save_lora_weights(tmp_path, transformer_lora_layers={k: v.detach() for k, v in layers.items()})
    plain, generator = tiny_generator(), with_student(exported)
    student = draw(generator, PREVIEWS)
    plain.load_adapter(tmp_path)
    generator.load_adapter(tmp_path)
    both = draw(generator, PREVIEWS)
    assert not same(both, student)
    assert not same(both, draw(plain, [replace(r, guidance=1.0) for r in PREVIEWS]))
    assert same(draw(generator, OTHERS), draw(plain, OTHERS))  # the adapter alone
    generator.load_adapter(tmp_path, 0.0)
    assert same(draw(generator, PREVIEWS), student)


def test_a_policy_learns_on_though_a_preview_was_drawn(exported: Path) -> None:
    generator = with_student(exported)
    preview = draw(generator, PREVIEWS)
    policy = ScenePolicy(generator, rank=4)
    conditions = policy.conditions(OTHERS)
    noisy, times = torch.randn(3, 4, 4, 4), torch.tensor([0.2, 0.5, 0.9])
    base = ScenePolicy(tiny_generator(), rank=4).velocity(noisy, times, conditions, "base")
    assert torch.equal(policy.velocity(noisy, times, conditions, "base"), base)
    assert torch.equal(policy.velocity(noisy, times, conditions), base)
    assert same(draw(generator, PREVIEWS), preview)  # the policy's second matrices still are 0
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.2
    assert not same(draw(generator, PREVIEWS), preview)
    with policy.using("base"):
        assert same(draw(generator, PREVIEWS), preview)
    policy.velocity(noisy, times, conditions).square().mean().backward()
    assert any(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in policy.parameters())
    learning = {id(p) for p in policy.parameters()}
    assert {id(p) for p in generator.pipeline.transformer.parameters() if p.requires_grad} == learning


def test_as_the_default_it_draws_what_leaves_the_steps_open(exported: Path) -> None:
    generator = with_student(exported, default=True)
    with forwards(generator) as rows:
        drawn = draw(generator, [replace(PREVIEWS[0], steps=None)])
    assert rows == [1] * K
    assert same(drawn, draw(generator, PREVIEWS[:1]))


# ---------------------------------------------------------------- from end to end


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "scene-generator")


def test_a_student_is_trained_installed_checked_and_drawn_by_stock_diffusers(checkpoint: Path, tmp_path: Path) -> None:
    assert read_few_step(checkpoint) is None
    run = TrainingRun(steps=2, threads=1)
    student = train_few_step(checkpoint, tmp_path / "out", run, 64, tmp_path / "data", RECIPE)
    assert read_few_step(checkpoint) is None  # the teacher is only read
    install_few_step(student, checkpoint)
    install_few_step(student, checkpoint, default=True)
    digests = json.loads((checkpoint / "checksums.json").read_text())
    assert {f"{FEW_STEP}/{FACTS}", f"{FEW_STEP}/pytorch_lora_weights.safetensors"} <= set(digests)
    card = (checkpoint / "README.md").read_text()
    assert card.count("## Few-step student") == 1
    assert card.index("## Few-step student") < card.index("## Limits")
    assert "{" not in card
    generator = SceneDiffusionGenerator.from_pretrained(checkpoint, dtype=torch.float32)
    assert (generator.default_steps, generator.preview_steps, generator.moving_steps) == (K, K // 2, 1)
    with forwards(generator) as rows:
        draw(generator, [PictureRequest("a cat", AFFECT, 1)])
    assert rows == [1] * K
    stock = StableDiffusion3Pipeline.from_pretrained(
        checkpoint, text_encoder_3=None, tokenizer_3=None, torch_dtype=torch.float32
    )
    stock.load_lora_weights(str(checkpoint / FEW_STEP))
    noise = generator.noise([3])
    image = stock(
        "a cat", sigmas=[1.0, 0.5], guidance_scale=1.0, height=16, width=16, max_sequence_length=1, latents=noise
    ).images[0]
    generator.plans = False
    ours = draw(generator, [PictureRequest("a cat", None, 3)])[0]
    assert np.abs(np.asarray(image, dtype=float) - ours).max() <= 2


def test_a_student_of_other_weights_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    student = tmp_path / "student"
    folder, _ = taught(student)
    with pytest.raises(UserError, match="other weights"):
        install_few_step(folder, checkpoint)


def test_the_card_keeps_its_other_sections() -> None:
    card = with_section("# A\n\n## Recipe\nx\n\n## Limits\ny\n", "## Few-step student\none\n")
    assert with_section(card, "## Few-step student\none\n") == card
    assert card == "# A\n\n## Recipe\nx\n\n## Few-step student\none\n\n## Limits\ny\n"


def test_with_a_negative_prompt_the_base_draws_with_guidance(exported: Path) -> None:
    """The student has guidance folded in, so that nothing can lead it away from other words."""
    asked = PictureRequest("a boat on a lake", Affect(0.4, 0.2), 3, negative="a dog in a forest")
    generator, base = with_student(exported, default=True), tiny_generator()
    drawn = draw(generator, [asked, replace(asked, steps=K)])  # the number that a page asks for is the default one
    guided = draw(base, [replace(asked, steps=base.guided_steps)] * 2)
    assert same(drawn, guided)
    assert not same(drawn[:1], draw(base, [replace(asked, steps=base.guided_steps, negative="")]))
    assert not generator.few_step.draws(asked, K) and generator.few_step.draws(replace(asked, negative=""), K)


def test_away_from_its_own_words_a_picture_is_that_without_guidance() -> None:
    """u + w (c - u) with u = c is c, whatever w is; and each request of a batch has its own negative prompt."""
    generator, asked = tiny_generator(), PictureRequest("a boat on a lake", None, 3, steps=3)
    plain, own, other, none = (
        np.asarray(picture.image, dtype=int)
        for picture in generator.generate(
            [
                replace(asked, guidance=1.0),
                replace(asked, guidance=5.0, negative=asked.prompt),
                replace(asked, guidance=5.0, negative="a dog in a forest"),
                replace(asked, guidance=5.0),
            ]
        )
    )
    assert np.abs(plain - own).max() <= 2
    assert not np.array_equal(other, own) and not np.array_equal(other, none)
    with pytest.raises(UserError, match="needs guidance"):
        list(generator.generate([replace(asked, guidance=1.0, negative="a dog")]))
    with pytest.raises(UserError, match="pixels only"):
        list(generator.generate([replace(asked, size=(64, 32))]))


def test_a_student_draws_in_a_part_of_its_steps_too() -> None:
    few = FewStep(Path(), (1.0, 0.75, 0.5, 0.25, 0.0))
    assert [few.levels(steps) for steps in (4, 2, 1)] == [few.sigmas, (1.0, 0.5, 0.0), (1.0, 0.0)]
    asked = PictureRequest("a dog", None, 1)
    assert [few.draws(asked, steps) for steps in (1, 2, 3, 4, 8)] == [True, True, False, True, False]
    assert few.preview_steps == 2 and FewStep(Path(), (1.0, 0.6, 0.3, 0.0)).preview_steps == 3

"""Fine-tuning in processes of their own: one is killed and its job goes on; two do the work of one."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import torch
from forked import Forked, fork
from tiny_finetune import job

from emofeedback.errors import UserError
from emofeedback.files.training_state import load_state
from emofeedback.finetuning.trainer import STATE
from emofeedback.machine.processes import Processes

WORKER = Path(__file__).with_name("finetune_worker.py").read_text()


def start(out: Path, updates: int, **environment: str) -> Forked:
    return fork(WORKER, str(out), str(updates), environ={**os.environ, **environment})


def flat(folder: Path) -> torch.Tensor:
    return torch.cat([value.flatten() for value in load_state(folder / STATE)["policy"].values()]).double()


def test_a_job_that_kill_9_ended_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    victim = start(tmp_path / "killed", 1000)
    victim.says('"update": 3')  # the state of this update is perhaps not written yet
    victim.process.kill()
    assert victim.wait().returncode == -signal.SIGKILL
    done = load_state(tmp_path / "killed" / STATE)["done"]
    assert 2 <= done < 1000
    resumed = job(tmp_path / "killed", updates=done + 2, micro_batch=4, audit_every=2)
    resumed.load()
    resumed.run()
    straight = job(tmp_path / "straight", updates=done + 2, micro_batch=4, audit_every=2)
    straight.run()
    states = [load_state(trainer.out / STATE) for trainer in (resumed, straight)]
    for state in states:
        state.pop("elapsed")
    (ours, theirs) = (json.dumps(s, default=lambda tensor: tensor.tolist()) for s in states)
    assert ours == theirs  # adapter, optimizer, audits, best so far, guard
    kept = zip(resumed.policy.parameters(), straight.policy.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in kept)


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    there = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    both = [start(tmp_path / "two", 1, RANK=str(rank), LOCAL_RANK=str(rank), **there) for rank in (0, 1)]
    assert [process.wait().returncode for process in both] == [0, 0], both[0].stderr
    said = [process.stdout for process in both]
    assert said[1] == ""  # the main process speaks for both
    one = job(tmp_path / "one", updates=1, micro_batch=4, audit_every=2)
    begun = torch.cat([p.detach().flatten() for p in one.policy.parameters()]).double()
    one.run()
    ours, theirs = flat(tmp_path / "one") - begun, flat(tmp_path / "two") - begun
    assert float(ours.norm()) > 0
    # 1.2e-5 when the gradients were summed in float32: Adam divides rounding noise near zero by itself
    assert float((ours - theirs).norm() / ours.norm()) < 1e-5
    alone = next(e for e in one.log.read() if e["kind"] == "update")
    together = next(e for e in map(json.loads, said[0].splitlines()) if e["kind"] == "update")
    for name in ("reward", "loss", "gradient", "diversity", "missing", "zero_variance", "pictures"):
        assert together[name] == pytest.approx(alone[name], rel=1e-4), name


def test_groups_are_never_split() -> None:
    assert [Processes(rank, 2).part(range(4)) for rank in (0, 1)] == [[0, 1], [2, 3]]
    with pytest.raises(UserError, match="without splitting a group"):
        job(Path("unused"), processes=Processes(0, 3), prompts=2)


def test_without_a_launcher_a_process_is_alone() -> None:
    alone = Processes.join({"WORLD_SIZE": "none"})
    assert alone == Processes() and alone.own_device("cuda") == "cuda"
    assert alone.main and alone.share({"a": 1.5}) == {"a": 1.5} and alone.total(2.0) == 2.0

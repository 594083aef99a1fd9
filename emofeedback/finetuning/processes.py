"""Several processes that train one adapter: each draws, scores and learns from whole groups; gradients are summed.

`accelerate launch -m emofeedback finetune ...` (or torchrun) starts them and sets WORLD_SIZE, RANK and the address;
accelerate then chooses the transport: NCCL between GPUs, gloo between CPUs. Nothing is pickled: what processes tell
each other is numbers and JSON.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor, distributed, nn


def launched(environ: Mapping[str, str]) -> int:
    """How many processes a launcher started; 1 without one."""
    try:
        return max(1, int(environ.get("WORLD_SIZE", "1")))
    except ValueError:
        return 1


def own_device(device: str, environ: Mapping[str, str]) -> str:
    """The device of this process: with several, "auto" and "cuda" mean the GPU that the launcher meant for it."""
    if launched(environ) > 1 and device in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{int(environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"
    return device


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of the job; alone, every method is the identity.

    All methods but `part` are collective: every process calls them in the same order.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @classmethod
    def join(cls, device: torch.device) -> "Processes":
        """Meet the others that the launcher started; alone where there was none."""
        if launched(os.environ) == 1:
            return cls()
        state = PartialState(cpu=device.type == "cpu")
        return cls(state.process_index, state.num_processes, device)

    @property
    def main(self) -> bool:
        """Whether this process audits, writes and speaks."""
        return self.rank == 0

    def part(self, groups: int) -> range:
        """The groups of this process among `groups`, which the number of processes divides."""
        share = groups // self.count
        return range(self.rank * share, (self.rank + 1) * share)

    def gather(self, rows: Tensor) -> Tensor:
        """Rows [n, ...] of every process, one below the other in their order."""
        if self.count == 1:
            return rows
        mine = rows.to(self.device).contiguous()
        parts = [torch.empty_like(mine) for _ in range(self.count)]
        distributed.all_gather(parts, mine)
        return torch.cat(parts).to(rows.device)

    def total(self, value: float) -> float:
        """The sum of everybody's value."""
        if self.count == 1:
            return value
        return float(self.gather(torch.tensor([value], dtype=torch.float64)).sum())

    def any(self, flag: bool) -> bool:
        """Whether it is true for anybody."""
        return self.total(float(flag)) > 0

    def sum_gradients(self, parameters: Sequence[nn.Parameter], sums: Sequence[Tensor]) -> None:
        """Put everybody's `sums` of gradients, one for each parameter, together in place of the gradients."""
        if self.count > 1:
            flat = torch.cat([value.flatten() for value in sums])
            distributed.all_reduce(flat)
            sums = flat.split([p.numel() for p in parameters])
        for parameter, value in zip(parameters, sums, strict=True):
            parameter.grad = value.view_as(parameter).to(parameter.dtype)

    def share(self, value: Any) -> Any:
        """The main process's value, which JSON can say."""
        if self.count == 1:
            return value
        said = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8).to(self.device)
        length = torch.tensor([len(said)], device=self.device)
        distributed.broadcast(length, 0)
        if not self.main:
            said = torch.empty(int(length), dtype=torch.uint8, device=self.device)
        distributed.broadcast(said, 0)
        return json.loads(bytes(said.cpu().tolist()))

    def leave(self) -> None:
        """Take leave of the others."""
        if self.count > 1:
            distributed.destroy_process_group()

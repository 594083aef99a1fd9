"""One command over several processes: `accelerate launch -m emofeedback estimate ...` and `sweep ...`.

Each process loads the models, works on its part, and all parts are gathered once, in order; the main process writes
and speaks. Without a launcher a process is alone and nothing of accelerate is loaded.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from emofeedback.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Team:
    """This process among those that work on one command."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, environ: Mapping[str, str] = os.environ, cpu: bool = False) -> "Team":
        """Meet the others that a launcher started; alone where there was none.

        Args:
            cpu: talk through gloo, although there may be GPUs.
        """
        if environ.get("WORLD_SIZE", "1") in ("", "1"):
            return cls()
        from accelerate import PartialState  # heavy, and needed with a launcher alone

        state = PartialState(cpu=cpu)
        return cls(state.process_index, state.num_processes)

    @property
    def main(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def own_device(self, device: str) -> str:
        """The GPU that the launcher meant for this process, where "auto" or "cuda" was asked for and there are any."""
        if self.count == 1 or device not in ("auto", "cuda"):
            return device
        from accelerate import PartialState

        return str(PartialState().device)

    def part(self, items: Sequence[T]) -> list[T]:
        """This process' share: consecutive items, the first processes one more where it does not divide."""
        if self.count == 1:
            return list(items)
        from accelerate import PartialState

        with PartialState().split_between_processes(list(range(len(items)))) as own:
            return [items[k] for k in own]

    def gather(self, rows: Sequence[T], failure: UserError | None = None) -> list[T]:
        """Everybody's rows in the order of the processes. Collective: every process calls it once, failed or not.

        Raises:
            UserError: somebody's work failed.
        """
        if self.count == 1:
            if failure is not None:
                raise failure
            return list(rows)
        from accelerate.utils import gather_object

        packed: list[Any] = [(list(rows), None if failure is None else str(failure))]
        found = gather_object(packed)
        broken = next((said for _, said in found if said is not None), None)
        if broken is not None:
            raise UserError(broken)
        return [row for part, _ in found for row in part]

    def leave(self) -> None:
        """Wait for the others and part; a process that is not the main one ends here, since one speaks for all.

        Raises:
            SystemExit: with 0, in all but the main process.
        """
        if self.count == 1:
            return
        from accelerate import PartialState

        state = PartialState()
        state.wait_for_everyone()
        state.destroy_process_group()
        if not self.main:
            raise SystemExit(0)

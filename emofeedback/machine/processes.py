"""One command over several processes: `accelerate launch -m emofeedback estimate|sweep|finetune ...`.

`accelerate launch` (or torchrun) starts the processes and sets WORLD_SIZE, RANK and the address; accelerate chooses
the transport: NCCL between GPUs, gloo between CPUs. Each process loads the models and works on its part; the main one
writes and speaks. Values travel pickled, which is safe between processes of one command. Without a launcher a process
is alone and nothing of accelerate is loaded.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from emofeedback.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of one command; alone, every method is the identity.

    `gather`, `total`, `any`, `share`, `sum` and `leave` are collective: every process calls them in the same order.
    They raise UserError where another process is gone.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, environ: Mapping[str, str] = os.environ, cpu: bool = False) -> "Processes":
        """Meet the others that a launcher started; alone where there was none.

        Args:
            cpu: talk through gloo, although there may be GPUs.
        """
        if not environ.get("WORLD_SIZE", "1").isdigit() or int(environ.get("WORLD_SIZE", "1")) <= 1:
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
        share, more = divmod(len(items), self.count)
        start = self.rank * share + min(self.rank, more)
        return list(items[start : start + share + (self.rank < more)])

    def gather(self, rows: Sequence[T], failure: Exception | None = None) -> list[T]:
        """Everybody's rows in the order of the processes; called once by every process, failed or not.

        Args:
            failure: what went wrong here; it is raised again, and the others end with its sentence.

        Raises:
            UserError: another process failed.
        """
        if self.count > 1:
            from accelerate.utils import gather_object

            packed: list[Any] = [(list(rows), None if failure is None else self._sentence(failure))]
            found = _collective(lambda: gather_object(packed))
            broken = next((said for _, said in found if said is not None), None)
            if failure is None and broken is not None:
                raise UserError(broken)
            rows = [row for part, _ in found for row in part]
        if failure is not None:
            raise failure
        return list(rows)

    def _sentence(self, failure: Exception) -> str:
        if isinstance(failure, UserError):
            return str(failure)
        return f"Process {self.rank} of {self.count} failed ({type(failure).__name__}: {failure}); see its messages."

    def total(self, value: float) -> float:
        """The sum of everybody's value."""
        return value if self.count == 1 else sum(self.gather([value]))

    def any(self, flag: bool) -> bool:
        """Whether it is true for anybody."""
        return self.total(float(flag)) > 0

    def share(self, value: T) -> T:
        """The main process's value."""
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        said: list[Any] = [value]
        return _collective(lambda: broadcast_object_list(said))[0]

    def sum(self, tensor: "Tensor") -> "Tensor":
        """The sum of everybody's tensor, all of one shape and on the devices of the processes."""
        if self.count == 1:
            return tensor
        from accelerate.utils import reduce

        return _collective(lambda: reduce(tensor, "sum"))

    def leave(self) -> None:
        """Wait for the others and part; a process that is not the main one ends here, since one speaks for all.

        Raises:
            SystemExit: with 0, in all but the main process.
        """
        if self.count == 1:
            return
        from accelerate import PartialState

        state = PartialState()
        _collective(state.wait_for_everyone)
        state.destroy_process_group()
        if not self.main:
            raise SystemExit(0)


def close_group() -> None:
    """Part from the others where that has not been done: an interpreter that ends in a group aborts now and then."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _collective(call: Callable[[], T]) -> T:
    """What the call gives; the transport's error where another process is gone becomes a sentence."""
    try:
        return call()
    except RuntimeError as error:
        raise UserError("Another process of this command ended before its work was done; see its messages.") from error

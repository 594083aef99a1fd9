"""A tiny job in a process of its own, which the tests kill or start twice: `finetune_worker.py OUT UPDATES`."""

import json
import sys
from pathlib import Path

import torch
from tiny_finetune import job

from emofeedback.machine.processes import Processes


def main(out: str, updates: str) -> None:
    torch.set_num_threads(1)
    processes = Processes.join(cpu=True)
    trainer = job(Path(out), processes=processes, updates=int(updates), micro_batch=4, audit_every=2)
    trainer.run(on_event=lambda entry: print(json.dumps(entry), flush=True))
    processes.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One rank of two that share a model out and write it: `shared_model FOLDER`, its number in `RANK` and `LOCAL_RANK`.

The first try of rank 0 meets a device without room. `found.json` says whether each rank has `loaded` the tiny base, and
what was written at last: the shapes of weights and moments, and whether the weights are `the_same` that both hold
together by torch's own word.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import distributed
from torch.distributed.fsdp import fully_shard

from core.engine.load import hardware, load_base
from core.engine.ranks import Rank
from core.engine.worker import Worker
from core.jobs.folder import JobFolder
from core.training.rank_saving import RankSaving
from core.training.saving import write_whole
from tests.kit.training_runs import recipe


def main(argv: Sequence[str]) -> int:
    """Trains one step and writes what came of it."""
    folder, number = JobFolder(argv[0]), int(os.environ["RANK"])
    distributed.init_process_group("gloo", init_method=f"file://{folder.path}/store", rank=number, world_size=2)
    worker = Worker(folder, speaks=number == 0)
    worker.rank = Rank(number, number, 2, distributed.new_group(backend="gloo"))
    on = hardware(recipe().model, "cpu")
    base, plain = load_base(recipe().model, on, sharded=True), load_base(recipe().model, on)
    same = map(torch.equal, base.parameters(), plain.parameters())
    loaded = worker.rank.gather(all(same) if number == 0 else any(same))
    torch.manual_seed(7)
    model = torch.nn.Linear(6, 4)
    fully_shard(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(2, 6)).sum().backward()
    optimizer.step()
    places = iter([Path("/dev/full")])

    def save(where: str, state_dict: dict[str, Any]) -> None:
        next(places, Path(where) / "weights").write_text(" ".join(state_dict))

    trainer: Any = SimpleNamespace(model=model, optimizer=optimizer, _save=save)
    saving = RankSaving(worker, recipe(training__devices="0,1", training__parallel="fsdp"))

    def write(place: Path) -> None:
        place.mkdir()
        saving.write_parts(trainer, place)

    if number == 0:
        write_whole(worker, folder.path / "checkpoint", write)
        saving.written()
    else:
        saving.help_write(trainer)
    saving.barrier()
    expected = {name: weight.full_tensor() for name, weight in model.named_parameters()}
    if number == 0:
        weights = torch.load(folder.path / "checkpoint" / "pytorch_model_fsdp.bin")
        state = torch.load(folder.path / "checkpoint" / "optimizer.bin")["state"]
        found = {
            "loaded": loaded,
            "weights": {name: list(value.shape) for name, value in weights.items()},
            "moments": {name: list(value["exp_avg"].shape) for name, value in state.items()},
            "the_same": all(torch.equal(weights[name], value) for name, value in expected.items()),
        }
        (folder.path / "found.json").write_text(json.dumps(found))
    distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))

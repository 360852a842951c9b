"""How many processes train, and how they share the work, is on the live screen as the worker has found it to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.run_folders import make_run
from tests.tui.test_train_screen import read, state
from tui.app import TunedeckApp

MakeApp = Callable[..., TunedeckApp]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("FSDP", "2 ranks, FSDP"), ("MULTI_GPU", "2 ranks, DDP"), ("MULTI_CPU", "2 ranks, DDP on the CPU")],
)
async def test_ranks_are_shown(make_app: MakeApp, tmp_path: Path, kind: str, words: str) -> None:
    folder = make_run(tmp_path, world_size=2, distributed_type=kind)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        assert state(await read(pilot)).endswith(f"stage 1 of 2: training  {words}")

"""Every task logs what plain TRL logs, to the last bit, also after a stop and a resume. See `tests.kit.parity`."""

from __future__ import annotations

import ast
import inspect
import os
import sys
import textwrap
from pathlib import Path

import pytest

from core.jobs.launch import launch, worker_command
from core.recipe.recipe import from_json
from core.recipe.tasks import TASKS
from core.runs.commands import training_command
from tests.e2e.test_ranks import begin
from tests.kit.parity.case import LONG, SHORT, Case, all_cases
from tests.kit.parity.run import Sides, compare, logged
from tests.kit.training_runs import events, lines
from tests.kit.warm.process import WarmPython

CASES = list(all_cases().values())
_HALF = {"training__devices": "cpux2", "training__batch_size": 1}


def _named(cases: list[Case]) -> list[object]:
    return [pytest.param(case, id=case.name) for case in cases]


def test_plain_scripts_have_no_line_of_ours_and_every_task_has_one() -> None:
    for plain in {case.plain for case in CASES}:
        tree = ast.parse(textwrap.dedent(inspect.getsource(plain)))
        named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        named += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert named
        assert not [name for name in named if name.partition(".")[0] in ("core", "tui", "tests")]
        known = set(plain.__globals__) & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert known <= {"Any", "Sequence", "Mapping", "Given"}
    assert {str(case.changes.get("task", "sft")) for case in CASES} == set(TASKS)


@pytest.mark.parametrize("case", _named([case for case in CASES if not case.soak]))
def test_six_steps_with_a_stop_at_three_equal_plain_trl(case: Case, warm: WarmPython, tmp_path: Path) -> None:
    sides = compare(case, tmp_path, warm, SHORT)
    if case.finished is not None:
        case.finished(warm, sides.folder, sides.plain["logged"])


@pytest.mark.slow
@pytest.mark.parametrize("case", _named(CASES))
def test_twenty_steps_of_fresh_processes_equal_plain_trl(case: Case, tmp_path: Path) -> None:
    compare(case, tmp_path, None, LONG)


@pytest.mark.slow
@pytest.mark.parametrize("case", _named([case for case in CASES if case.ranks]))
def test_two_ranks_train_and_resume_to_the_same_bits(case: Case, warm: WarmPython, tmp_path: Path) -> None:
    for name in ("stopped", "whole"):
        (tmp_path / name).mkdir()
    sides, whole = (
        Sides(case, tmp_path / name, SHORT, warm, **{**_HALF, **case.each_rank}) for name in ("stopped", "whole")
    )
    begin(whole.folder)
    whole.ended("finished")
    command = training_command(from_json(sides.folder.read_job()["payload"]["recipe"]), sides.folder)
    command[-2] = "tests.kit.disturbed_training"
    sides.train_with_a_stop(command)
    sides.ended("finished")
    ours = logged(lines(sides.folder.metrics), case.varies)
    assert [step for step, kind in ours if kind == "loss"] == list(range(1, SHORT + 1))
    assert ours == logged(lines(whole.folder.metrics), case.varies)
    (reported,) = events(whole.folder, "ranks")
    assert reported["world_size"] == 2


def test_a_run_that_starts_cold_equals_plain_trl_beside_a_core_of_the_users(
    warm_python: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for users: keeper and worker import everything anew, where a `core` of the user's lies in their way."""
    sides, own = Sides(all_cases()["sft"], tmp_path, SHORT, warm_python), tmp_path / "own"
    (own / "core").mkdir(parents=True)
    (own / "core" / "__init__.py").write_text("raise SystemExit('this is the core of the user')\n")
    monkeypatch.chdir(own)
    monkeypatch.setenv("PYTHONPATH", f"{own}{os.pathsep}.")
    launch(sides.folder, [worker_command("core.training", sides.folder)])
    sides.train_plain()
    sides.ended("finished")
    sides.assert_equal_metrics()


@pytest.mark.slow
def test_losses_of_two_ranks_equal_plain_torchrun_beside_a_core_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranks of torchrun imported a `core` of the working directory or of PYTHONPATH: `python -P` is lost in them."""
    sides, own = Sides(all_cases()["sft"], tmp_path, LONG, None, training__devices="cpux2"), tmp_path / "own"
    (own / "core").mkdir(parents=True)
    (own / "core" / "__init__.py").write_text("raise ImportError('this is the core of the user')\n")
    with monkeypatch.context() as patch:
        patch.chdir(own)
        patch.setenv("PYTHONPATH", f"{own}{os.pathsep}.")
        begin(sides.folder)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    sides.train_plain(torchrun)
    sides.ended("finished")
    sides.assert_equal_metrics()

"""The losses are those of plain TRL, to the last bit: in fresh processes, with the same thread count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from tests.kit import plain_trl
from tests.kit.training_runs import BASE, lines, make_run, talk, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

_SAME = ("step", "epoch", "loss", "eval_loss", "grad_norm", "learning_rate", "entropy", "mean_token_accuracy")
_WHOLE: dict[str, Any] = {
    "method": "full",
    "model__dtype": "mixed_bfloat16",
    "training__learning_rate": 1e-3,
    "training__max_steps": 10,
}
_ROOT = Path(__file__).resolve().parents[2]


def _run(parent: Path, **changes: Any) -> JobFolder:
    return make_run(
        parent,
        [talk(number) for number in range(48)] + [_long(number) for number in range(4)],
        data__max_length=64,
        lora__alpha=16.0,
        lora__dropout=0.05,
        training__warmup=0.1,
        training__eval_every=5.0,
        training__seed=7,
        **changes,
    )


def _long(number: int) -> dict[str, Any]:
    """A sample that is cut, the first of them so early that no token of its answer is left."""
    sample = talk(number)
    sample["messages"][0]["content"] *= 6 if number == 0 else 2
    return sample


def _assert_equal(folder: JobFolder, plain: Path, steps: int = 20) -> None:
    ours = [line for line in lines(folder.metrics) if "loss" in line or "eval_loss" in line]
    theirs = [line for line in json.loads(plain.read_text()) if "loss" in line or "eval_loss" in line]
    assert [line["step"] for line in theirs if "loss" in line] == list(range(1, steps + 1))
    assert [line["step"] for line in theirs if "eval_loss" in line] == list(range(0, steps + 1, 5))
    assert [{key: line.get(key) for key in _SAME} for line in ours] == [
        {key: line.get(key) for key in _SAME} for line in theirs
    ]


def test_lora_losses_of_a_run_that_starts_cold_equal_plain_trl(
    warm_python: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for users: keeper and worker import everything anew, where a `core` of the user's own lies in their way."""
    folder, plain, own = _run(tmp_path), tmp_path / "plain.json", tmp_path / "own"
    (own / "core").mkdir(parents=True)
    (own / "core" / "__init__.py").write_text("raise SystemExit('this is the core of the user')\n")
    monkeypatch.chdir(own)
    monkeypatch.setenv("PYTHONPATH", f"{own}{os.pathsep}.")
    launch(folder, [worker_command("core.training", folder)])
    theirs = work(warm_python, "tests.kit.plain_trl", folder.data, BASE, plain, "none", "answers")
    assert theirs.returncode == 0, theirs.stderr
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == "finished", folder.log.read_text()[-3000:]
    _assert_equal(folder, plain)


@pytest.mark.slow
def test_losses_of_two_ranks_equal_plain_torchrun_beside_a_core_of_the_users_own(tmp_path: Path) -> None:
    """Ranks of torchrun imported a `core` of the working directory or of PYTHONPATH: `python -P` is lost in them."""
    folder, plain, own = _run(tmp_path, training__devices="cpux2"), tmp_path / "plain.json", tmp_path / "own"
    (own / "core").mkdir(parents=True)
    (own / "core" / "__init__.py").write_text("raise ImportError('this is the core of the user')\n")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    begin = "import sys; from tests.e2e.test_ranks import begin; from core.jobs.folder import JobFolder; "
    begin += "import os; os.chdir(sys.argv[2]); os.environ['PYTHONPATH'] = sys.argv[2] + ':.'; "
    begin += "begin(JobFolder(sys.argv[1]))"
    ours = subprocess.run(
        [sys.executable, "-c", begin, str(folder.path), str(own)],
        env={**environment, "PYTHONPATH": str(_ROOT)},
        check=True,
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    theirs = subprocess.run(
        [*torchrun, plain_trl.__file__, str(folder.data), str(BASE), str(plain), "none", "answers"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ours.returncode == theirs.returncode == 0, theirs.stderr[-3000:]
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == "finished", folder.log.read_text()[-3000:]
    _assert_equal(folder, plain)


@pytest.mark.parametrize(("quantization", "loss_on"), [("nf4", "answers"), ("none", "everything")])
def test_other_losses_equal_plain_trl(warm_python: WarmPython, tmp_path: Path, quantization: str, loss_on: str) -> None:
    base, plain = tmp_path / "base", tmp_path / "plain.json"
    assert work(warm_python, "tests.kit.random_base", base).returncode == 0
    folder = _run(tmp_path, model__path=str(base), model__quantization=quantization, data__loss_on=loss_on)
    assert work(warm_python, "core.training", folder.path).returncode == 0
    theirs = work(warm_python, "tests.kit.plain_trl", folder.data, base, plain, quantization, loss_on)
    assert theirs.returncode == 0, theirs.stderr
    _assert_equal(folder, plain)


def test_float32_weights_under_bfloat16_autocast_equal_plain_trl_and_all_move(
    warm_python: WarmPython, tmp_path: Path
) -> None:
    """`bf16=True` on a float32 model is the reference for training every weight."""
    folder, plain = _run(tmp_path, **_WHOLE), tmp_path / "plain.json"
    assert work(warm_python, "core.training", folder.path).returncode == 0
    theirs = work(warm_python, "tests.kit.plain_trl", folder.data, BASE, plain, "whole-bf16", "answers")
    assert theirs.returncode == 0, theirs.stderr
    _assert_equal(folder, plain, steps=10)
    (changed,) = [line["weights_changed"] for line in lines(folder.metrics) if "weights_changed" in line]
    assert changed > 0.95


@pytest.mark.slow
def test_the_comparison_of_float32_weights_has_the_eval_loss_of_their_training(
    warm_python: WarmPython, tmp_path: Path
) -> None:
    folder = _run(tmp_path, **_WHOLE, evaluation__prompts=1, evaluation__max_new_tokens=4)
    for stage in ("core.training", "core.evaluation"):
        assert work(warm_python, stage, folder.path).returncode == 0
    summary = json.loads((folder.evaluation / "summary.json").read_text())
    last = [line["eval_loss"] for line in lines(folder.metrics) if "eval_loss" in line][-1]
    assert summary["tuned_loss"] == pytest.approx(last, rel=1e-3)


def test_checkpoints_do_not_change_the_losses_of_a_quantized_run(warm_python: WarmPython, tmp_path: Path) -> None:
    """Bitsandbytes repacks 4-bit weights with loss when a checkpoint reads them, so every save moved the losses."""
    losses = []
    for save_every in (0.0, 3.0):
        folder = _run(tmp_path, model__quantization="nf4", training__save_every=save_every)
        assert work(warm_python, "core.training", folder.path).returncode == 0
        losses.append([line["loss"] for line in lines(folder.metrics) if "loss" in line])
    assert len(losses[0]) == 20
    assert losses[0] == losses[1]

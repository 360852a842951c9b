"""Weights that are stored in another precision than they are computed in: what is measured and saved fits them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.training_runs import lines, make_run, talk, work
from tests.kit.warm.process import WarmPython

_TRAIN = [talk(number) for number in range(24)]


@pytest.mark.slow
def test_float32_weights_all_move_and_their_comparison_has_the_eval_loss_of_their_training(
    warm_python: WarmPython, tmp_path: Path
) -> None:
    folder = make_run(
        tmp_path,
        method="full",
        model__dtype="mixed_bfloat16",
        training__learning_rate=1e-3,
        training__max_steps=10,
        training__eval_every=5.0,
        evaluation__prompts=1,
        evaluation__max_new_tokens=4,
    )
    for stage in ("core.training", "core.evaluation"):
        assert work(warm_python, stage, folder.path).returncode == 0
    summary = json.loads((folder.evaluation / "summary.json").read_text())
    last = [line["eval_loss"] for line in lines(folder.metrics) if "eval_loss" in line][-1]
    assert summary["tuned_loss"] == pytest.approx(last, rel=1e-3)
    (changed,) = [line["weights_changed"] for line in lines(folder.metrics) if "weights_changed" in line]
    assert changed > 0.95


def test_checkpoints_do_not_change_the_losses_of_a_quantized_run(warm_python: WarmPython, tmp_path: Path) -> None:
    """Bitsandbytes repacks 4-bit weights with loss when a checkpoint reads them, so every save moved the losses."""
    losses = []
    for save_every in (0.0, 2.0):
        folder = make_run(
            tmp_path, _TRAIN, model__quantization="nf4", training__max_steps=6, training__save_every=save_every
        )
        assert work(warm_python, "core.training", folder.path).returncode == 0
        losses.append([line["loss"] for line in lines(folder.metrics) if "loss" in line])
    assert len(losses[0]) == 6
    assert losses[0] == losses[1]

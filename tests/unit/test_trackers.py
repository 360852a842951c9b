"""Trackers are chosen in the recipe and are TRL's own; what they need is looked for where the training runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from core.engine.worker import Worker
from core.jobs.folder import JobFolder
from core.recipe.recipe import Recipe, put
from core.recipe.trackers import missing, point_to_run
from tests.kit.training_runs import events, recipe


def _with(*names: str) -> Recipe:
    return put(Recipe(), "reporting.report_to", names)


def test_another_interpreter_is_asked_for_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing(Recipe()) == []
    environment = tmp_path / "environment"
    (environment / "mlflow").mkdir(parents=True)
    (environment / "mlflow" / "__init__.py").write_text("raise SystemExit('it is only looked for')")
    (environment / "tensorboardX.py").touch()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{environment}" exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("TUNEDECK_PYTHON", str(python))
    assert missing(_with("mlflow", "tensorboard", "trackio", "wandb")) == ["trackio", "wandb"]


def test_what_trackers_write_goes_to_the_runs_folder_unless_the_user_has_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TENSORBOARD_LOGGING_DIR", "WANDB_DIR", "WANDB_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    point_to_run(put(Recipe(), "reporting.project", "desk"), tmp_path)
    assert os.environ.pop("TENSORBOARD_LOGGING_DIR") == str(tmp_path / "tensorboard")
    assert os.environ.pop("WANDB_DIR") == str(tmp_path)
    assert os.environ.pop("MLFLOW_EXPERIMENT_NAME") == "desk"
    assert os.environ["WANDB_PROJECT"] == "mine"


def test_the_trackers_reach_the_trainers_configuration(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="the train extra is not installed")
    from core.engine.load import hardware
    from core.training.configuration import trainer_config

    plain = recipe()
    on = hardware(plain.model, "cpu", all_weights=False)
    assert trainer_config(plain, on, tmp_path / "run" / "checkpoints", evaluates=True).report_to == []
    chosen = put(plain, "reporting.report_to", ("tensorboard", "wandb", "mlflow", "trackio"))
    config = trainer_config(chosen, on, tmp_path / "run" / "checkpoints", evaluates=True)
    assert config.report_to == ["tensorboard", "wandb", "mlflow", "trackio"]
    assert (config.run_name, config.project) == ("run", "tunedeck")
    assert config.trackio_space_id is None
    assert config.trackio_static_space_id is False


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # transformers' half a tracker
def test_a_tracker_whose_package_is_broken_is_reported_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl", reason="the train extra is not installed")
    from core.training.trackers import usable_trackers

    package = tmp_path / "broken" / "mlflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('it wants another protobuf')")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    folder = JobFolder.create(tmp_path / "runs", "a run", "training")
    assert usable_trackers(["mlflow"], Worker(folder)) == []
    (reported,) = events(folder, "alert")
    assert reported["message"].startswith("MLflow cannot be used here")
    assert usable_trackers([], Worker(folder)) == []

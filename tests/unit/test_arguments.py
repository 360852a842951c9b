"""Every argument of a run is known to the installed trl, transformers and peft, and an unknown one is a stop."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.paths import SAMPLE_DATA
from core.recipe import config_classes
from core.recipe.adapters import ADAPTERS
from core.recipe.config_classes import PACKAGES, InstalledPackage, arguments_of, stack
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import TASKS
from core.runs.preflight import PreflightCheck, preflight
from core.runs.preflight.arguments import trainer_names
from tests.kit.training_runs import work
from tests.kit.warm.process import WarmPython

pytest.importorskip("trl", reason="the train extra is not installed")


def _line(recipe: Recipe, workspace: Path) -> list[PreflightCheck]:
    return [each for each in preflight(recipe, workspace) if each.name == "arguments"]


@pytest.fixture
def recipe() -> Recipe:
    """The demo's model."""
    return put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base"))


@pytest.mark.parametrize("method", [adapter.kind for adapter in ADAPTERS])
def test_the_installed_versions_take_all_arguments(recipe: Recipe, tmp_path: Path, method: str) -> None:
    (line,) = _line(put(recipe, "method", method), tmp_path)
    assert line.verdict == "ok"
    assert all(f"{name} {stack()[name].version}" in line.sentence for name in PACKAGES)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_listed_names_of_each_task_are_taken_by_its_class(task: str) -> None:
    config, names = trainer_names(task)
    takes = arguments_of("trl", config)
    assert takes is not None, config
    assert {"learning_rate", "logging_nan_inf_filter", "report_to"} <= names
    assert names <= takes


def test_source_and_classes_tell_the_same_names(warm: WarmPython) -> None:
    """What the form reads off files is what the worker passes, and what the real classes take.

    Arguments have changed? Run `python -m core.training.argument_names`.
    """
    done = work(warm, "tests.kit.argument_names")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("package", "file", "old", "field"),
    [
        ("trl", "trainer/sft_config.py", "max_length", "data.max_length"),
        ("transformers", "training_args.py", "max_grad_norm", "training.max_grad_norm"),
        ("transformers", "training_args.py", "logging_nan_inf_filter", ""),
        ("peft", "tuners/lora/config.py", "use_dora", "method"),
    ],
)
def test_an_argument_that_another_version_does_not_take_stops_the_start_and_names_the_field(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, file: str, old: str, field: str
) -> None:
    changed = tmp_path / package
    for name in ("trainer", "tuners"):
        if (stack()[package].folder / name).exists():
            shutil.copytree(stack()[package].folder / name, changed / name, ignore=shutil.ignore_patterns("*.pyc"))
    for each in ("training_args.py", "config.py"):
        if (stack()[package].folder / each).exists():
            changed.mkdir(exist_ok=True)
            shutil.copyfile(stack()[package].folder / each, changed / each)
    source = (changed / file).read_text()
    (changed / file).write_text(source.replace(f"    {old}:", f"    renamed_{old}:"))
    there = {**stack(), package: InstalledPackage(changed, "0.1.2")}
    monkeypatch.setattr(config_classes, "_stack", lambda python: there)
    (line,) = _line(recipe, tmp_path)
    assert (line.verdict, line.path) == ("stop", field)
    assert old in line.sentence
    assert "pip install -U" in line.sentence
    if package != "transformers":
        assert f"{package} 0.1.2" in line.sentence


def test_packages_that_are_not_there_are_left_to_their_own_line(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_classes, "_stack", lambda python: {})
    assert _line(recipe, tmp_path) == []

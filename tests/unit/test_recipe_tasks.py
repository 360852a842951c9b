"""The table of tasks agrees with what it names: fields, sections, files, columns; and nobody else asks for a name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest

from core.paths import ROOT
from core.recipe.adapters import ADAPTERS
from core.recipe.recipe import KNOBS, SECTIONS, Recipe, from_json, to_json
from core.recipe.tasks import TASKS, Task
from core.recipe.tasks.task import ColumnKind


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_a_row_names_what_is_there(task: Task) -> None:
    assert task.name in KNOBS["task"].choices
    assert (ROOT / "core" / "training" / "tasks" / f"{task.module}.py").exists()
    assert (ROOT / "core" / "engine" / f"{task.encoder}.py").exists()
    assert (ROOT / "core" / "evaluation" / f"{task.measure}.py").exists()
    assert set(task.columns.values()) <= set(get_args(ColumnKind))
    assert set(task.sections) <= SECTIONS.keys()
    for limit in task.refuses:
        declared = KNOBS[limit.path]
        assert all(declared.coerce(value) == value for value in limit.accepts)
        assert all(KNOBS[path].coerce(value) == value for path, value in limit.given.items())
        assert limit.sentence.endswith(".")
    assert set(task.unused) <= set(task.samples)
    assert task.rates.keys() == {adapter.rates.like for adapter in ADAPTERS}
    assert task.headline.eval_metric == f"eval_{task.headline.metric}"


def test_better_is_what_the_headline_says() -> None:
    loss = TASKS["sft"].headline
    assert (loss.better, loss.cost(1.2)) == ("lower", 1.2)
    assert replace(loss, better="higher").cost(1.2) == -1.2


def test_a_recipe_without_a_task_is_supervised_and_reads_as_before() -> None:
    old = to_json(Recipe())
    del old["task"], old["dpo"]
    assert from_json(old) == Recipe()
    assert from_json(old).task == "sft"


def test_code_asks_the_row_and_never_the_name() -> None:
    names = "|".join(TASKS)
    asked = re.compile(rf"""(?<!kind )[=!]=\s*["'](?:{names})["']""")
    for folder in ("core", "tui"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not asked.search(path.read_text(encoding="utf-8")), path

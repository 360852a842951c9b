"""The tables of docs/base-models.md: every number in them is what the forecast says of the models' public sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from core.paths import ROOT
from core.recipe.memory import forecast
from core.recipe.presets import PRESETS
from core.recipe.recipe import KNOBS, Recipe, put
from core.recipe.rules.validate import validate
from core.recipe.tasks import TASKS
from core.recipe.values import Value
from tests.kit.base_models import BASE_MODELS, BaseModel

_PAGE = (ROOT / "docs" / "base-models.md").read_text(encoding="utf-8")
_USABLE = 0.93
"""The share of a card's nominal memory that is free for a run: the driver and the display take the rest."""

_ONE: dict[str, Value] = {"training.batch_size": 1, "training.gradient_accumulation": 16}
_FULL: dict[str, Value] = {**_ONE, "method": "full", "training.optimizer": "adamw_8bit"}
_LORA, _QLORA = "first LoRA", "QLoRA on a small card"
_DPO = next(preset for preset in PRESETS if preset.values.get("task") == "dpo")
_COLUMNS: dict[str, tuple[str, dict[str, Value]]] = {
    "QLoRA": (_QLORA, {}),
    "QLoRA, 4,096 tokens": (_QLORA, {"data.max_length": 4096}),
    "LoRA": (_LORA, _ONE),
    "DPO with QLoRA": (_QLORA, {**_DPO.values, **_ONE}),
    "Full, 8-bit AdamW": (_LORA, {**_FULL, "model.dtype": "mixed_bfloat16"}),
    "Full in bfloat16": (_LORA, {**_FULL, "model.dtype": "bfloat16"}),
}
"""The recipe behind each column: a preset and what differs from it."""


def _need(model: BaseModel, column: str) -> float:
    """GiB of a run."""
    name, changes = _COLUMNS[column]
    recipe = next(preset for preset in PRESETS if preset.name == name).apply(Recipe())
    for path, value in changes.items():
        recipe = put(recipe, path, value)
    return forecast(recipe, model.shape, "cuda").total / 2**30


def _table(heading: str) -> Iterator[dict[str, str]]:
    """The rows of the table below a heading, by the names of its columns."""
    lines = _PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    names, _, *rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line[:1] == "|"]
    for row in rows:
        yield dict(zip(names, row, strict=True))


@pytest.mark.parametrize("model", BASE_MODELS, ids=lambda model: model.name.partition("/")[2])
def test_the_sizes_give_the_parameters_that_the_hub_shows(model: BaseModel) -> None:
    assert model.shape.parameters == model.parameters


def test_the_memory_of_each_model_is_what_the_forecast_says() -> None:
    rows = {row["model"].strip("`"): row for row in _table("Memory by model")}
    assert list(rows) == [model.name for model in BASE_MODELS]
    for model in BASE_MODELS:
        for column in _COLUMNS:
            written, need = float(rows[model.name][column]), _need(model, column)
            assert written == pytest.approx(need, abs=0.051 if need < 100 else 0.51), (
                f"{model.name}, {column}: {need:.1f}"
            )


def test_the_largest_model_of_each_card_fits_and_the_next_one_does_not() -> None:
    names = [model.name.partition("/")[2] for model in BASE_MODELS]
    rows = list(_table("Model by card"))
    assert [row["card"] for row in rows] == ["4 GB", "8 GB", "12 GB", "16 GB", "24 GB", "48 GB", "80 GB"]
    for row in rows:
        usable = _USABLE * int(row["card"].partition(" ")[0])
        for column in ("QLoRA", "LoRA", "Full, 8-bit AdamW"):
            fits = [name for name, model in zip(names, BASE_MODELS, strict=True) if _need(model, column) <= usable]
            assert row[column] == (fits[-1] if fits else "-"), f"{row['card']}, {column}"


def test_what_guides_say_holds_by_our_forecast() -> None:
    """1-3B on 4-8 GB, 7-8B on 12-16 GB, 70B on 48 GB, with QLoRA."""
    for model in BASE_MODELS:
        billions = model.parameters / 1e9
        card = 8 if billions < 3.3 else 12 if billions < 9 else 48 if billions > 70 else None
        if card is not None:
            assert _need(model, "QLoRA") <= _USABLE * card, model.name


def test_the_starting_settings_are_within_the_usual_rates_and_pass_the_rules() -> None:
    rows = list(_table("Starting settings"))
    assert {row["task"] for row in rows} == {task.title for task in TASKS.values()}
    for row in rows:
        settings = dict(re.findall(r"`([\w.]+)=([^`]+)`", " ".join(row.values())))
        recipe = put(put(Recipe(), "model.path", "org/model"), "data.train", ("rows.jsonl",))
        for path, text in settings.items():
            value = KNOBS[path].parse(text)
            recipe = put(recipe, path, value)  # type: ignore[arg-type]
        assert TASKS[recipe.task].title == row["task"]
        low, high = TASKS[recipe.task].rates[recipe.method]
        assert low <= recipe.training.learning_rate <= high, row
        model = BASE_MODELS[-1] if "30B" in row["model size"] else BASE_MODELS[6]
        found = [problem for problem in validate(recipe, model.shape, 5_000) if problem.severity != "note"]
        assert found == [], row

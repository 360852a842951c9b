"""`--set FIELD=VALUE` goes through the declaration: the same values and the same sentences as in the form."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput
from core.recipe.command_line import apply_settings
from core.recipe.recipe import Recipe


def test_values_take_their_declared_types() -> None:
    recipe = apply_settings(
        Recipe(), ["lora.rank=32", "training.learning_rate=1e-3", "name = night run"], Path("/base")
    )
    assert (recipe.lora.rank, recipe.training.learning_rate, recipe.name) == (32, 1e-3, "night run")


def test_relative_paths_are_meant_from_the_folder_that_the_command_runs_in() -> None:
    recipe = apply_settings(Recipe(), ["data.train=a.jsonl, b.jsonl"], Path("/base"))
    assert recipe.data.train == ("/base/a.jsonl", "/base/b.jsonl")


def test_a_list_can_be_written_as_yaml_writes_it() -> None:
    recipe = apply_settings(Recipe(), ['data.drop_flags=[not_rendered, "exact_duplicate"]'], Path("/base"))
    assert recipe.data.drop_flags == ("not_rendered", "exact_duplicate")
    assert apply_settings(Recipe(), ["data.drop_flags=[]"], Path("/base")).data.drop_flags == ()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("lora.rnak=3", "lora.rank"),
        ("lora.rank", "FIELD=VALUE"),
        ("lora.rank=many", "number"),
        ("lora.rank=0", "at least"),
    ],
)
def test_what_does_not_fit_is_said_in_words(setting: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        apply_settings(Recipe(), [setting], Path("/base"))

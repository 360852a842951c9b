"""A field says when it applies: elsewhere it is left out, and said to have no effect where it was set."""

from __future__ import annotations

import pytest

from core.recipe.conditions import ALWAYS, empty, filled, none_of, on, one_of, positive
from core.recipe.document import document
from core.recipe.presets import PRESETS
from core.recipe.recipe import KNOBS, Recipe, get, is_shown, put, unknown, why_without_effect
from core.recipe.rules.validate import validate, without_effect
from core.recipe.tasks import TASKS
from core.recipe.values import Value
from core.recipe.yamlfile import dumps, loads


def recipe_with(values: dict[str, Value]) -> Recipe:
    recipe = Recipe()
    for path, value in values.items():
        recipe = put(recipe, path, value)
    return recipe


def test_conditions_say_in_words_what_they_want_and_why_they_do_not_hold() -> None:
    values = {"a": "x", "n": 0, "list": ("e",), "yes": False}
    assert ALWAYS.words == ""
    assert ALWAYS.why_not(values.__getitem__) == []
    for condition, words, why in (
        (one_of("a", "y", "z"), "a is y or z", ["a is x"]),
        (none_of("a", "x"), "a is not x", ["a is x"]),
        (positive("n"), "n is greater than 0", ["n is 0"]),
        (filled("list"), "list is set", []),
        (empty("list"), "list is empty", ["list is set"]),
        (on("yes"), "yes is yes", ["yes is no"]),
        (one_of("a", "x") & positive("n"), "a is x and n is greater than 0", ["n is 0"]),
        (one_of("a", "y") & one_of("a", "z"), "a is y and a is z", ["a is x"]),
        (one_of("a", "x") | positive("n"), "a is x or n is greater than 0", []),
        ((on("yes") | positive("n")) & filled("list"), "(yes is yes or n is greater than 0) and list is set", None),
        (ALWAYS & positive("n"), "n is greater than 0", ["n is 0"]),
    ):
        assert condition.words == words
        assert condition.why_not(values.__getitem__) == (["yes is no", "n is 0"] if why is None else why)


def test_a_hostile_value_is_cleaned_where_it_is_the_reason() -> None:
    (reason,) = one_of("a", "x").why_not(lambda path: "y\x1b[2J")
    assert "\x1b" not in reason


def test_conditions_name_fields_that_there_are() -> None:
    for path, knob in KNOBS.items():
        why_without_effect(Recipe(), path)  # it looks at every field that the condition names
        named = [word for word in knob.when.words.replace("(", " ").split() if "." in word]
        assert all(name in KNOBS for name in named), path
        assert path not in named


@pytest.mark.parametrize(
    ("values", "path", "why"),
    [
        ({"method": "full", "lora.rank": 8}, "lora.rank", "method is full"),
        ({"model.double_quantization": False}, "model.double_quantization", "model.quantization is none"),
        ({"model.path": "/m", "model.revision": "v1"}, "model.revision", "model.path is a folder"),
        ({"data.eval": ("/e",), "data.eval_fraction": 0.2}, "data.eval_fraction", "data.eval is set"),
        ({"data.eval": ("/e",), "data.stratify": "answer"}, "data.stratify", "data.eval is set"),
        (
            {"data.eval": ("/e",), "data.split_seed": 7},
            "data.split_seed",
            "data.eval is set and data.mix is empty and data.tasks is empty",
        ),
        ({"data.format": "text", "data.loss_on": "everything"}, "data.loss_on", "data.format is text"),
        (
            {"data.eval_fraction": 0.0, "training.eval_every": 5.0},
            "training.eval_every",
            "data.eval is empty and data.eval_fraction is 0",
        ),
        (
            {"training.eval_every": 0.0, "training.early_stopping": 3},
            "training.early_stopping",
            "training.eval_strategy is steps and training.eval_every is 0",
        ),
        (
            {"training.early_stopping_threshold": 0.1},
            "training.early_stopping_threshold",
            "training.early_stopping is 0",
        ),
        (
            {"training.eval_every": 0.0, "training.keep_best": True},
            "training.keep_best",
            "training.eval_strategy is steps and training.eval_every is 0",
        ),
        (
            {"training.scheduler": "constant", "training.warmup": 9.0},
            "training.warmup",
            "training.scheduler is constant",
        ),
        (
            {"data.packing": "bfd", "training.group_by_length": True},
            "training.group_by_length",
            "data.packing is bfd",
        ),
        (
            {"training.devices": "0", "training.parallel": "fsdp"},
            "training.parallel",
            "training.devices does not name several devices",
        ),
        ({"samples.every": 0.0, "samples.max_new_tokens": 9}, "samples.max_new_tokens", "samples.every is 0"),
        (
            {"evaluation.after_training": False, "evaluation.prompts": 9},
            "evaluation.prompts",
            "evaluation.after_training is no",
        ),
        ({"reporting.project": "mine"}, "reporting.project", "reporting.report_to is empty"),
    ],
)
def test_a_setting_without_effect_is_warned_of_with_the_reason(values: dict[str, Value], path: str, why: str) -> None:
    recipe = recipe_with({"model.path": "org/m", "data.train": ("/d",)})
    for each, value in values.items():
        recipe = put(recipe, each, value)
    sentence = f"{KNOBS[path].title}: no effect because {why}."
    assert [(found.path, found.severity, found.sentence) for found in without_effect(recipe)] == [
        (path, "warn", sentence)
    ]
    assert [found.sentence for found in validate(recipe) if found.path == path] == [sentence]
    (written,) = (line for line in dumps(recipe).splitlines() if "# No effect" in line)
    assert written.strip().startswith(f"{KNOBS[path].name}: ")
    assert written.endswith(f"# No effect: {why}.")
    at_rest = put(recipe, path, KNOBS[path].default)
    assert not is_shown(at_rest, path)
    assert [found for found in validate(at_rest) if found.path == path] == []


def test_rules_do_not_judge_what_does_not_apply() -> None:
    whole = recipe_with({"method": "full", "lora.targets": ()})
    assert [found.sentence for found in validate(whole) if found.path == "lora.targets"] == [
        "Target modules: no effect because method is full."
    ]


def test_a_file_has_the_fields_that_apply_and_those_that_were_set_and_is_read_back_exactly() -> None:
    whole = recipe_with({"method": "full", "data.eval_fraction": 0.0})
    text = dumps(whole)
    assert "lora:" not in text
    assert "early_stopping" not in text
    assert loads(text) == whole
    ranked = put(whole, "lora.rank", 64)
    assert "lora:\n  rank: 64" in dumps(ranked)
    assert "  alpha" not in dumps(ranked)
    assert loads(dumps(ranked)) == ranked
    for preset in PRESETS:
        recipe = preset.apply(whole)
        assert loads(dumps(recipe)) == recipe


def test_hints_on_the_command_line_leave_out_what_does_not_apply() -> None:
    assert unknown("rank", Recipe()).endswith("Did you mean lora.rank?")
    assert "lora" not in unknown("rank", recipe_with({"method": "full"}))


def test_the_page_says_when_a_field_applies() -> None:
    page = document()
    for knob in KNOBS.values():
        if knob.when.words:
            assert f"applies when {knob.when.words}." in page
    assert "applies when method is lora." in page


def test_every_default_applies_or_is_at_rest() -> None:
    assert without_effect(Recipe()) == []
    assert all(get(Recipe(), path) == knob.default for path, knob in KNOBS.items())


def test_every_preset_can_be_shown_and_applied_over_every_task() -> None:
    for task in TASKS:
        recipe = recipe_with({"task": task, "training.batch_size": 1, "data.packing": "bfd"})
        for preset in PRESETS:
            made = preset.apply(recipe)
            assert preset.changes(recipe) or made == recipe
            refused = {
                limit.path
                for limit in TASKS[made.task].refuses
                if limit.severity == "error"
                and all(get(made, path) == value for path, value in limit.given.items())
                and not limit.allows(get(made, limit.path))
            }
            assert not refused, (task, preset.name)


def test_a_preset_for_another_task_clears_what_only_the_task_before_read() -> None:
    made = {preset.name: preset for preset in PRESETS}
    recipe = made["distillation"].apply(made["reasoning with GRPO"].apply(Recipe()))
    assert recipe.task == "distill"
    assert recipe.rewards == ()

"""The declaration: complete, read back exactly, and refused in sentences."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clean import is_hostile
from core.dataset.formats import FORMATS
from core.errors import BadInput
from core.paths import ROOT
from core.recipe.declare import Knob, Problem, fields_of
from core.recipe.declare import knob as declared
from core.recipe.recipe import KNOBS, SECTIONS, Recipe, from_json, get, put, to_json, unknown
from core.recipe.sections.data import MixSource
from core.recipe.values import Value, number_text

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


def values_of(knob: Knob) -> st.SearchStrategy[Any]:
    """Any value that the field may hold."""
    if knob.kind == "switch":
        return st.booleans()
    if knob.kind == "choice":
        return st.sampled_from(list(knob.choices))
    if knob.kind == "whole":
        return st.integers(int(knob.ge or 0), int(knob.le or 10**9))
    if knob.kind == "number":
        low = knob.ge if knob.ge is not None else knob.gt or 0
        high = knob.le if knob.le is not None else knob.lt if knob.lt is not None else 1e9
        return st.floats(
            low, high, exclude_min=knob.gt is not None, exclude_max=knob.lt is not None, allow_nan=False
        ).map(abs)
    if knob.kind == "list" and knob.choices:
        return st.lists(st.sampled_from(list(knob.choices)), unique=True).map(tuple)
    if knob.kind == "list":
        return st.lists(_TEXT.filter(lambda text: text.strip() == text and text), max_size=4).map(tuple)
    if knob.kind == "records":
        first, *others = (values_of(column) for column in knob.columns)
        assert knob.record is not None
        record: Any = knob.record
        return st.lists(st.builds(record, first.filter(bool), *others), max_size=3).map(tuple)
    if knob.kind == "mapping":
        name = _TEXT.filter(lambda text: text.strip() == text and text and "=" not in text)
        return st.dictionaries(name, name, max_size=3)
    return _TEXT.map(str.strip)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any recipe whose fields are in their ranges."""
    recipe = Recipe()
    for path in draw(st.lists(st.sampled_from(list(KNOBS)), unique=True, max_size=12)):
        recipe = put(recipe, path, draw(values_of(KNOBS[path])))
    return recipe


@given(st.data())
def test_what_a_form_shows_is_read_back_as_the_same_value(data: st.DataObject) -> None:
    knob = data.draw(st.sampled_from(list(KNOBS.values())))
    value: Value = data.draw(values_of(knob))
    assert knob.parse(knob.format(value)) == value


@given(recipes())
def test_json_of_a_recipe_is_read_back_exactly(recipe: Recipe) -> None:
    assert from_json(to_json(recipe)) == recipe


@given(st.sampled_from(list(KNOBS.values())), st.text(max_size=40))
def test_any_text_is_a_value_or_a_sentence_that_is_safe_to_draw(knob: Knob, text: str) -> None:
    outcome = knob.parse(text)
    if isinstance(outcome, Problem):
        assert outcome.path == knob.path
        assert outcome.sentence.startswith(knob.title)
        assert outcome.sentence.endswith(".")
        assert not is_hostile(outcome.sentence)
        assert "\n" not in outcome.sentence
    else:
        assert knob.coerce(outcome) == outcome


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_short_and_read_back_to_the_last_bit(number: float) -> None:
    assert float(number_text(number)) == number


def test_numbers_are_written_as_people_write_them() -> None:
    assert [number_text(value) for value in (2e-4, 0.05, 16.0, 1e-5, 0.1)] == ["2e-4", "0.05", "16", "1e-5", "0.1"]


@pytest.mark.parametrize("knob", KNOBS.values(), ids=lambda knob: knob.path)
def test_every_field_says_what_it_is_and_takes_its_own_default(knob: Knob) -> None:
    assert knob.title
    assert knob.help.endswith((".", ")."))
    assert knob.coerce(knob.default) == knob.default
    assert knob.default == get(Recipe(), knob.path)
    if knob.path not in ("name", "task", "data.format"):
        assert knob.consequence.endswith(".")
    assert knob.section in ("", *SECTIONS)


@pytest.mark.parametrize("knob", KNOBS.values(), ids=lambda knob: knob.path)
def test_help_and_consequence_are_sentences_that_stand_alone(knob: Knob) -> None:
    """They ran together: "... on the way back. Yes: a fraction of the activation memory"."""
    for text in filter(None, (knob.help, knob.consequence)):
        first, *others = text.split()
        assert len(others) >= 3, text
        assert first[0].isupper() or first[0].isdigit() or first in knob.choices, text
        assert not any(word.endswith(":") for word in (first, *others[:3])), f"a telegram, no sentence: {text}"
    assert len(knob.title.split()) <= 4
    assert len(knob.title) <= 23, "the form's column of titles"


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("lora.rank", "0", "Rank must be at least 1, at most 1024, got 0."),
        ("lora.rank", "1.5", "Rank must be a whole number, got '1.5'."),
        ("lora.rank", "sixteen\x1b[2J", "Rank must be a whole number, got 'sixteen␛[2J'."),
        ("training.learning_rate", "nan", "Learning rate must be a finite number, got 'nan'."),
        ("training.learning_rate", "2", "Learning rate must be greater than 0, at most 1, got 2."),
        ("model.quantization", "fp4", "Quantization must be one of none, nf4, int8, got 'fp4'."),
        ("evaluation.after_training", "maybe", "Compare after training must be yes or no, got 'maybe'."),
        ("data.train", 'a, "b', "Training data has an unclosed quotation mark."),
        ("data.columns", "prompt", "Column mapping must be a list of field=column pairs, got 'prompt'."),
        ("data.mix", "general.jsonl", "Mix in must be a list of path=share, got 'general.jsonl'."),
        ("data.mix", "=0.1", "Mix in must be a list of path=share, got '=0.1'."),
        ("data.mix", "a.jsonl=1", "Mix in: Share must be greater than 0, less than 1, got 1."),
        ("data.mix", "a.jsonl=x", "Mix in: Share must be a number, got 'x'."),
        ("data.mix", "a.jsonl=nan", "Mix in: Share must be a finite number, got 'nan'."),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence(path: str, text: str, sentence: str) -> None:
    assert KNOBS[path].parse(text) == Problem(path, sentence)


def test_paths_with_commas_stand_in_quotation_marks() -> None:
    knob = KNOBS["data.train"]
    paths = ("a.jsonl", "b, c.jsonl")
    assert knob.format(paths) == 'a.jsonl, "b, c.jsonl"'
    assert knob.parse('a.jsonl , "b, c.jsonl"') == paths


@dataclass(frozen=True, slots=True)
class _Reward:
    name: str = declared("", title="Name", help="Which.")
    weight: float = declared(1.0, title="Weight", help="How much it counts.")
    function: str = declared("score", title="Function", help="What is called.")
    lenient: bool = declared(False, title="Lenient", help="Whether a failure counts as 0.")


@dataclass(frozen=True, slots=True)
class _Rewarded:
    rewards: tuple[_Reward, ...] = declared((), title="Rewards", help="What is rewarded.")


def test_records_are_lists_of_texts_mappings_or_records() -> None:
    mix = KNOBS["data.mix"]
    two = (MixSource("a=b.jsonl", 0.1), MixSource("/x/c, d.json", 0.25))
    assert mix.parse('a=b.jsonl=0.1, "/x/c, d.json=.25"') == two
    assert mix.format(two) == 'a=b.jsonl=0.1, "/x/c, d.json=0.25"'
    assert mix.coerce([{"path": "a=b.jsonl", "share": "0.1"}, "/x/c, d.json=0.25"]) == two
    assert mix.coerce(two) == two
    wrong = mix.coerce([{"path": "a", "shere": 0.1}])
    assert isinstance(wrong, Problem)
    assert "'shere'" in wrong.sentence
    assert isinstance(mix.coerce([{"share": 0.1}]), Problem)
    assert isinstance(mix.coerce({"path": "a", "share": 0.1}), tuple), "one alone is a list of one"


def test_records_of_more_than_two_fields_name_the_further_ones() -> None:
    (rewards,) = fields_of(_Rewarded)
    assert rewards.kind == "records"
    value = (_Reward("length", 0.5), _Reward("my, own.py", 1.0, 'a;"b"', True))
    text = rewards.format(value)
    assert text.startswith("length=0.5, ")
    assert rewards.parse(text) == value
    assert rewards.parse("length=0.5; lenient=yes") == (_Reward("length", 0.5, lenient=True),)
    wrong = rewards.parse("length=0.5; weigth=2")
    assert isinstance(wrong, Problem)
    assert "'weigth'" in wrong.sentence


def test_true_is_no_number_and_a_number_no_switch() -> None:
    assert isinstance(KNOBS["lora.rank"].coerce(True), Problem)
    assert isinstance(KNOBS["model.trust_remote_code"].coerce(1), Problem)


def test_unknown_fields_name_the_nearest_one() -> None:
    assert unknown("lora.rnak").endswith("Did you mean lora.rank?")
    assert unknown("training.rank").endswith("Did you mean lora.rank?")
    assert unknown("max_length").endswith("Did you mean data.max_length?")
    assert unknown("zzz") == "Unknown field zzz."


def test_json_with_an_unknown_field_or_a_wrong_value_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match=r"Did you mean lora\.rank\?"):
        from_json({"lora": {"rnak": 8}})
    with pytest.raises(BadInput, match=r"lora\.rank: Rank must be a whole number"):
        from_json({"lora": {"rank": "many"}})
    with pytest.raises(BadInput, match="lora is a section"):
        from_json({"lora": 3})


def test_changing_a_field_leaves_the_old_recipe_alone() -> None:
    old = Recipe()
    new = put(put(old, "lora.rank", 64), "name", "x")
    assert (old.lora.rank, new.lora.rank, new.name) == (16, 64, "x")
    with pytest.raises(FrozenInstanceError):
        old.lora.rank = 3  # type: ignore[misc]


def test_formats_that_can_be_chosen_are_those_that_the_data_room_reads() -> None:
    offered = set(KNOBS["data.format"].choices) - {"auto"}
    assert offered == {each.name for each in FORMATS}


def test_a_worker_reads_the_recipe_with_the_standard_library_alone(tmp_path: Path) -> None:
    code = "from core.recipe.recipe import Recipe, from_json, to_json; assert from_json(to_json(Recipe())) == Recipe()"
    # -S leaves site-packages out: an import of anything that is not ours or Python's fails.
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0

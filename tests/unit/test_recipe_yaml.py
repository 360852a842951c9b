"""Recipes as files: the same recipe back, and a line number for every fault."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clean import is_hostile
from core.errors import BadInput
from core.recipe.paths import absolute, relative
from core.recipe.recipe import KNOBS, SECTIONS, Recipe, from_json, is_shown, put, to_json
from core.recipe.sections.data import MixSource
from core.recipe.yamlfile import check, dumps, load, loads, save
from tests.unit.test_recipe_declare import recipes


@settings(max_examples=25)
@given(recipes())
def test_yaml_of_a_recipe_is_read_back_exactly(recipe: Recipe) -> None:
    assert loads(dumps(recipe)) == recipe


@settings(max_examples=25)
@given(recipes())
def test_other_yaml_readers_see_the_same_values(recipe: Recipe) -> None:
    plain = yaml.safe_load(dumps(recipe))
    del plain["tunedeck"]
    whole = to_json(recipe)
    for name, value in plain.items():
        assert value == ({key: whole[name][key] for key in value} if name in SECTIONS else whole[name])
    assert from_json(plain) == recipe


@given(st.text(max_size=300))
def test_any_text_is_a_recipe_or_has_faults_with_lines_within_it(text: str) -> None:
    _, faults = check(text)
    assert all(0 <= line <= text.count("\n") + text.count("\r") + text.count("\x85") + 10 for line, _ in faults)
    assert not any(is_hostile(fault.sentence) for _, fault in faults)


def test_every_field_is_written_with_what_it_does() -> None:
    lines = dumps(Recipe()).splitlines()
    for knob in KNOBS.values():
        if not is_shown(Recipe(), knob.path):
            continue
        written = next(line for line in lines if line.strip().startswith(f"{knob.name}:") and "#" in line)
        assert "  # " in written
    assert "  rank: 16                                # Doubling the rank doubles the trainable parameters." in lines


@pytest.mark.parametrize(
    ("text", "where", "sentence"),
    [
        ("name: a\nlora:\n  rnak: 8\n", "line 3", "Unknown field lora.rnak. Did you mean lora.rank?"),
        ("training:\n  rank: 8\n", "line 2", "Did you mean lora.rank?"),
        ("lora:\n  rank: many\n", "line 2", "Rank must be a whole number, got 'many'."),
        ("lora:\n  rank: true\n", "line 2", "Rank must be a whole number"),
        ("lora:\n  rank: 8\n  alpha: 9\n  rank: 16\n", "line 4", "lora.rank appears twice"),
        ("lora: 8\n", "line 1", "lora is a section"),
        ("a: [1\nb: 2\n", "line 2", "Not valid YAML"),
        ("- a\n", "line 1", "Expected recipe fields"),
        ("model:\n  trust_remote_code: perhaps\n", "line 2", "Trust remote code must be yes or no"),
        ("data:\n  columns: [a]\n", "line 2", "must be a list of field=column pairs"),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, where: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        loads(text, where="r.yaml")
    assert where in str(caught.value)
    assert sentence in str(caught.value)


def test_all_faults_of_a_file_are_found_and_the_sound_fields_are_kept() -> None:
    recipe, faults = check("name: kept\nlora:\n  rank: -1\n  alpha: 8\nnope: 1\n")
    assert [line for line, _ in faults] == [3, 5]
    assert (recipe.name, recipe.lora.alpha, recipe.lora.rank) == ("kept", 8.0, 16)


def test_a_file_of_another_version_says_so_where_it_does_not_fit() -> None:
    _, faults = check("tunedeck: 9.1.0\nlora:\n  flux: 1\n")
    assert any("written by tunedeck 9.1.0" in fault.sentence for _, fault in faults)
    _, faults = check("tunedeck: 9.1.0\nlora:\n  rank: 4\n")
    assert faults == []


def test_a_mix_is_a_list_of_mappings_and_its_old_spelling_is_still_read(tmp_path: Path) -> None:
    both = (MixSource("./general.jsonl", 0.1), MixSource("/x/a=b, c.jsonl", 0.05))
    old = loads('data:\n  mix: [./general.jsonl=0.1, "/x/a=b, c.jsonl=0.05"]\n')
    assert old.data.mix == both
    assert '  mix: [{path: ./general.jsonl, share: 0.1}, {path: "/x/a=b, c.jsonl", share: 0.05}]' in dumps(old)
    assert loads(dumps(old)) == old
    assert from_json({"data": {"mix": ["./general.jsonl=0.1", "/x/a=b, c.jsonl=0.05"]}}) == old
    assert absolute(old, tmp_path).data.mix == (MixSource(str(tmp_path / "general.jsonl"), 0.1), both[1])
    _, faults = check("data:\n  mix:\n    - {path: a.jsonl, share: 2}\n")
    assert [(line, fault.sentence) for line, fault in faults] == [
        (2, "Mix in: Share must be greater than 0, less than 1, got 2.")
    ]


def test_names_that_yaml_takes_for_dates_numbers_or_switches_stay_names() -> None:
    recipe = loads("name: 2026-11-21\nmodel:\n  revision: 0012\n  path: no\ndata:\n  train: [1e5, on]\n")
    assert (recipe.name, recipe.model.revision, recipe.model.path) == ("2026-11-21", "0012", "no")
    assert recipe.data.train == ("1e5", "on")


def test_a_learning_rate_is_read_as_people_write_it() -> None:
    assert loads("training:\n  learning_rate: 2e-4\n").training.learning_rate == 2e-4


def test_deep_nesting_and_entity_bombs_end_in_a_sentence() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}]\n" for n in range(50))
    wide = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    within = "data: {train: &a [*a]}\n"
    for text in ("[" * 5000, "{a: " * 5000, bomb, f"{wide}data: {{train: *a11}}\n", within):
        _, faults = check(text)
        assert faults


def test_relative_paths_are_taken_from_the_files_own_folder(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    file = tmp_path / "r.yaml"
    file.write_text("model:\n  path: base\n  chat_template: chatml\ndata:\n  train: [d/a.jsonl, /x/b.jsonl]\n")
    recipe = load(file)
    assert recipe.model.path == str(tmp_path / "base")
    assert recipe.data.train == (str(tmp_path / "d/a.jsonl"), "/x/b.jsonl")
    assert recipe.model.chat_template == "chatml"


def test_the_folder_itself_is_a_dot(tmp_path: Path) -> None:
    recipe = relative(put(Recipe(), "data.train", (str(tmp_path), str(tmp_path / "a.jsonl"))), tmp_path)
    assert recipe.data.train == (".", "./a.jsonl")
    assert absolute(recipe, tmp_path).data.train[0] == str(tmp_path)


def test_a_hub_name_is_no_path(tmp_path: Path) -> None:
    recipe = absolute(put(Recipe(), "model.path", "org/name"), tmp_path)
    assert recipe.model.path == "org/name"


def test_a_saved_recipe_moves_with_its_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    recipe = put(put(Recipe(), "data.train", (str(old / "a.jsonl"),)), "data.eval", ("/elsewhere/b.jsonl",))
    save(recipe, old / "r.yaml")
    assert load(old / "r.yaml") == recipe
    old.rename(new)
    assert load(new / "r.yaml").data.train == (str(new / "a.jsonl"),)
    assert load(new / "r.yaml").data.eval == ("/elsewhere/b.jsonl",)


def test_a_resolved_recipe_keeps_its_absolute_paths(tmp_path: Path) -> None:
    save(put(Recipe(), "data.train", (str(tmp_path / "a.jsonl"),)), tmp_path / "r.yaml", portable=False)
    assert str(tmp_path / "a.jsonl") in (tmp_path / "r.yaml").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_gets_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="cannot be written"):
        save(Recipe(), tmp_path / "r.yaml")


def test_saving_into_a_missing_folder_gets_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Cannot write the recipe: No such file"):
        save(Recipe(), tmp_path / "missing" / "r.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\xff\xfe\x00name", "is not UTF-8 text"), (b"#" * 1_000_001, "is too large for a recipe")],
    ids=["UTF-16", "a megabyte"],
)
def test_a_file_that_is_no_recipe_gets_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=sentence):
        load(file)
    with pytest.raises(BadInput, match="Cannot read the recipe: No such file"):
        load(tmp_path / "none.yaml")


def test_the_command_in_the_first_line_names_the_file_as_a_shell_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "my desk #1.yaml"
    save(Recipe(), path)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert shlex.split(first.partition(": ")[2]) == ["tunedeck", "train", path.name]
    save(Recipe(), tmp_path / "two\nlines.yaml")
    assert load(tmp_path / "two\nlines.yaml") == Recipe()

"""Models on this machine: a Hub cache of the real layout, folders nearby, models used before, the demo's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.recipe import model_library
from core.recipe.model_files import DEMO
from core.recipe.model_library import LocalModel, license_of, local_models
from core.recipe.recipe import Recipe, put
from tests.kit.recipe_models import LLAMA_3_1_8B, TINY, shape_from, write_model
from tui.recipe.facts import Room
from tui.recipe.fields import Entries, field_items
from tui.recipe.models import model_items, typed_model
from tui.widgets.filter_menu import FilterItem, filtered

_README = "---\nlanguage: en\nlicense: other\nlicense_name: tiny-license\n---\n# Tiny\nlicense: not this one\n"


def _snapshot(hub: Path, name: str, *, config: Mapping[str, Any] = TINY, weights: bool = True) -> Path:
    """A model as huggingface_hub caches it: blobs, a snapshot of links to them, and the branch's commit in refs."""
    cached = hub / f"models--{name.replace('/', '--')}"
    commit = "0123456789abcdef0123456789abcdef01234567"
    blobs, snapshot = cached / "blobs", cached / "snapshots" / commit
    write_model(blobs, config=config, weights=weights)
    snapshot.mkdir(parents=True)
    for number, blob in enumerate(sorted(blobs.iterdir())):
        blob.rename(blobs / f"{number:040d}")
        (snapshot / blob.name).symlink_to(f"../../blobs/{number:040d}")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    return snapshot


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    (tmp_path / "group" / "work").mkdir(parents=True)
    return tmp_path / "group" / "work"


def _hub(workspace: Path) -> Path:
    return workspace.parents[1] / "home" / "hub"


def _by_path(workspace: Path) -> dict[str, LocalModel]:
    return {model.path: model for model in local_models(workspace)}


def test_models_of_the_hub_cache_are_found_with_parameters_context_and_license(workspace: Path) -> None:
    snapshot = _snapshot(_hub(workspace), "org/tiny--chat")
    (snapshot / "README.md").write_text(_README)
    (_hub(workspace) / "datasets--org--rows").mkdir()
    (_hub(workspace) / "models--org--only-a-tokenizer" / "snapshots").mkdir(parents=True)
    (model,) = (each for each in local_models(workspace) if each.origin == "Hub cache")
    assert (model.path, model.context, model.license) == ("org/tiny--chat", 128, "tiny-license")
    assert model.shape is not None
    assert model.parameters == model.shape.parameters == shape_from(TINY).parameters


def test_a_model_without_its_weights_is_listed_with_the_reason_and_what_its_index_says(workspace: Path) -> None:
    snapshot = _snapshot(_hub(workspace), "org/half", config=LLAMA_3_1_8B, weights=False)
    index = {"metadata": {"total_size": 16_060_522_496}, "weight_map": {"a": "model-00001-of-00004.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    half = _by_path(workspace)["org/half"]
    assert (half.parameters, half.context, half.shape) == (8_030_261_248, 131_072, None)
    assert "weight files are missing" in half.problem


def test_folders_of_the_workspace_and_beside_it_are_found_but_no_run_adapter_or_hidden_one(workspace: Path) -> None:
    here, beside = write_model(workspace / "models" / "a"), write_model(workspace.parent / "b")
    for name in ("runs/x/model", ".venv/m", "1/2/3/4/deep"):
        write_model(workspace / name)
    (workspace / "adapter").mkdir()
    (workspace / "adapter" / "adapter_config.json").write_text("{}")
    write_model(workspace / "no-weights", weights=False)
    folders = {path for path, model in _by_path(workspace).items() if model.origin == "folder"}
    assert folders == {str(here), str(beside)}


def test_the_search_for_folders_ends(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (workspace / f"{number:02d}").mkdir()
    write_model(workspace / "zz")
    (workspace / "loop").symlink_to(workspace)
    assert str(workspace / "zz") in _by_path(workspace)
    monkeypatch.setattr(model_library, "_FOLDERS", 10)
    assert str(workspace / "zz") not in _by_path(workspace)


def test_models_used_before_come_first_each_once_and_the_demo_is_always_there(workspace: Path) -> None:
    _snapshot(_hub(workspace), "org/old")
    _snapshot(_hub(workspace), "org/a-first-by-name")
    for number, path in enumerate(("org/gone", "org/old", "org/old")):
        run = workspace / "runs" / f"2026-11-2{number}-x"
        run.mkdir(parents=True)
        (run / "job.json").write_text(json.dumps({"payload": {"recipe": {"model": {"path": path}}}}))
    (workspace / "runs" / "broken").mkdir()
    (workspace / "runs" / "broken" / "job.json").write_text("{")
    found = [(model.path, model.origin) for model in local_models(workspace)]
    assert found == [("org/old", "used before"), ("org/a-first-by-name", "Hub cache"), (str(DEMO), "demo")]


@pytest.mark.parametrize(
    ("readme", "license"),
    [
        ("---\nlicense: apache-2.0\n---\n", "apache-2.0"),
        ("---\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("# No front matter\nlicense: mit\n", ""),
        ("---\nlicense:\n- mit\n---\n", ""),
        ("---\nlicense: \x1b[2Jmit\n---\n", ""),
        ("---\nlicense: mit\n", ""),
    ],
)
def test_the_license_is_that_of_the_readmes_front_matter(tmp_path: Path, readme: str, license: str) -> None:
    (tmp_path / "README.md").write_bytes(readme.encode())
    assert license_of(tmp_path) == license


def test_a_list_of_models_says_what_fits_on_this_card_with_this_recipe(workspace: Path) -> None:
    llama = LocalModel("org/l", "org/l", "Hub cache", 8_030_261_248, 131_072, "llama3.1", shape_from(LLAMA_3_1_8B))
    card = Room("cuda", "GPU 0", 12 * 2**30)
    recipe = put(put(Recipe(), "training.batch_size", 1), "data.max_length", 1024)
    (whole,) = model_items([llama], recipe, card, workspace)
    (quantized,) = model_items([llama], put(recipe, "model.quantization", "nf4"), card, workspace)
    assert "does not fit" in whole.beside
    assert quantized.beside.startswith("fits, ~")
    for part in ("8.03", "131,072", "llama3.1", "Hub cache"):
        assert part in quantized.words
    (nowhere,) = model_items([llama], recipe, Room("cpu", "the CPU", 2**40), workspace)
    assert nowhere.beside == ""


def test_typing_filters_and_the_exact_name_comes_first() -> None:
    items = [FilterItem("org/tiny-chat", "org/tiny-chat"), FilterItem("org/tiny", "org/tiny", "license mit")]
    assert [item.key for item in filtered(items, "ORG/tiny")] == ["org/tiny", "org/tiny-chat"]
    assert [item.key for item in filtered(items, "mit tiny")] == ["org/tiny"]
    assert filtered(items, "llama") == []
    assert "downloaded" in typed_model("org/new").words
    assert "folder" in typed_model("./models/x").words


def test_a_short_name_typed_in_full_finds_its_field_first() -> None:
    fields = field_items(Entries(Recipe(), Path("/nowhere")))
    assert [filtered(fields, text)[0].key for text in ("lr", "rank", "epochs")] == [
        "training.learning_rate",
        "lora.rank",
        "training.epochs",
    ]

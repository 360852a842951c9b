"""Recipe and data of a run, as they are read and as they are written."""

from __future__ import annotations

import json
from pathlib import Path

from core.dataset.view.plan import build_view
from core.dataset.view.view import link_view
from core.jobs.folder import JobFolder
from core.recipe.recipe import Recipe, put, to_json
from core.runs.details import read_details
from tests.kit.data_screen import chat
from tui.run_details.screen import details_lines


def made_run(workspace: Path) -> JobFolder:
    data = workspace / "tickets.jsonl"
    rows = [chat("first"), chat("second"), "{broken", chat("third"), chat("first"), chat("fifth")]
    data.write_text("\n".join(rows) + "\n")
    recipe = put(put(Recipe(), "training.learning_rate", 1e-3), "data.train", (str(data),))
    view = build_view(workspace, paths=[data], eval_fraction=0.25)
    folder = JobFolder.create(workspace / "runs", "tickets", "training", payload={"recipe": to_json(recipe)})
    link_view(view, folder.path)
    return folder


def written(folder: Path) -> list[str]:
    return ["".join(text for text, _ in line.spans) for line in details_lines(read_details(folder), 200)]


def test_what_differs_from_the_defaults_comes_first_then_data_then_every_field(tmp_path: Path) -> None:
    folder = made_run(tmp_path)
    details = read_details(folder.path)
    assert [entry.path for entry in details.changed] == ["data.train", "training.learning_rate"]
    text = written(folder.path)
    rate = [number for number, line in enumerate(text) if "training.learning_rate" in line]
    file = next(number for number, line in enumerate(text) if line.startswith("file") and "tickets.jsonl" in line)
    assert rate[0] < file < rate[1]
    assert "1e-3" in text[rate[0]]
    assert "default 2e-4" in text[rate[0]]
    assert len(details.fields) > 30
    manifest = json.loads((folder.data / "manifest.json").read_bytes())
    assert f"hash {manifest['sources'][0]['hash']}" in text[file + 1]
    facts = dict(details.data)
    assert facts["rows"] == "5"
    assert facts["malformed lines"] == "1"
    assert facts["dropped"].startswith("1 ")
    assert facts["dataset hash"] == manifest["fingerprint"]
    assert "25%" in facts["eval set"]


def test_a_run_without_data_or_recipe_says_what_cannot_be_read(tmp_path: Path) -> None:
    folder = made_run(tmp_path)
    (folder.data / "manifest.json").unlink()
    assert "manifest" in read_details(folder.path).problem
    assert read_details(folder.path).fields
    other = JobFolder.create(tmp_path / "runs", "other", "scan")
    assert "no recipe" in read_details(other.path).problem

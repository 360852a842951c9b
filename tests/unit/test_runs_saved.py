"""An adapter's folder knows its own step and figures, whatever the run did after it was saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.runs.saved import NAME, Weights, from_json, read_weights, weights_at, write_weights

_HISTORY: list[dict[str, Any]] = [
    {"step": 0, "eval_loss": 5.0},
    {"step": 300, "loss": 2.0},
    {"step": 400, "eval_loss": 1.5},
    {"step": 600, "loss": 1.25},
    {"step": 800, "eval_loss": 1.0},
    {"step": 900, "loss": 0.5},
]


def test_what_came_after_the_saved_step_is_not_the_weights_own() -> None:
    assert weights_at(_HISTORY, 624, 624, 1500) == Weights(624, 624, 1500, 1.25, 1.5, 400, 5.0)
    assert weights_at(_HISTORY, 800, 1000, 1500) == Weights(800, 1000, 1500, 1.25, 1.0, 800, 5.0)
    # The base model's loss is not that of the weights.
    assert weights_at(_HISTORY, 200, 200, 1500) == Weights(200, 200, 1500, None, None, None, 5.0)


@pytest.mark.parametrize(
    ("weights", "run_step", "words"),
    [
        (Weights(624, 624, 1500, 1.25, 1.5, 400, 5.0), 624, "step 624 of 1,500, eval loss 1.500 at step 400"),
        (
            Weights(624, 624, 1500, 1.25, 1.5, 400),
            843,
            "step 624 of 1,500, eval loss 1.500 at step 400; the run continued to step 843 without saving",
        ),
        (
            Weights(800, 1000, 1500, 1.25, 1.0, 800),
            1000,
            "step 800 of 1,500 (best up to step 1,000), eval loss 1.000",
        ),
        (Weights(20, 20), None, "step 20"),
    ],
)
def test_the_words_name_the_step_of_each_figure(weights: Weights, run_step: int | None, words: str) -> None:
    assert weights.words(run_step) == words


def test_it_is_read_back_as_it_was_written_and_what_is_no_step_is_none(tmp_path: Path) -> None:
    weights = Weights(800, 1000, 1500, 1.25, float("inf"), 800, 5.0)
    write_weights(tmp_path, weights)
    said = json.loads((tmp_path / NAME).read_text())
    assert (said["version"], said["step"], said["eval_loss"]) == (2, 800, "inf")
    assert read_weights(tmp_path) == Weights(800, 1000, 1500, 1.25, None, 800, 5.0)
    older = {key: value for key, value in said.items() if key != "task"}
    (tmp_path / NAME).write_text(json.dumps({**older, "version": 1}))
    assert read_weights(tmp_path) == Weights(800, 1000, 1500, 1.25, None, 800, 5.0)
    for bad in ({**said, "version": 9}, {**said, "step": "800"}, {**said, "step": True}, {**said, "step": -1}, {}):
        (tmp_path / NAME).write_text(json.dumps(bad))
        assert read_weights(tmp_path) is None
    assert from_json({}) is None


def test_an_adapter_of_an_older_version_has_the_step_of_its_last_summary(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "old", "training")
    folder.adapter.mkdir()
    assert read_weights(folder.adapter) is None
    folder.append_event("summary", "Done.", steps=500, saved_step=500, eval_loss=1.0)
    folder.append_event("summary", "Done.", steps=624, saved_step=400, eval_loss=1.0)
    folder.append_event("resume", "Going on.", step=624)
    assert read_weights(folder.adapter) == Weights(400, 624)

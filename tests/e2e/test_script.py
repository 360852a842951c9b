"""`tunedeck script`: a script for each task and adapter kind or a reason, and what a script cannot do at its top.

That the losses are those of the run is part of the parity tests.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.recipe.adapters import ADAPTERS
from core.recipe.tasks import TASKS
from tests.kit.training_runs import make_run, pair, talk, work
from tests.kit.warm.process import WarmPython
from tui.cli import main


@pytest.mark.slow
def test_each_task_and_adapter_kind_has_a_script_or_says_why_not(warm: WarmPython, tmp_path: Path) -> None:
    done = work(warm, "tests.kit.parity.scripts", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {f"task {name}" for name in TASKS} | {f"method {adapter.kind}" for adapter in ADAPTERS}
    assert all(words == "" or "No plain TRL script" in words for words in found.values()), found
    assert not any(found[name] for name in ("task sft", "task dpo", "method lora", "method full", "method last_layers"))


def test_what_a_script_does_otherwise_is_at_its_top(
    warm: WarmPython, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [talk(number) for number in range(8)]
    rows[1]["messages"] = [{**turn} for turn in rows[1]["messages"]] + rows[3]["messages"]
    rows[1]["messages"][1]["trained"] = False
    rows[2]["messages"][0]["content"] *= 20
    folder = make_run(
        tmp_path, rows, [talk(9)], data__max_length=128, training__early_stopping=2, training__eval_every=2.0
    )
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(folder.read_job()["payload"]["recipe"]))
    recipe.with_suffix(".yaml").write_text(recipe.read_text())
    done = work(warm, "core.training.script", recipe, folder.data)
    assert done.returncode == 0, done.stderr[-3000:]
    head = done.stdout.partition("import json")[0]
    assert "NOT THE SAME" in head
    assert "1 sample with answers" in head
    assert "early_stopping" in head
    assert '"train": (2,)' in done.stdout, "its answer is cut off"
    compile(done.stdout, "script", "exec")
    pairs = make_run(tmp_path / "pairs", [pair(number) for number in range(4)], task="kto")
    rated = tmp_path / "rated.json"
    rated.write_text(json.dumps(pairs.read_job()["payload"]["recipe"]))
    done = work(warm, "core.training.script", rated, pairs.data)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "chunk_text" not in done.stdout, "two answers of a pair are no chunks of a text"
    monkeypatch.chdir(tmp_path)
    assert main(["script", "none.yaml"]) == 2
    assert "none.yaml" in capsys.readouterr().err
    data = f"data.train={folder.data / 'train.jsonl'}"
    refused = ["--set", data, "--set", "method=full", "--set", "model.quantization=nf4"]
    assert main(["script", str(recipe.with_suffix(".yaml")), *refused]) == 2
    assert "cannot be trained" in capsys.readouterr().err

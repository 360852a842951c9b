"""A run that would train something else than its data says stops before its first step, and scan names the rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.jobs.status import FAILED
from tests.kit.training_runs import events, make_run, talk, work
from tests.kit.warm.process import WarmPython
from tui.cli import main

CALL = {"type": "function", "function": {"name": "weather", "arguments": {"town": "Ulm"}}}
TOOL_TURNS = [
    {"role": "user", "content": "Weather in Ulm?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": '{"t": 4}'},
    {"role": "assistant", "content": "4 degrees."},
]
CALLS = {"kind": "messages", "messages": TOOL_TURNS}


def test_the_worker_stops_before_it_loads_the_model_and_names_the_rows(warm_python: WarmPython, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs", [talk(0), CALLS, talk(1)], [talk(2)], model__chat_template="chatml")
    done = work(warm_python, "core.training", folder.path)
    assert done.returncode == 2
    said = folder.read_status().message
    assert folder.read_status().state == FAILED
    assert "row 2: tool calls (turn 2)" in said
    assert "not_rendered" in said
    assert "data.train_without" in said
    assert not folder.metrics.exists()
    assert not [event for event in events(folder, "phase") if "Loading the model" in event["message"]]


def test_scan_with_a_model_counts_what_its_template_does_not_render(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert warm
    monkeypatch.chdir(tmp_path)
    rows = [
        {"messages": TOOL_TURNS},
        {"messages": [*talk(0)["messages"][:1], {"role": "assistant", "content": "<|im_end|>"}]},
    ]
    Path("talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["scan", "talks.jsonl", "--json"]) == 0
    assert "not_rendered" not in json.loads(capsys.readouterr().out)["flags"]
    assert main(["scan", "talks.jsonl"]) == 0
    assert "not_rendered, control_tokens" in capsys.readouterr().out
    assert main(["scan", "talks.jsonl", "--model", "tiny base (demo)", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["flags"]["not_rendered"], found["flags"]["control_tokens"]) == (1, 1)
    assert found["tokens"]["context_lost"] == 0
    assert not (tmp_path / ".tunedeck").exists()

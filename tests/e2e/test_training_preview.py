"""What the screen shows of a sample comes from the service, and it is what a run counts and trains."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.recipe.recipe import to_json
from tests.kit.training_runs import lines, make_run, pair, recipe, talk, work
from tests.kit.waiting import PATIENCE
from tests.kit.warm.process import WarmPython


def _ask(warm: WarmPython, *questions: dict[str, Any]) -> list[dict[str, Any]]:
    asked = "".join(json.dumps({"id": n, "ask": "encode", **question}) + "\n" for n, question in enumerate(questions))
    with subprocess.Popen(
        [warm.path, "-m", "core.training.preview"],
        env={**os.environ, **warm.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        assert json.loads(service.stdout.readline()) == {"ready": True}
        service.stdin.write(asked.encode())
        service.stdin.flush()
        answers = [json.loads(service.stdout.readline()) for _ in questions]
        service.stdin.close()
        assert service.wait(timeout=PATIENCE) == 0
    return answers


def test_the_preview_shows_the_trained_text_and_what_the_cut_takes(warm_python: WarmPython) -> None:
    thinking = {**talk(1), "messages": [dict(turn) for turn in talk(1)["messages"]]}
    thinking["messages"][0]["content"] += "<|im_end|>"
    thinking["messages"][1]["reasoning_content"] = "Where was it again?"
    lost, whole, cut, missing = _ask(
        warm_python,
        {"recipe": to_json(recipe(model__chat_template="chatml")), "sample": thinking},
        {"recipe": to_json(recipe()), "sample": talk(1)},
        {"recipe": to_json(recipe(data__max_length=30)), "sample": talk(1)},
        {"recipe": to_json(recipe(model__path="./no/such/model")), "sample": talk(1)},
    )
    answer = talk(1)["messages"][1]["content"]
    shown = whole["answer"]
    (part,), (short,) = shown["parts"], cut["answer"]["parts"]
    assert "".join(text for text, trained in part["pieces"] if trained) == f"{answer}<|im_end|>"
    assert shown["lost"] == 0
    assert shown["stop_trained"]
    kept = "".join(text for text, _ in short["pieces"])
    assert kept + short["lost_text"] == "".join(text for text, _ in part["pieces"])
    assert cut["answer"]["tokens"] == 30
    assert cut["answer"]["lost"] == shown["total"] - 30
    assert cut["answer"]["trained"] + cut["answer"]["lost_trained"] == shown["trained"]
    assert "./no/such/model" in missing["error"]
    assert lost["answer"]["not_rendered"] == "reasoning (turn 2)"
    assert lost["answer"]["control_tokens"] == ["<|im_end|>"]
    assert not shown["not_rendered"]


def test_the_preview_of_a_pair_shows_its_prompt_once_and_both_answers(warm_python: WarmPython) -> None:
    (answer,) = _ask(warm_python, {"recipe": to_json(recipe(task="dpo")), "sample": pair(1)})
    prompt, chosen, rejected = answer["answer"]["parts"]
    assert [part["name"] for part in (prompt, chosen, rejected)] == ["prompt", "chosen", "rejected"]
    assert not any(trained for _, trained in prompt["pieces"])
    for part, name in ((chosen, "chosen"), (rejected, "rejected")):
        text = "".join(text for text, trained in part["pieces"] if trained)
        assert text.startswith(pair(1)[name][0]["content"] + "<|im_end|>")
    assert answer["answer"]["stop_trained"]


@pytest.mark.parametrize(("task", "make"), [("sft", talk), ("dpo", pair)])
def test_measured_tokens_are_those_that_a_run_counts(
    warm_python: WarmPython, tmp_path: Path, task: str, make: Callable[[int], dict[str, Any]]
) -> None:
    changes = {"task": task, "data__max_length": 32}
    samples, held_out = ([make(number) for number in numbers] for numbers in (range(20), range(20, 24)))
    folder = make_run(tmp_path, samples, held_out, **changes, training__max_steps=1)
    source, out = tmp_path / "recipe.json", tmp_path / "facts.jsonl"
    source.write_text(json.dumps(to_json(recipe(**changes))))
    assert work(warm_python, "core.training.measure", source, folder.data / "train.jsonl", out).returncode == 0
    assert work(warm_python, "core.training", folder.path).returncode == 0
    (data,) = [event for event in lines(folder.events) if event["kind"] == "data"]
    facts = lines(out)
    assert [fact["row"] for fact in facts] == list(range(20))
    assert sum(fact["tokens"] for fact in facts) == data["tokens"]
    assert sum(fact["trained"] for fact in facts) == data["trained_tokens"]
    assert sum(fact["lost"] > 0 for fact in facts) > 0

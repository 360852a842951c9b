"""Whether to fine-tune at all: what follows from answers and dataset, and how answers are read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.runs.advice.advise import HEADLINES, advise
from core.runs.advice.evidence import Baseline, Evidence, baseline_of
from core.runs.advice.kept import keep, read_kept
from core.runs.advice.questions import QUESTIONS, Answers, answered, load_answers, read_answers
from tests.kit.training_runs import make_run
from tui.cli import main

GOOD_DATA = Evidence(train=900, held_out=100, audited=60, bad=1)
READY = Answers(goals=("style",), facts="rarely", prompt="not_enough", evaluation="scored")


@pytest.mark.parametrize(
    ("changes", "data", "advice"),
    [
        ({}, {}, "fine_tune"),
        ({"facts": "daily"}, {}, "both"),
        ({"goals": ("style", "hallucination")}, {}, "both"),
        ({"goals": ("knowledge",)}, {}, "retrieval"),
        ({"goals": ("hallucination",)}, {}, "retrieval"),
        ({"prompt": "good"}, {}, "prompt"),
        ({"prompt": "good", "limits": ("privacy",)}, {}, "prompt"),
        ({"prompt": "good", "limits": ("cost",)}, {}, "fine_tune"),
        ({"prompt": "good", "facts": "monthly"}, {}, "retrieval"),
        ({"prompt": "good_with_examples"}, {}, "few_shot"),
        ({"prompt": "good_with_examples", "limits": ("latency",)}, {}, "fine_tune"),
        ({"prompt": "not_tried"}, {}, "prompt"),
        ({"prompt": "not_tried", "goals": ("format",)}, {}, "few_shot"),
        ({"prompt": ""}, {}, "not_yet"),
        ({"goals": ()}, {}, "not_yet"),
        ({"evaluation": "no_way"}, {}, "not_yet"),
        ({}, {"train": 60, "held_out": 7}, "not_yet"),
        ({}, {"held_out": 0}, "not_yet"),
        ({}, {"leaks": 30}, "not_yet"),
        ({}, {"leaks": 1}, "fine_tune"),
        ({}, {"audited": 100, "bad": 40}, "not_yet"),
        ({}, {"unreadable": 400}, "not_yet"),
        ({"facts": "daily"}, {"train": 10, "held_out": 1}, "retrieval"),
    ],
)
def test_advice_follows_from_answers_and_dataset(changes: dict[str, Any], data: dict[str, Any], advice: str) -> None:
    outcome = advise(replace(READY, **changes), replace(GOOD_DATA, **data))
    assert outcome.advice == advice
    assert outcome.reasons or not changes.get("goals", True)
    assert any(missing.blocks for missing in outcome.missing) >= (advice == "not_yet")


def test_the_reasons_name_what_decides_and_the_missing_what_to_do() -> None:
    few = advise(READY, replace(GOOD_DATA, train=60, held_out=7))
    assert "67" in few.missing[0].sentence
    assert "33 more" in few.missing[0].sentence
    assert few.reasons[0].weight == "against"
    assert "67" in few.reasons[0].sentence
    unaudited = advise(READY, replace(GOOD_DATA, audited=0))
    assert unaudited.advice == "fine_tune"
    assert ["audit" in missing.sentence for missing in unaudited.missing] == [True]
    assert not unaudited.missing[0].blocks
    bad = advise(READY, replace(GOOD_DATA, audited=100, bad=40))
    assert "40 of 100" in bad.missing[0].sentence
    changing = advise(replace(READY, facts="daily"), GOOD_DATA)
    assert {"for", "against"} == {reason.weight for reason in changing.reasons}
    assert changing.reasons[0].weight == "for"
    for limit, word in (("cost", "Cost"), ("latency", "Latency"), ("privacy", "Privacy")):
        assert any(word in reason.sentence for reason in advise(replace(READY, limits=(limit,)), GOOD_DATA).reasons)


def test_nothing_is_advised_without_answers_and_what_is_not_known_is_missing() -> None:
    outcome = advise(Answers())
    assert outcome.advice == "not_yet"
    assert {"goals", "prompt", "evaluation"} == {
        key for key, question in QUESTIONS.items() if any(question.title in each.sentence for each in outcome.missing)
    }
    assert advise(replace(READY, samples="under_100")).advice == "not_yet"
    assert advise(replace(READY, samples="over_1000")).advice == "fine_tune"


def test_an_earlier_run_on_the_same_files_is_cited(tmp_path: Path) -> None:
    data = tmp_path / "tickets.jsonl"
    data.write_text("{}\n")
    (tmp_path / "runs").mkdir()
    folder = make_run(tmp_path / "runs")
    job = folder.read_job()
    job["payload"]["recipe"]["data"]["train"] = [str(data)]
    (folder.path / "job.json").write_text(json.dumps(job))
    assert baseline_of(tmp_path, [str(data)]) is None
    folder.evaluation.mkdir(exist_ok=True)
    (folder.evaluation / "summary.json").write_text('{"base_loss": 3.25, "tuned_loss": 1.5, "eval_samples": 40}')
    found = baseline_of(tmp_path, [str(data)])
    assert found == Baseline(folder.id, 3.25, 1.5, 40)
    assert baseline_of(tmp_path, [str(tmp_path / "other.jsonl")]) is None
    cited = [
        reason for reason in advise(READY, replace(GOOD_DATA, baseline=found)).reasons if folder.id in reason.sentence
    ]
    assert [(reason.weight, "3.25" in reason.sentence, "1.5" in reason.sentence) for reason in cited] == [
        ("for", True, True)
    ]
    worse = replace(found, tuned=3.5) if found else None
    assert advise(READY, replace(GOOD_DATA, baseline=worse)).reasons[-1].weight == "against"


def test_answers_are_read_from_yaml_and_json_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("goals: style\nprompt: not_enough\nlimits: []\nfacts:\nsamples: 250\n")
    assert load_answers(file) == Answers(goals=("style",), prompt="not_enough", samples="100_to_1000")
    file.write_text('{"goals": ["style", "format"], "evaluation": "scored"}')
    found = load_answers(file)
    assert found.goals == ("style", "format")
    assert read_answers(found.to_json()) == found
    for text, words in (
        ("goal: style\n", "goals"),
        ("goals: [tone]\n", "tone"),
        ("prompt: great\n", "not_enough"),
        ("- style\n", "KEY"),
        ("{", "YAML"),
    ):
        file.write_text(text)
        with pytest.raises(BadInput, match=words) as raised:
            load_answers(file)
        assert raised.value.where == str(file)


def test_picking_adds_takes_back_and_replaces() -> None:
    one = answered(answered(Answers(), "goals", "format"), "goals", "style")
    assert one.goals == ("style", "format"), "in the order of the question"
    assert answered(one, "goals", "format").goals == ("style",)
    assert answered(answered(one, "prompt", "good"), "prompt", "not_tried").prompt == "not_tried"
    assert answered(answered(one, "prompt", "good"), "prompt", "good").prompt == ""


def test_answers_are_kept_in_the_workspace(tmp_path: Path) -> None:
    assert read_kept(tmp_path) is None
    keep(tmp_path, Answers())
    assert read_kept(tmp_path) == Answers(), "skipped"
    keep(tmp_path, READY)
    assert read_kept(tmp_path) == READY


def test_the_command_prints_advice_reasons_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"question {n} of {n * 7}"},
                {"role": "assistant", "content": f"a{n}"},
            ]
        }
        for n in range(30)
    ]
    Path("tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("answers.yaml").write_text("goals: style\nprompt: not_enough\nevaluation: scored\n")
    assert main(["advise", "tickets.jsonl", "--answers", "answers.yaml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["advice"] == "not_yet"
    assert found["dataset"]["train"] + found["dataset"]["held_out"] == 30
    assert "70 more" in found["missing"][0]
    assert any("30" in reason for reason in found["reasons"])
    assert main(["advise", "tickets.jsonl", "--answers", "answers.yaml"]) == 0
    said = capsys.readouterr().out
    assert HEADLINES["not_yet"] in said
    assert "70 more" in said
    assert main(["advise", "--questions"]) == 0
    Path("form.yaml").write_text(capsys.readouterr().out)
    assert load_answers(Path("form.yaml")) == Answers()
    assert not list(tmp_path.glob(".tunedeck/advice.json")), "the command asks for itself"


def test_every_question_and_advice_is_worded() -> None:
    assert len(QUESTIONS) == 6
    for question in QUESTIONS.values():
        assert question.title.endswith("?")
        assert question.help
        assert all(words for choice, words in question.choices.items() if choice)

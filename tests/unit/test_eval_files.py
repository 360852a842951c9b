"""An eval file is read as what it is: its own format and columns, its own mapping, errors that name it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.mapping import Chosen, save
from core.dataset.scan.scan import scan
from core.dataset.view.plan import build_view
from core.errors import BadInput
from core.recipe.mapped import with_mapping
from core.recipe.recipe import Recipe, put
from core.runs.preflight import preflight, stops
from core.runs.row_words import row_findings
from tui.cli import main

ASKED = [{"prompt": f"What is number {n} called?", "completion": f"Number {n}."} for n in range(8)]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def leaks(train: Path, held: Path, chosen: Chosen | None = None) -> int:
    return scan(train, eval_paths=[held], eval_chosen=chosen).flags["leak_exact"]


@pytest.mark.parametrize(
    "row",
    [
        {"question": "What is number 3 called?"},
        {"prompt": "What is number 3 called?"},
        {"instruction": "What is number 3 called?", "input": ""},
        {"query": "What is number 3 called?", "id": 7},
        {"messages": [{"role": "user", "content": "What is number 3 called?"}]},
        {"prompt": [{"role": "user", "content": "What is number 3 called?"}]},
        {"question": "What is number 3 called?", "answer": None},
        {"conversations": [{"from": "human", "value": "What is number 3 called?"}, {"from": "gpt", "value": "3"}]},
        {"prompt": "What is number 3 called?", "chosen": "Three", "rejected": "Four"},
        {"text": "What is number 3 called?"},
    ],
)
def test_a_prompt_alone_is_enough_to_look_for_leaks(tmp_path: Path, row: dict[str, Any]) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    assert leaks(train, write(tmp_path / "eval.jsonl", [row])) == 1


def test_a_format_of_the_training_data_is_not_forced_on_the_eval_file(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    held = write(tmp_path / "eval.jsonl", [{"instruction": "Say it", "input": "twice", "output": "it it"}])
    view = build_view(tmp_path, paths=[train], format="prompt-completion", eval_paths=[held])
    line = json.loads((view.folder / "eval.jsonl").read_text())
    assert line["sample"]["messages"][0]["content"] == "Say it\ntwice"


def test_the_eval_file_has_a_mapping_of_its_own(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    held = write(tmp_path / "eval.jsonl", [{"frage": ASKED[3]["prompt"], "antwort": "Number 3.", "alt": "other"}])
    with pytest.raises(BadInput, match=r"eval\.jsonl.*no row of the eval file has a prompt"):
        leaks(train, held)
    assert leaks(train, held, Chosen(columns={"prompt": "frage"})) == 1
    with pytest.raises(BadInput, match=r"eval\.jsonl.*no column 'fragen'"):
        leaks(train, held, Chosen(columns={"prompt": "fragen"}))
    view = build_view(
        tmp_path,
        paths=[train],
        eval_paths=[held],
        eval_columns={"prompt": "frage", "completion": "alt"},
        drop_flags=(),
    )
    assert json.loads((view.folder / "eval.jsonl").read_text())["sample"]["messages"][1]["content"] == "other"


def test_a_mapping_saved_for_the_eval_file_is_used(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    held = write(tmp_path / "eval.jsonl", [{"frage": "Was ist das hier?", "antwort": "Das ist es."}] * 2)
    recipe = put(put(Recipe(), "data.train", (str(train),)), "data.eval", (str(held),))
    assert any("eval.jsonl" in check.sentence for check in stops(preflight(recipe, tmp_path)))
    save(tmp_path, [held], Chosen("prompt-completion", {"prompt": "frage", "completion": "antwort"}))
    mapped = with_mapping(recipe, tmp_path)
    assert (mapped.data.eval_format, dict(mapped.data.columns)) == ("prompt-completion", {})
    assert mapped.data.eval_columns["prompt"] == "frage"
    assert not any(check.path == "data.eval" for check in stops(preflight(recipe, tmp_path)))


def test_an_eval_file_without_answers_stops_a_run_and_not_an_overview(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    held = write(tmp_path / "eval.jsonl", [{"prompt": row["prompt"]} for row in ASKED[:2]])
    view = build_view(tmp_path, paths=[train], eval_paths=[held])
    assert view.dropped == {"leak_exact": 2}
    recipe = put(put(Recipe(), "data.train", (str(train),)), "data.eval", (str(held),))
    found = [each for each in row_findings(view, recipe) if each.verdict == "stop"]
    assert [each.path for each in found] == ["data.eval"]
    assert "2 of 2 samples are prompts" in found[0].sentence


def test_near_leaks_are_found_for_prompts_alone_too(tmp_path: Path) -> None:
    words = "Please tell me how many working days it takes until my refund arrives on the bank account in shop number "
    train = write(tmp_path / "train.jsonl", [{"prompt": words + "18", "completion": "Six days."}])
    held = write(tmp_path / "eval.jsonl", [{"prompt": words + "17"}])
    view = build_view(tmp_path, paths=[train], eval_paths=[held], near=0.8)
    assert view.manifest["leaks"] == {"exact": 0, "near": 1}


def test_the_command_line_maps_the_eval_file_and_refuses_what_is_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    held = write(tmp_path / "eval.jsonl", [{"frage": ASKED[3]["prompt"], "antwort": "Number 3."}])
    said = ["--eval-columns", "prompt=frage", "--eval-columns", "completion=antwort"]
    assert main(["scan", str(train), "--eval", str(held), *said, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["flags"]["leak_exact"] == 1
    assert main(["scan", str(train), *said]) == 2
    assert "--eval" in capsys.readouterr().err
    assert main(["scan", str(train), "--eval", str(held), "--eval-columns", "prompt"]) == 2
    assert "--eval-columns" in capsys.readouterr().err


def test_eval_rows_without_a_prompt_are_counted_with_the_first_ones_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    held = write(tmp_path / "eval.jsonl", [ASKED[0], {"id": 7}, ASKED[1]])
    held.write_text(held.read_text() + "{torn\n")
    assert main(["scan", str(train), "--eval", str(held), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["eval"]
    assert (found["rows"], found["without_prompt"]) == (4, 2)
    assert found["first"].startswith("eval.jsonl, line 2: ")
    assert main(["scan", str(train), "--eval", str(held)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "2 of 4 eval rows" in out
    assert "eval.jsonl, line 2" in out


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "Only asked?"}]},
        {"prompt": "Only asked?", "completion": ""},
        {"prompt": "Only asked?", "completion": None},
    ],
)
def test_eval_rows_without_an_answer_are_never_evaluated_on(tmp_path: Path, row: dict[str, Any]) -> None:
    train = write(tmp_path / "train.jsonl", ASKED)
    held = write(tmp_path / "eval.jsonl", [{"prompt": "Who?", "completion": "Me."}, row])
    view = build_view(tmp_path, paths=[train], eval_paths=[held])
    assert (view.eval_count, view.dropped["unreadable in eval"]) == (1, 1)

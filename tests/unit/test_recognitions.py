"""Each file is read as what it is itself, and so is each schema inside a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.dataset import Dataset
from core.dataset.mapping import Chosen
from core.dataset.records import Unreadable
from core.errors import BadInput

ASKED = [{"prompt": f"Question {n}?", "completion": f"Answer {n}."} for n in range(30)]
DONE = [{"instruction": f"Do {n}?", "input": "", "output": f"Done {n}."} for n in range(30)]
PAIRS = [{"prompt": f"Q{n}", "chosen": "good", "rejected": "bad"} for n in range(30)]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def answers(dataset: Dataset) -> list[str]:
    dataset.reader.extend()
    found = []
    for entry in range(dataset.count):
        try:
            found.append(dataset.sample(entry).answer)
        except Unreadable as fault:
            found.append(f"! {fault}")
    return found


def test_each_file_has_its_own_format_and_mapping(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", ASKED), write(tmp_path / "b.jsonl", DONE)
    dataset = Dataset.open([a, b])
    assert [each.found.name for each in dataset.recognitions.all()] == ["prompt-completion", "alpaca"]
    assert answers(dataset)[29:31] == ["Answer 29.", "Done 0."]
    assert answers(Dataset.open([b, a]))[29:31] == ["Done 29.", "Answer 0."]
    assert not dataset.recognitions.uniform
    assert Dataset.open([a, a]).recognitions.uniform


def test_a_mapping_of_one_file_leaves_the_others_alone(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", ASKED)
    b = write(tmp_path / "b.jsonl", [{"x": f"long question {n}", "y": f"long answer {n}"} for n in range(9)])
    said = {"b.jsonl:prompt": "x", "b.jsonl:completion": "y"}
    assert answers(Dataset.open([a, b], columns=said))[29:31] == ["Answer 29.", "long answer 0"]
    named = {"b.jsonl:format": "prompt-completion", **said}
    assert answers(Dataset.open([a, b], columns=named))[30] == "long answer 0"
    with pytest.raises(BadInput, match=r"b\.jsonl.*no column 'z'"):
        Dataset.open([a, b], columns={"b.jsonl:prompt": "z"})
    with pytest.raises(BadInput, match=r"'c\.jsonl'.*a\.jsonl, b\.jsonl"):
        Dataset.open([a, b], columns={"c.jsonl:prompt": "x"}).check_mapping()


def test_columns_for_all_files_concern_those_that_have_them(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", ASKED), write(tmp_path / "b.jsonl", [{"x": "a b", "y": "c d"}])
    for paths in ([a, b], [b, a]):
        assert set(answers(Dataset.open(paths, columns={"prompt": "x", "completion": "y"}))) > {"c d", "Answer 3."}
    with pytest.raises(BadInput, match="no column 'w'"):
        Dataset.open([a, b], columns={"prompt": "w"})


def test_a_format_for_all_files_is_not_reinterpreted(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", ASKED), write(tmp_path / "b.jsonl", DONE)
    found = answers(Dataset.open([a, b], "prompt-completion", {"prompt": "prompt", "completion": "completion"}))
    assert found[29] == "Answer 29."
    assert found[30].startswith("! ")


def test_two_schemas_in_one_file_are_both_read(tmp_path: Path) -> None:
    mixed = [row for both in zip(ASKED, DONE, strict=True) for row in both]
    found = answers(Dataset.open(write(tmp_path / "mixed.jsonl", mixed)))
    assert found[:4] == ["Answer 0.", "Done 0.", "Answer 1.", "Done 1."]


def test_a_second_schema_may_begin_late(tmp_path: Path) -> None:
    rows = [*ASKED * 40, *DONE]
    dataset = Dataset.open(write(tmp_path / "late.jsonl", rows))
    assert answers(dataset)[-1] == "Done 29."
    assert dataset.sample(1_199).answer == "Answer 29."


def test_three_schemas_of_which_none_has_half_the_rows(tmp_path: Path) -> None:
    third = [{"question": f"Why {n}?", "answer": f"So {n}."} for n in range(30)]
    mixed = [row for three in zip(ASKED, DONE, third, strict=True) for row in three]
    assert not [answer for answer in answers(Dataset.open(write(tmp_path / "m.jsonl", mixed))) if answer[0] == "!"]


def test_rows_with_an_optional_column_of_another_name_keep_it(tmp_path: Path) -> None:
    other = [{"instruction": "Sum up", "context": f"text {n}", "output": "ok"} for n in range(5)]
    dataset = Dataset.open(write(tmp_path / "m.jsonl", [*DONE * 2, *other]))
    assert answers(dataset)
    assert "text 4" in dataset.sample(64).question


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "x", "completion": None, "note": "hm"}, "`completion`"),
        ({"prompt": "only asked"}, "completion"),
        ({"prompt": "x", "chosen": "a", "rejected": "b"}, "preference pairs"),
        ({"text": "a paragraph"}, "plain text"),
        ({"prompt": "x", "completion": {"deep": 1}, "instruction": "i", "output": "o"}, "`completion`"),
    ],
)
def test_a_row_that_fits_nothing_of_its_file_is_unreadable(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    dataset = Dataset.open(write(tmp_path / "a.jsonl", [*ASKED, *ASKED, row]))
    assert words in answers(dataset)[-1]
    assert answers(dataset)[-1].startswith("! ")


def test_mixed_kinds_are_known_when_the_files_are_opened(tmp_path: Path) -> None:
    both = Dataset.open([write(tmp_path / "a.jsonl", ASKED), write(tmp_path / "b.jsonl", PAIRS)])
    assert [each.kinds for each in both.recognitions.at_open()] == [("messages",), ("preference",)]
    mixed = [row for two in zip(ASKED, PAIRS, strict=True) for row in two]
    one = Dataset.open(write(tmp_path / "m.jsonl", mixed)).recognitions.of(0)
    assert set(one.kinds) == {"messages", "preference"}


def test_how_a_row_is_read_does_not_depend_on_what_was_read_before(tmp_path: Path) -> None:
    rows = [*ASKED * 2, *DONE, {"question": "Why?", "answer": "So."}, {"query": "Why?", "response": "So."}]
    path = write(tmp_path / "a.jsonl", rows)
    forward = answers(Dataset.open(path))
    dataset = Dataset.open(path)
    dataset.reader.extend()
    backward = [dataset.sample(entry).answer for entry in reversed(range(dataset.count))]
    assert forward == backward[::-1]


def test_a_shard_of_one_odd_row_is_read_like_its_siblings(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", [{"frage": "Wie geht es?", "antwort": "Gut so."}] * 9)
    odd = write(tmp_path / "b.jsonl", [{"frage": "Und?", "antwort": "Ja."}])
    said = {"prompt": "frage", "completion": "antwort"}
    assert answers(Dataset.open([a, odd], columns=said))[-1] == "Ja."


def test_many_shards_are_recognized_as_they_are_read(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path / f"{number:02}.jsonl", (ASKED if number % 2 else DONE)[:2])
    dataset = Dataset.open(tmp_path)
    assert len(dataset.recognitions.at_open()) == 16
    assert answers(dataset)[-2:] == ["Answer 0.", "Answer 1."]


def test_a_file_that_cannot_be_opened_does_not_stop_the_others(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", ASKED), tmp_path / "b.jsonl"
    b.write_text("")
    dataset = Dataset.open([b, a, b])
    assert answers(dataset)[0] == "Answer 0."
    assert len(dataset.reader.faults()) == 2


def test_what_is_said_of_one_file_is_kept_beside_what_was_said_of_the_others(tmp_path: Path) -> None:
    files = [tmp_path / "x" / "a.jsonl", tmp_path / "y" / "a.jsonl", tmp_path / "b.jsonl"]
    said = Chosen("auto", {"prompt": "q", "b.jsonl:prompt": "x", "b.jsonl:encoding": "cp1252"})
    assert dict(said.said_of(files[2]).columns) == {"prompt": "x", "encoding": "cp1252"}
    more = said.with_file(files[0], files, Chosen("prompt-completion", {"prompt": "p", "completion": "c"}))
    assert more.of_file(files[0]) == Chosen("prompt-completion", {"prompt": "p", "completion": "c"})
    assert more.of_file(files[1]) == Chosen("auto", {"prompt": "q"})
    assert more.said_of(files[2]) == said.said_of(files[2])
    back = more.with_file(files[0], files, Chosen())
    assert back.of_file(files[0]) == Chosen()
    assert said.with_file(files[0], files[:1], Chosen("text")) == Chosen("text")


def test_how_a_text_is_cut_into_rows_can_be_said_of_one_file(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", [{"text": "x"}]), tmp_path / "b.txt"
    b.write_text("one\ntwo\n\nthree\n")
    counts = {}
    for form in ("text", "text-lines", "text-files"):
        dataset = Dataset.open([a, b], columns={"b.txt:format": form})
        dataset.reader.extend()
        counts[form] = dataset.count
    assert counts == {"text": 3, "text-lines": 4, "text-files": 2}


RATED = [{"prompt": f"Rate {n}", "completion": f"Rated {n}", "label": n % 2 == 0} for n in range(20)]


def test_rated_rows_among_plain_ones_are_never_trained_as_good_answers(tmp_path: Path) -> None:
    """A label or a rejected answer that comes late says that the answer beside it may be a bad one."""
    late = Dataset.open(write(tmp_path / "late.jsonl", [*ASKED * 2, *RATED]))
    found = answers(late)
    assert found[59] == "Answer 29."
    assert all("rated answers" in each for each in found[60:])
    early = Dataset.open(write(tmp_path / "early.jsonl", [*ASKED[:20], *RATED]))
    early.reader.extend()
    assert [early.sample(entry).kind for entry in (0, 19, 20, 39)] == ["messages", "messages", "kto", "kto"]
    assert early.sample(21).label is False
    judged = [{**row, "chosen": "good", "rejected": "bad"} for row in ASKED]
    assert all(
        "preference pairs" in each
        for each in answers(Dataset.open(write(tmp_path / "p.jsonl", [*ASKED * 2, *judged])))[60:]
    )


def test_a_column_that_all_rows_have_tells_nothing_of_single_ones(tmp_path: Path) -> None:
    """Labels of a classification are none of answers, even where one of them looks like it."""
    rows = [{**row, "label": ("sports", "good", "politics", "arts")[n % 4]} for n, row in enumerate(ASKED * 2)]
    assert not [each for each in answers(Dataset.open(write(tmp_path / "a.jsonl", rows))) if each.startswith("! ")]

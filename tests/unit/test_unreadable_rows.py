"""Rows that cannot be read as samples are counted with their reason; too many of them stop a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.dataset import Dataset
from core.dataset.view.overview import overview_of
from core.dataset.view.plan import build_view
from core.dataset.view.view import CuratedView
from core.errors import BadInput
from core.recipe.recipe import Recipe, put
from core.recipe.values import Value
from core.runs.known_rows import known_rows
from core.runs.preflight import preflight
from core.runs.row_words import RowFinding, refuse_rows, row_findings
from tui.overview.words import overview_lines


def asked(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"prompt": f"What is {n}, and why {n * 7919}?", "completion": f"It is {n}."}
        for n in range(first, first + count)
    ]


def broken(count: int) -> list[dict[str, Any]]:
    return [{"prompt": f"Only asked {n}"} for n in range(count)]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def view_of(folder: Path, *files: Path, **more: Any) -> CuratedView:
    return build_view(folder, paths=files, eval_fraction=0, **more)


def recipe_of(*files: Path, **changes: Value) -> Recipe:
    recipe = put(Recipe(), "data.train", tuple(map(str, files)))
    for path, value in changes.items():
        recipe = put(recipe, path.replace("__", "."), value)
    return recipe


def rows_of(view: CuratedView, **changes: Value) -> list[RowFinding]:
    return [each for each in row_findings(view, recipe_of(**changes)) if "unreadable" in each.sentence]


@pytest.mark.parametrize(
    ("good", "bad", "verdict"), [(198, 2, "ok"), (98, 2, "warn"), (80, 20, "warn"), (79, 21, "stop"), (5, 9, "stop")]
)
def test_above_one_percent_is_a_warning_and_above_twenty_a_stop(
    tmp_path: Path, good: int, bad: int, verdict: str
) -> None:
    view = view_of(tmp_path, write(tmp_path / "a.jsonl", asked(good) + broken(bad)))
    (found,) = rows_of(view)
    assert found.verdict == verdict
    assert f"{bad:,} of {good + bad:,} rows" in found.sentence
    assert "a.jsonl: No `completion`" in found.sentence
    assert (found.path == "data.allow_unreadable") == (verdict == "stop")
    (accepted,) = rows_of(view, data__allow_unreadable=True)
    assert accepted.verdict == ("ok" if verdict == "ok" else "warn")


def test_drops_filters_and_the_split_are_not_counted_as_unreadable(tmp_path: Path) -> None:
    rows = asked(20)
    rows += [*rows[:9], {"prompt": "empty", "completion": ""}]
    view = build_view(tmp_path, paths=[write(tmp_path / "a.jsonl", rows)], eval_fraction=0.5)
    assert rows_of(view) == []
    (left,) = [each for each in row_findings(view, recipe_of()) if each.path == "data.drop_flags"]
    assert "exact_duplicate 9" in left.sentence
    assert "empty_answer 1" in left.sentence
    assert left.verdict == "ok"


def test_malformed_lines_count_and_the_worst_file_is_named(tmp_path: Path) -> None:
    good = write(tmp_path / "good.jsonl", asked(30))
    torn = write(tmp_path / "torn.jsonl", [*asked(10, 50), *broken(2)])
    torn.write_text(torn.read_text() + "{torn\n" * 18)
    (found,) = rows_of(view_of(tmp_path, good, torn))
    assert (found.verdict, "20 of 60 rows (33%)" in found.sentence) == ("stop", True)
    assert "torn.jsonl: malformed: not valid JSON" in found.sentence
    assert "(18 rows)" in found.sentence


def test_a_start_is_refused_whoever_starts_and_says_which_field_accepts_it(tmp_path: Path) -> None:
    view = view_of(tmp_path, write(tmp_path / "a.jsonl", asked(10) + broken(30)))
    with pytest.raises(BadInput, match=r"30 of 40 rows") as refused:
        refuse_rows(view, recipe_of())
    assert refused.value.where == "data.allow_unreadable"
    accepted = refuse_rows(view, recipe_of(data__allow_unreadable=True))
    assert [each.verdict for each in accepted if "30 of 40" in each.sentence] == ["warn"]


def test_the_overview_names_unreadable_rows_apart_from_excluded_ones(tmp_path: Path) -> None:
    rows = asked(8)
    view = view_of(tmp_path, write(tmp_path / "a.jsonl", [*rows, rows[0], *broken(3)]))
    facts = {**overview_of(view), "tokens": None, "cost": None, "tokens_words": ""}
    lines = ["".join(text for text, _ in pieces) for pieces in overview_lines(facts)]
    (excluded,) = [line for line in lines if line.startswith("  excluded")]
    (unreadable,) = [line for line in lines if line.startswith("  unreadable")]
    assert excluded.split()[1:] == ["1", "exact", "duplicate", "1"]
    assert unreadable.split()[1] == "3"
    assert any("a.jsonl: 3 of 12" in line and "completion" in line for line in lines)
    assert any("3 unreadable rows skipped" in line for line in lines)


def test_a_dataset_of_unreadable_rows_says_why(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": 5}]}] * 3
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(BadInput, match=r"unreadable 3.*columns"):
        view_of(tmp_path, path, format="messages")


def test_the_preflight_counts_small_files_at_once_and_large_ones_by_their_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.jsonl", [*asked(40), *asked(1), *({"prompt": "Only asked"} for _ in range(20))])
    recipe = recipe_of(path)

    def said() -> list[tuple[str, bool]]:
        checks = [check for check in preflight(recipe, tmp_path) if check.name == "rows"]
        assert all("exact_duplicate 1" in check.sentence for check in checks if check.verdict == "ok")
        return [(check.verdict, "20 of 61" in check.sentence) for check in checks]

    assert said() == [("stop", True), ("ok", False)]
    monkeypatch.setattr("core.runs.known_rows._SMALL", 0)
    assert said() == []
    dataset = Dataset.open([path])
    from core.dataset.scan import job
    from core.dataset.scan.derive import scan_job, scan_payload

    payload = scan_payload(dataset, "auto", {}, [])
    scan_job(tmp_path, dataset, payload).keep(lambda folder: job.run(folder, payload))
    assert said() == [("stop", True), ("ok", False)]
    known = known_rows(dataset, recipe, tmp_path)
    assert known is not None
    assert known[1]["exact_duplicate"] == 1


def test_samples_of_a_kind_that_the_task_cannot_train_stop_it_also_late_in_a_file(tmp_path: Path) -> None:
    pairs = [{"prompt": f"Q{n}", "chosen": f"good {n}", "rejected": "bad"} for n in range(20)]
    view = view_of(tmp_path, write(tmp_path / "a.jsonl", pairs), write(tmp_path / "b.jsonl", asked(20)))
    found = {each.verdict: each.sentence for each in row_findings(view, recipe_of(task="dpo"))}
    assert "20 of 40 samples are conversations" in found["stop"]
    mixed = {each.verdict: each.sentence for each in row_findings(view, recipe_of())}
    assert "20 conversations and 20 preference pairs" in mixed["warn"]
    both = recipe_of(tmp_path / "a.jsonl", tmp_path / "b.jsonl", task="dpo")
    names = [check.sentence for check in preflight(both, tmp_path) if check.verdict == "stop"]
    assert any("b.jsonl" in sentence and "conversations" in sentence for sentence in names)

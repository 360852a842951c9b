"""Splitting train from eval: no leak at the chosen threshold, strata, synthetic rows, eval files of the user's own."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dataset.audit.store import DecisionStore
from core.dataset.item import Item, prompt_text
from core.dataset.near.exact import jaccard
from core.dataset.sample import Sample
from core.dataset.scan.keys import key_text, row_digest
from core.dataset.scan.scan import scan
from core.dataset.view.plan import DROP_FLAGS, build_view
from core.dataset.view.split import deal, labeled
from core.dataset.view.view import CuratedView
from core.errors import BadInput
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence

Row = dict[str, Any]


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def samples(path: Path) -> list[Sample]:
    return [Sample.from_json(line["sample"]) for line in lines(path)]


def text(sample: Sample) -> str:
    return Item(0, sample).normalized


def leaks(view: CuratedView, threshold: float) -> list[tuple[str, str]]:
    """Every pair across the sides that is alike in text or in prompt, by brute force."""
    return [
        (text(one), text(other))
        for one in samples(view.eval)
        for other in samples(view.train)
        if jaccard(text(one), text(other)) >= threshold or jaccard(prompt_text(one), prompt_text(other)) >= threshold
    ]


def varied(made: random.Random, count: int, slips: int = 2) -> list[Row]:
    """Rows of which many are variants of an earlier row, in the question, the answer, or both."""
    rows: list[Row] = []
    for number in range(count):
        if rows and made.random() < 0.6:
            like = made.choice(rows)
            changed = made.choice(("prompt", "completion", "both"))
            rows.append(
                {
                    name: with_slips(like[name], slips, made)
                    if changed in (name, "both")
                    else like[name]
                    if made.random() < 0.5
                    else sentence(made, 12)
                    for name in like
                }
            )
        else:
            rows.append({"prompt": sentence(made, 6 + number % 20), "completion": sentence(made, 12)})
    return rows


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2, 60),
    threshold=st.sampled_from((0.5, 0.65, 0.8, 1.0)),
    fraction=st.sampled_from((0.1, 0.3, 0.6)),
    slips=st.integers(1, 6),
    stratify=st.sampled_from(("", "answer", "source")),
)
def test_no_pair_at_the_threshold_stands_on_both_sides(
    tmp_path: Path, seed: int, count: int, threshold: float, fraction: float, slips: int, stratify: str
) -> None:
    rows = varied(random.Random(seed), count, slips)
    view = build_view(
        tmp_path,
        paths=[write(tmp_path / "a.jsonl", rows)],
        eval_fraction=fraction,
        split_seed=seed % 7,
        near=threshold,
        stratify=stratify,
        drop_flags=(),
    )
    assert view.train_count + view.eval_count == count
    assert view.train_count
    assert leaks(view, threshold) == []
    assert bool(view.eval_count) != bool(view.manifest["notes"]), "an empty eval set is said why"


def test_the_programs_own_check_finds_no_leak_in_a_split_and_many_without(tmp_path: Path) -> None:
    rows = varied(random.Random(3), 300)
    data = write(tmp_path / "a.jsonl", rows)

    def leaked(near: float) -> int:
        view = build_view(tmp_path, paths=[data], eval_fraction=0.2, near=near, drop_flags=())
        sides = [
            write(
                tmp_path / f"{path.stem}-{near:g}.jsonl",
                [{"messages": [turn.to_json() for turn in sample.messages]} for sample in samples(path)],
            )
            for path in (view.train, view.eval)
        ]
        found = scan(sides[0], eval_paths=[sides[1]], near=_near(near or 0.8))
        return found.flags["leak_exact"] + found.flags["leak_near"]

    assert leaked(0.8) == 0
    assert leaked(0) > 3


def _near(threshold: float) -> Any:
    from core.dataset.near.result import NearOptions

    return NearOptions(threshold)


def test_reordering_moves_nothing_and_appending_only_what_is_like_the_new_rows(tmp_path: Path) -> None:
    made = random.Random(4)
    rows = [{"prompt": sentence(made, 12), "completion": sentence(made, 12)} for _ in range(80)]
    rows += [{**row, "completion": with_slips(row["completion"], 1, made)} for row in rows[:20]]

    def held(name: str, some: Sequence[Row]) -> set[str]:
        view = build_view(tmp_path, paths=[write(tmp_path / name, some)], eval_fraction=0.2, near=0.8)
        assert view.eval_count
        return {sample.answer for sample in samples(view.eval)}

    before = held("a.jsonl", rows)
    assert held("b.jsonl", rows[::-1]) == before
    more = [{"prompt": sentence(made, 12), "completion": sentence(made, 12)} for _ in range(60)]
    assert {answer for answer in held("c.jsonl", rows + more) if answer in {r["completion"] for r in rows}} == before


def test_a_cluster_of_half_the_data_is_trained_on_and_something_else_held_out() -> None:
    labels = [0] * 50 + list(range(1, 51))
    held = deal(labels, [str(n).encode() for n in range(100)], 0.1, 1)
    assert not any(held[:50])
    assert 1 <= sum(held) <= 20
    assert not any(deal([0] * 9, [b"a"] * 9, 0.5, 1)), "one cluster alone cannot be parted"
    assert sum(deal([0] * 9 + [1], [b"a"] * 9 + [b"b"], 0.01, 1)) == 1


@pytest.mark.parametrize("by", ["answer", "kind", "column:kind"])
def test_each_stratum_has_its_share(tmp_path: Path, by: str) -> None:
    made = random.Random(5)
    labels = ["yes"] * 300 + ["no"] * 80 + ["rare"] * 20
    rows = [{"prompt": sentence(made, 12), "completion": label, "kind": label.upper()} for label in labels]
    made.shuffle(rows)
    data = write(tmp_path / "a.jsonl", rows)
    view = build_view(tmp_path, paths=[data], eval_fraction=0.1, near=0.8, stratify=by)
    assert Counter(sample.answer for sample in samples(view.eval)) == {"yes": 30, "no": 8, "rare": 2}
    assert build_view(tmp_path, paths=[data], eval_fraction=0.1, near=0.8).fingerprint != view.fingerprint


def test_files_are_strata_and_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    made = random.Random(6)
    for name, count in (("a.jsonl", 90), ("b.jsonl", 30)):
        write(tmp_path / name, [{"prompt": sentence(made, 12), "completion": name} for _ in range(count)])
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    view = build_view(tmp_path, paths=paths, eval_fraction=0.2, stratify="source")
    assert Counter(line["source"] for line in lines(view.eval)) == {0: 18, 1: 6}
    with pytest.raises(BadInput, match=r"no row has the column 'topic'.*prompt, completion"):
        build_view(tmp_path, paths=paths, stratify="topic")


def test_rows_marked_as_synthetic_never_enter_eval_and_never_leak_into_it(tmp_path: Path) -> None:
    made = random.Random(7)
    real: list[Row] = [{"prompt": sentence(made, 14), "completion": sentence(made, 10)} for _ in range(30)]
    augmented: list[Row] = [
        {**row, "prompt": with_slips(row["prompt"], 1, made), mark: value}
        for row in real
        for mark, value in (("synthetic", True), ("metadata", {"synthetic": "yes"}))
    ]
    by_hand: Row = {"prompt": sentence(made, 14), "completion": "by hand"}
    data = write(tmp_path / "a.jsonl", [*real, *augmented, by_hand, {**real[0], "synthetic": False, "n": 1}])
    store = DecisionStore(tmp_path)
    store.decide(key_text(row_digest(by_hand), 0), "flag", {"text": " Synthetic"})
    store.close()
    real_rows = {*range(30), 91}
    for seed in range(3):
        view = build_view(tmp_path, paths=[data], eval_fraction=0.4, split_seed=seed, near=0.8, drop_flags=())
        held = {line["row"] for line in lines(view.eval)}
        assert held
        assert held <= real_rows
        assert leaks(view, 0.8) == []
        assert view.dropped["like_eval"] == 2 * len(held - {91})
        assert view.manifest["synthetic_samples"] == 61
    without = build_view(tmp_path, paths=[data], near=0.8, drop_flags=("synthetic",))
    assert without.dropped == {"synthetic": 61}
    named = build_view(tmp_path, paths=[data], synthetic="n=1", drop_flags=("synthetic",), eval_fraction=0)
    assert named.dropped == {"synthetic": 2}


def test_an_eval_file_is_checked_for_near_leaks_which_are_listed_and_dropped_on_request(tmp_path: Path) -> None:
    made = random.Random(8)
    questions = [sentence(made, 20) for _ in range(6)]
    train = write(tmp_path / "train.jsonl", [{"prompt": each, "completion": "yes"} for each in questions])
    asked = [with_slips(questions[2], 1, made), questions[4], sentence(made, 20)]
    held = write(tmp_path / "eval.jsonl", [{"prompt": each, "completion": "no"} for each in asked])
    view = build_view(tmp_path, paths=[train], eval_paths=[held], near=0.8)
    assert (view.train_count, view.dropped) == (5, {"leak_exact": 1})
    assert view.manifest["leaks"] == {"exact": 1, "near": 1}
    assert "1 training prompt is 80%+ similar to an eval prompt" in view.manifest["notes"][0]
    flagged = [json.loads(line) for line in (view.folder / "flags.jsonl").read_text().splitlines()]
    (reason,) = [flag["reason"] for line in flagged if line["row"] == 2 for flag in line["flags"]]
    assert "similar to the prompt in eval.jsonl, line 1" in reason
    clean = build_view(tmp_path, paths=[train], eval_paths=[held], near=0.8, drop_flags=(*DROP_FLAGS, "leak_near"))
    assert clean.dropped == {"leak_exact": 1, "leak_near": 1}
    assert clean.manifest["notes"] == []
    assert leaks(clean, 0.8) == []
    excluded = lines(clean.folder / "left_out.jsonl")
    assert [(each["row"], each["reason"]) for each in excluded] == [(4, "leak_exact"), (2, "leak_near")]
    assert Sample.from_json(excluded[1]["sample"]).question == questions[2]


def test_what_is_said_to_be_no_near_leak_is_none_in_the_view_and_another_view_is_built_for_it(tmp_path: Path) -> None:
    made = random.Random(10)
    questions = [sentence(made, 20) for _ in range(6)]
    rows = [{"prompt": each, "completion": "yes"} for each in questions]
    train = write(tmp_path / "train.jsonl", rows)
    asked: list[Row] = [{"prompt": with_slips(questions[at], 1, made), "completion": "no"} for at in (2, 4)]
    held = write(tmp_path / "eval.jsonl", asked)

    def view() -> CuratedView:
        flags = (*DROP_FLAGS, "leak_near")
        return build_view(tmp_path, paths=[train], eval_paths=[held], near=0.8, drop_flags=flags)

    before = view()
    assert before.dropped == {"leak_near": 2}
    store = DecisionStore(tmp_path)
    store.set_apart(key_text(row_digest(rows[2]), 0), key_text(row_digest(asked[0]), 0))
    store.close()
    after = view()
    assert after.fingerprint != before.fingerprint
    assert after.dropped == {"leak_near": 1}
    assert after.manifest["leaks"] == {"exact": 0, "near": 1}
    assert [each["row"] for each in lines(after.folder / "left_out.jsonl")] == [4]


def test_rows_that_are_said_to_be_no_duplicates_may_stand_on_both_sides(tmp_path: Path) -> None:
    made = random.Random(11)
    one = {"prompt": sentence(made, 30), "completion": sentence(made, 10)}
    two = {"prompt": with_slips(one["prompt"], 2, made), "completion": one["completion"]}
    data = write(tmp_path / "a.jsonl", [one, two])
    assert build_view(tmp_path, paths=[data], eval_fraction=0.5, near=0.8).eval_count == 0
    store = DecisionStore(tmp_path)
    store.set_apart(key_text(row_digest(one), 0), key_text(row_digest(two), 0))
    store.close()
    assert build_view(tmp_path, paths=[data], eval_fraction=0.5, near=0.8).eval_count == 1


def test_near_duplicates_are_excluded_on_request_each_because_of_one_that_stays(tmp_path: Path) -> None:
    made = random.Random(9)
    rows = varied(made, 80, 1)
    data = write(tmp_path / "a.jsonl", rows)
    view = build_view(tmp_path, paths=[data], eval_fraction=0, drop_flags=("near_duplicate",))
    assert view.dropped["near_duplicate"] > 5
    stay = [text(sample) for sample in samples(view.train)]
    for each in lines(view.folder / "left_out.jsonl"):
        own = text(Sample.from_json(each["sample"]))
        assert max(jaccard(own, other) for other in stay) >= 0.8
    store = DecisionStore(tmp_path)
    dropped = lines(view.folder / "left_out.jsonl")[0]
    store.decide(dropped["key"], "keep")
    store.close()
    again = build_view(tmp_path, paths=[data], eval_fraction=0, drop_flags=("near_duplicate",))
    assert again.train_count == view.train_count + 1


def test_groups_follow_equal_digests() -> None:
    assert labeled([b"a", b"b", b"a", b"c"]) == [0, 1, 0, 2]

"""Near leaks: brute force finds the same, and scan, scan job, curated view and overview name the same rows."""

from __future__ import annotations

import json
import random
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.audit.store import DecisionStore, read_ledger
from core.dataset.eval_place import EvalPlace
from core.dataset.item import Item
from core.dataset.near.corpus import Corpus
from core.dataset.near.exact import jaccard
from core.dataset.near.leaks import LeakSearch, find_leaks
from core.dataset.near.result import NearOptions
from core.dataset.near.search import no_tick
from core.dataset.sample import Message, Sample
from core.dataset.scan.keys import key_text, row_digest
from core.dataset.scan.reader import ScanReader
from core.dataset.scan.scan import scan
from core.dataset.view.overview import overview_of
from core.dataset.view.plan import DROP_FLAGS, build_view
from core.jobs.folder import JobFolder
from tests.kit.waiting import PATIENCE
from tests.unit.test_near_scan import run_job, write
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence

NEAR = NearOptions()
REFUND = "Please tell me how many working days it takes until my refund arrives on the bank account in the shop number "
TOPIC = "Question of its own about topic {}, nothing else here"

Row = dict[str, Any]


def asks(*prompts: str) -> list[Row]:
    return [{"prompt": prompt, "completion": f"answer {number}"} for number, prompt in enumerate(prompts)]


def key_of(row: Row) -> str:
    return key_text(row_digest(row), 0)


def brute_force(train: list[str], held: list[str], threshold: float) -> dict[int, tuple[int, float]]:
    found = {}
    for number, text in enumerate(train):
        similarity, place = max((jaccard(text, other), -at) for at, other in enumerate(held))
        if text not in held and similarity >= threshold:
            found[number] = (-place, similarity)
    return found


@st.composite
def prompts(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Training and eval prompts: a few texts, each also with slips and exactly again, on either side."""
    made = random.Random(draw(st.integers(0, 2**32)))
    texts = [sentence(made, made.randrange(1, 30)) for _ in range(draw(st.integers(1, 6)))]
    texts += [with_slips(made.choice(texts), made.randrange(1, 4), made) for _ in range(draw(st.integers(0, 30)))]
    texts += draw(st.lists(st.sampled_from(("", "a", "abc", "abcd", "漢字")), max_size=3))
    train = [made.choice(texts) for _ in range(draw(st.integers(1, 40)))]
    held = [made.choice(texts) for _ in range(draw(st.integers(1, 40)))]
    return train, held


@settings(max_examples=150, deadline=None)
@given(prompts(), st.sampled_from((0.5, 0.65, 0.8, 0.9, 1.0)), st.sampled_from((10, 2**20)))
def test_leaks_are_those_of_brute_force(sides: tuple[list[str], list[str]], threshold: float, at_once: int) -> None:
    train, held = sides
    with closing(Corpus()) as corpus, patch("core.dataset.near.cross._MOST_PAIRS", at_once):
        for number, text in enumerate(train + held):
            corpus.add(number, text, bytes(16), structured=False)
        corpus.settle()
        found = find_leaks(corpus, len(train), NearOptions(threshold), (), no_tick)
    expected = brute_force(train, held, threshold)
    assert {number: (at - len(train), similarity) for number, (at, similarity) in found.items()} == expected


def test_a_row_like_very_many_eval_rows_is_found_and_one_eval_row_is_named() -> None:
    made = random.Random(1)
    text = sentence(made, 80)
    with closing(Corpus()) as corpus:
        others = [each for _ in range(300) if (each := with_slips(text, 1, made)) != text]
        for number, each in enumerate([text, *others]):
            corpus.add(number, each, bytes(16), structured=False)
        corpus.settle()
        found = find_leaks(corpus, 1, NEAR, (), no_tick)
    ((held, similarity),) = found.values()
    assert similarity == jaccard(text, others[held - 1]) >= 0.8


def test_an_eval_prompt_that_is_in_the_data_exactly_and_nearly_is_named_by_its_own_line(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", asks(REFUND + "17", REFUND + "18", "What is the opening time on Sunday?"))
    short = write(tmp_path / "short.jsonl", asks(REFUND + "17"))
    words = ("wool", "iron", None, "salt", "tea", "oak")
    long = write(tmp_path / "long.jsonl", asks(*(TOPIC.format(word) if word else REFUND + "17" for word in words)))
    for held, line in ((short, 1), (long, 3)):
        result = scan(train, eval_paths=[held], near=NEAR)
        assert result.near is not None
        assert [(leak.row, leak.place, leak.entry) for leak in result.near.leaks] == [
            (1, f"{held.name}, line {line}", line - 1)
        ]
        flags = {row: {flag.name: flag.reason for flag in found} for row, found in result.row_flags.items()}
        assert flags[0]["leak_exact"] == f"same prompt as in {held.name}, line {line}"
        assert flags[1]["leak_near"] == f"98% similar to the prompt in {held.name}, line {line}"
        assert (result.flags["leak_exact"], result.flags["leak_near"]) == (1, 1)


def test_scan_job_view_and_overview_give_the_same_leaks(tmp_path: Path) -> None:
    made = random.Random(2)
    texts = [sentence(made, 20) for _ in range(12)]
    asked = [with_slips(texts[2], 1, made), texts[4], with_slips(texts[2], 2, made), texts[7], sentence(made, 20)]
    questions = [*texts, with_slips(texts[4], 1, made), texts[2], with_slips(texts[7], 2, made)]
    rows = asks(*questions)
    rows.append(dict(rows[2]))  # an exact duplicate, which no view trains on
    train = write(tmp_path / "train.jsonl", rows)
    held = write(tmp_path / "eval.jsonl", asks(*asked))
    here = scan(train, eval_paths=[held], near=NEAR)
    assert here.near is not None
    leaks = here.near.leaks
    expected = brute_force([row["prompt"] for row in rows], asked, 0.8)
    assert [(leak.row, leak.entry) for leak in leaks] == [(row, at) for row, (at, _) in expected.items()]
    assert [leak.row for leak in leaks] == [2, 12, 13, 14, 15]

    payload = {"paths": [str(train)], "eval_paths": [str(held)], "near": {"threshold": 0.8}}
    folder = JobFolder.create(tmp_path / "runs", "scan", "scan", payload=payload)
    assert run_job(folder).returncode == 0
    reader = ScanReader(folder.path)
    assert tuple(reader.leaks()) == leaks
    summary = reader.summary()
    assert summary is not None
    assert (summary["flags"]["leak_exact"], summary["flags"]["leak_near"]) == (2, 5)

    view = build_view(tmp_path, paths=[train], eval_paths=[held], near=0.8)
    facts = overview_of(view)
    assert facts["split"]["leaks"] == {"exact": 2, "near": 5}
    reasons = {leak.row: f"% similar to the prompt in {leak.place}" for leak in leaks if leak.row != 15}
    assert {each["row"]: each["detail"].lstrip("0123456789") for each in facts["near_leaks"]} == reasons
    assert view.dropped == {"exact_duplicate": 1, "leak_exact": 2}
    assert "4 training prompts are 80%+ similar to an eval prompt" in view.manifest["notes"][0]


def test_near_duplicates_are_excluded_beside_an_eval_file_of_similar_rows(tmp_path: Path) -> None:
    made = random.Random(3)
    text = sentence(made, 30)
    like = [{"text": with_slips(text, 1, made)} for _ in range(3)]
    train = write(tmp_path / "train.jsonl", [{"text": text}, *like[:2], {"text": sentence(made, 30)}])
    held = write(tmp_path / "eval.jsonl", [like[2], {"text": sentence(made, 30)}])
    view = build_view(tmp_path, paths=[train], eval_paths=[held], drop_flags=(*DROP_FLAGS, "near_duplicate"))
    assert (view.train_count, view.dropped) == (2, {"near_duplicate": 2})
    assert view.manifest["leaks"] == {"exact": 0, "near": 3}


def test_a_mixed_in_source_is_checked_against_the_eval_file_too(tmp_path: Path) -> None:
    made = random.Random(4)
    question = sentence(made, 20)
    train = write(tmp_path / "train.jsonl", asks(*(sentence(made, 20) for _ in range(6))))
    other = write(tmp_path / "other.jsonl", asks(sentence(made, 20), with_slips(question, 1, made)))
    held = write(tmp_path / "eval.jsonl", asks(question))
    flags = (*DROP_FLAGS, "leak_near")
    view = build_view(tmp_path, paths=[train], eval_paths=[held], mix={str(other): 0.2}, near=0.8, drop_flags=flags)
    assert view.dropped == {}
    mixed = next(each for each in view.manifest["contributions"] if each["mixed"])
    assert (mixed["available"], mixed["dropped"]) == (1, {"leak_near": 1})


def test_marks_on_a_pair_that_was_never_similar_are_reported_and_do_not_count(tmp_path: Path) -> None:
    rows = asks(REFUND + "17", REFUND + "18", TOPIC.format("wool"), TOPIC.format("oak"))
    others = [{"prompt": TOPIC.format("iron"), "completion": "x"}, {"prompt": REFUND + "17", "completion": "x"}]
    train, held = write(tmp_path / "train.jsonl", rows), write(tmp_path / "eval.jsonl", others)
    wrong, right = (key_of(rows[1]), key_of(others[0])), (key_of(rows[2]), key_of(others[0]))
    answers = (key_of(rows[0]), key_of(rows[3]))
    store = DecisionStore(tmp_path)
    for pair in (wrong, right, answers):
        store.set_apart(*pair).result(PATIENCE)
    store.close()
    result = scan(train, eval_paths=[held], near=NEAR, apart=read_ledger(tmp_path).apart())
    assert result.near is not None
    assert result.near.wrong_pairs == (tuple(sorted(wrong)),), "two training rows may be alike in their answers"
    assert [(leak.row, leak.entry) for leak in result.near.leaks] == [(1, 1)]
    view = build_view(tmp_path, paths=[train], eval_paths=[held], near=0.8)
    assert view.manifest["leaks"] == {"exact": 1, "near": 1}
    assert '1 "not a duplicate" mark was ignored' in view.manifest["notes"][0]


def test_a_mark_on_two_training_rows_says_nothing_of_an_eval_row_that_equals_one() -> None:
    with closing(LeakSearch(NEAR, [("mine:0", "theirs:0")])) as search:
        for row, (key, prompt) in enumerate((("mine:0", REFUND + "17"), ("theirs:0", REFUND + "18"))):
            search.add(row, Item(row, sample_of(prompt)))
            search.see_key(key, row)
        search.add_eval(sample_of(REFUND + "18"), EvalPlace("eval.jsonl", 1), 0, "held:0")
        assert [leak.row for leak in search.search(no_tick)] == [0]
        assert search.wrong_pairs == ()


def sample_of(prompt: str) -> Sample:
    return Sample("messages", messages=(Message("user", prompt), Message("assistant", json.dumps(prompt))))

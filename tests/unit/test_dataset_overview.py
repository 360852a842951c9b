"""What the curated data are made of: sources by share, answers, kinds of input, thin ones first."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from core.dataset.audit.queue import Audit
from core.dataset.view.coverage import cover
from core.dataset.view.mixture import drawn
from core.dataset.view.overview import overview_of
from core.dataset.view.plan import build_view
from core.dataset.view.report import write_report
from core.dataset.view.view import CuratedView
from core.jobs.state import standing
from core.jobs.status import DONE, Status
from core.recipe.recipe import Recipe, put, to_json
from core.recipe.sections.data import MixSource
from core.runs.overview import cost_of, tokens_of
from core.runs.overview_job import job_of, known_tokens, read_facts
from core.runs.pace import pace_of
from core.runs.preflight import preflight
from tests.kit.waiting import until
from tests.unit.test_dataset_split import leaks
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence
from tui.cli import main
from tui.overview import words
from tui.overview.words import overview_lines
from tui.overview.work import progress_words
from tui.settings import UserSettings, load_settings

Row = dict[str, Any]


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def rows_of(made: random.Random, count: int, answer: str) -> list[Row]:
    return [{"prompt": sentence(made, 12), "completion": f"{answer} {number}"} for number in range(count)]


def mixed(folder: Path, mix: dict[str, float], seed: int = 0, **more: Any) -> CuratedView:
    return build_view(folder, paths=[folder / "own.jsonl"], mix=mix, split_seed=seed, **more)


def test_a_source_that_is_mixed_in_has_its_share_and_the_seed_draws_it(tmp_path: Path) -> None:
    made = random.Random(1)
    write(tmp_path / "own.jsonl", rows_of(made, 180, "own"))
    general, small = (str(tmp_path / name) for name in ("general.jsonl", "small.jsonl"))
    write(Path(general), rows_of(made, 400, "general"))
    write(Path(small), rows_of(made, 7, "small"))
    view = mixed(tmp_path, {general: 0.1, small: 0.1}, eval_fraction=0)
    sources = Counter(line["source"] for line in lines(view.train))
    assert sources == {0: 180, 1: 22, 2: 22}
    repeated = Counter(line["row"] for line in lines(view.train) if line["source"] == 2)
    assert sorted(repeated.values()) == [3, 3, 3, 3, 3, 3, 4]
    words = [each["words"] for each in view.manifest["contributions"]]
    assert words == [
        "all samples, once each",
        "22 of 400 samples, drawn with the seed",
        "7 samples, repeated 3 to 4 times each",
    ]
    assert [each["samples"] for each in view.manifest["contributions"]] == [180, 22, 22]

    def general_rows(view: CuratedView) -> set[int]:
        return {line["row"] for line in lines(view.train) if line["source"] == 1}

    first = general_rows(view)
    shutil.rmtree(view.folder)
    again = mixed(tmp_path, {general: 0.1, small: 0.1}, eval_fraction=0)
    assert (again.fingerprint, general_rows(again)) == (view.fingerprint, first)
    other = mixed(tmp_path, {general: 0.1, small: 0.1}, seed=1, eval_fraction=0)
    more = mixed(tmp_path, {general: 0.2, small: 0.1}, eval_fraction=0)
    assert general_rows(other) != first
    assert general_rows(more) > first
    assert len({view.fingerprint, other.fingerprint, more.fingerprint}) == 3
    Path(general).write_text(Path(general).read_text().replace("general 1", "changed 1"))
    assert mixed(tmp_path, {general: 0.1, small: 0.1}, eval_fraction=0).fingerprint != view.fingerprint


def test_what_is_mixed_in_is_never_held_out_and_never_like_what_is(tmp_path: Path) -> None:
    made = random.Random(2)
    own = rows_of(made, 100, "own")
    write(tmp_path / "own.jsonl", own)
    like = [{**row, "prompt": with_slips(row["prompt"], 1, made), "completion": "other"} for row in own]
    general = write(tmp_path / "general.jsonl", [*like, own[0], *rows_of(made, 100, "general")])
    view = mixed(tmp_path, {str(general): 0.45}, eval_fraction=0.3, near=0.8)
    assert {line["source"] for line in lines(view.eval)} == {0}
    assert leaks(view, 0.8) == []
    dropped = view.manifest["contributions"][1]["dropped"]
    assert dropped["exact_duplicate"] == 1
    assert 10 < dropped["like_eval"] <= view.eval_count, "row n of one is like row n of the other"


def test_a_draw_names_each_place_that_it_takes() -> None:
    assert drawn(["a", "b"], [5, 9], 1, 3).keys() < {5, 9}


TOPICS = (
    "how do i reset the password of my account when the login mail does not come {}",
    "please translate this german letter about the holiday in {} into english",
    "what is the weather forecast for {} tomorrow morning with rain and wind",
)


def test_kinds_of_input_are_found_with_their_words_and_odd_ones_come_first() -> None:
    made = random.Random(3)
    prompts = [TOPICS[n % 3].format(sentence(made, 2)) for n in range(90)] + ["zebra quartz violin", ""]
    coverage = cover(lambda: iter(prompts))
    by_topic = [{coverage.of[n] for n in range(topic, 90, 3)} for topic in range(3)]
    assert sum(map(len, by_topic)) == len(set.union(*by_topic)), "no kind has prompts of two topics"
    words = [set(coverage.kinds[next(iter(kinds))].words) for kinds in by_topic]
    assert [bool(each & set(topic.split())) for each, topic in zip(words, TOPICS, strict=True)] == [True] * 3
    assert sum(kind.samples for kind in coverage.kinds) == len(prompts)
    assert coverage.unlike
    assert set(coverage.thin_first()[:2]) >= {91}
    order = list(range(len(prompts)))
    made.shuffle(order)
    shuffled = cover(lambda: (prompts[n] for n in order))
    assert [kind.samples for kind in shuffled.kinds] == [kind.samples for kind in coverage.kinds]
    assert [shuffled.of[order.index(n)] for n in range(len(prompts))] == list(coverage.of)


def test_kinds_are_found_without_spaces_and_without_words() -> None:
    prompts = ["如何重置我的密码" + "呢" * n for n in range(9)] + ["今天天气怎么样" + "啊" * n for n in range(9)]
    coverage = cover(lambda: iter(prompts))
    assert not set(coverage.of[:9]) & set(coverage.of[9:])
    assert cover(lambda: iter(())).kinds == ()
    assert cover(lambda: iter(["", "1 2 3"])).of == (0, 0)


def test_the_overview_counts_labels_on_both_sides(tmp_path: Path) -> None:
    made = random.Random(4)
    rows = [{"prompt": sentence(made, 12), "completion": ("yes", "no", "no")[n % 3]} for n in range(150)]
    rows += [{**row, "synthetic": True, "prompt": sentence(made, 12)} for row in rows[:10]]
    view = build_view(
        tmp_path, paths=[write(tmp_path / "a.jsonl", rows)], eval_fraction=0.2, near=0.8, stratify="answer"
    )
    said: list[tuple[str, int, int]] = []
    facts = overview_of(view, lambda *progress: said.append(progress))
    assert {"Reading the samples", "Reading the prompts", "Grouping the prompts"} <= {what for what, _, _ in said}
    assert ("Reading the samples", 0, view.train_count + view.eval_count) in said
    assert facts["answers"]["labels"]["no"]["eval"] == 20
    assert sum(each["train"] for each in facts["answers"]["labels"].values()) == view.train_count
    assert [each["answer"] for each in facts["answers"]["top"]] == ["no", "yes"]
    assert facts["samples"]["synthetic"] == 10
    assert sum(kind["samples"] for kind in facts["coverage"]["kinds"]) == view.train_count
    assert len(facts["thin"]) == view.train_count
    text = "\n".join(
        "".join(part for part, _ in pieces)
        for pieces in overview_lines({**facts, "tokens": None, "cost": None, "tokens_words": "no model"})
    )
    assert "held out         30  20%, seed 0; rows 80%+ similar stay together; stratified by answer" in text
    assert "synthetic        10" in text


def test_tokens_come_to_totals_a_histogram_with_the_cut_and_a_cost(tmp_path: Path) -> None:
    made = random.Random(5)
    write(tmp_path / "own.jsonl", rows_of(made, 90, "own"))
    general = write(tmp_path / "general.jsonl", rows_of(made, 90, "general"))
    view = mixed(tmp_path, {str(general): 0.1}, eval_fraction=0)
    facts = [
        {
            "tokens": min(60, 10 + n),
            "trained": 5,
            "lost": max(0, n - 50),
            "lost_trained": 0,
            "longest": 10 + n,
            "text": n > 80,
            "parts": {},
        }
        for n in range(100)
    ]
    measured = write(tmp_path / "measured.jsonl", facts)
    recipe = put(put(Recipe(), "data.max_length", 60), "training.epochs", 3.0)
    tokens = tokens_of(recipe, view, measured)
    assert tokens["train"]["tokens"] == sum(each["tokens"] for each in facts)
    assert (tokens["train"]["cut"], tokens["train"]["lost"]) == (49, sum(range(1, 50)))
    assert tokens["train"]["cut_texts"] == 19
    assert tokens["train"]["longest"] == 109
    assert [each["tokens"] for each in tokens["sources"]] == [
        sum(each["tokens"] for each in facts[:90]), sum(each["tokens"] for each in facts[90:])
    ]  # fmt: skip
    bins = tokens["bins"]
    assert sum(each["samples"] for each in bins) == 100
    assert sum(each["samples"] for each in bins if each["cut"]) == 49
    assert next(each["upper"] for each in reversed(bins) if not each["cut"]) == 60
    cost = cost_of(recipe, tokens, per_million=2.0)
    assert cost["cost"] == pytest.approx(3 * tokens["train"]["tokens"] * 2 / 1e6)
    assert cost_of(recipe, tokens)["cost"] is None
    total = 3 * tokens["train"]["tokens"]
    hourly = cost_of(recipe, tokens, per_hour=4.0, pace=pace_of(recipe, tmp_path))
    assert (hourly["hours"], hourly["cost_of_hours"]) == (None, None)
    for name, other, pace in (("2026-1", recipe, 500.0), ("2026-2", put(recipe, "model.path", "another"), 9.0)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps({"payload": {"recipe": to_json(other)}}))
        write(folder / "metrics.jsonl", [{"step": 1}, {"step": 2, "tokens_per_second": pace}])
    hourly = cost_of(recipe, tokens, per_hour=4.0, pace=pace_of(recipe, tmp_path))
    assert hourly["cost_of_hours"] == pytest.approx(total / 500 / 3600 * 4)


def test_samples_that_the_template_does_not_render_are_named_and_those_left_out_are_not_counted(tmp_path: Path) -> None:
    view = build_view(
        tmp_path, paths=[write(tmp_path / "own.jsonl", rows_of(random.Random(3), 6, "own"))], eval_fraction=0
    )
    plain = {"tokens": 10, "trained": 4, "lost": 0, "lost_trained": 0, "longest": 10, "parts": {}}
    facts = [{"key": str(row), "row": row, **plain} for row in range(6)]
    facts[1]["not_rendered"] = "tool calls (turn 2)"
    facts[2]["context_lost"] = "reasoning (turn 2)"
    facts[3]["left_out"] = "control_tokens"
    tokens = tokens_of(Recipe(), view, write(tmp_path / "measured.jsonl", facts))
    train = tokens["train"]
    assert (train["samples"], train["tokens"], tokens["sources"][0]["tokens"]) == (5, 50, 50)
    assert (train["not_rendered"], train["not_rendered_rows"]) == (1, [[1, "tool calls (turn 2)"]])
    assert (train["context_lost"], train["left_out"]) == (1, {"control_tokens": 1})
    said = ["".join(text for text, _ in line) for line in words._not_rendered(train, "")]
    assert any("row 2" in line and "tool calls (turn 2)" in line for line in said)
    assert any("data.train_without" in line for line in said)
    assert any("control tokens" in line and "1 more sample" in line for line in said)


def test_the_price_of_tokens_is_the_users_and_mistakes_are_said(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('price_per_million_tokens = 2\ncurrency = "CHF"\n')
    assert load_settings(file) == UserSettings(price_per_million_tokens=2, currency="CHF")
    for value in ("-1", "true", "nan", "'2'"):
        file.write_text(f"price_per_million_tokens = {value}\n")
        assert "price_per_million_tokens must be a number" in load_settings(file).fault


def test_an_audit_of_thin_kinds_reads_the_rows_it_was_begun_with() -> None:
    audit = Audit("thin", entries=100, listed=(7, 3, 50))
    assert audit.order({}, {3}) == [7, 50]
    assert audit.words == "rare kinds first"


def test_the_command_prints_the_same_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "own.jsonl", rows_of(random.Random(6), 40, "own"))
    write(tmp_path / "other.jsonl", rows_of(random.Random(7), 40, "other"))
    arguments = ["overview", "own.jsonl", "--mix", "other.jsonl=0.2", "--held-out", "0.25"]
    assert main([*arguments, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["tokens"] is None
    assert (
        facts["contributions"][1]["samples"]
        == facts["samples"]["mixed"]
        == round(facts["contributions"][0]["samples"] / 4)
    )
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "other.jsonl: " in text
    assert "--model" in text


def test_tokens_of_an_overview_are_told_by_preflight_and_report(tmp_path: Path) -> None:
    made = random.Random(8)
    write(tmp_path / "own.jsonl", rows_of(made, 90, "own"))
    write(tmp_path / "general.jsonl", rows_of(made, 50, "general"))
    recipe = put(Recipe(), "data.train", (str(tmp_path / "own.jsonl"),))
    recipe = put(put(recipe, "data.mix", (MixSource(str(tmp_path / "general.jsonl"), 0.1),)), "data.eval_fraction", 0.0)

    def said() -> list[str]:
        return [check.sentence for check in preflight(recipe, tmp_path) if check.name == "mix"]

    assert "10%" in said()[0]
    assert "50 rows" in said()[0]
    assert known_tokens(tmp_path, recipe) is None
    folder = job_of(tmp_path, recipe).start()
    until(lambda: read_facts(folder) is not None and standing(folder).over, "the overview")
    assert job_of(tmp_path, recipe).start().path == folder.path, "an overview of the same is found"
    sources = [{"tokens": 900, "trained": 90}, {"tokens": 300, "trained": 10}]
    (folder.path / "overview" / "tokens.json").write_text(json.dumps({"tokens": {"sources": sources}}))
    assert known_tokens(tmp_path, put(recipe, "data.view", "abc")) == sources
    assert "about 10 samples from its 50 rows; 300 tokens, 25% of all." in said()[0]
    view = build_view(
        tmp_path, paths=recipe.data.train, mix=recipe.data.shares, eval_fraction=0, split_seed=42, near=0.8
    )
    report = write_report(tmp_path, recipe.data.train, view.folder, tokens=[900, 300]).read_text()
    assert "| 10 | 10% | 300 | 10 of 50 samples, drawn with the seed |" in report


@pytest.mark.parametrize("width", [76, 96, 116, 156])
def test_names_of_labels_and_kinds_are_never_cut(width: int) -> None:
    label = "refund that was asked for after the end of the term"
    kind = {"samples": 12, "like_others": True, "words": ["invoice", "currency", "swiss", "rounding", "payment"]}
    facts = {
        "answers": {"labels": {label: {"train": 9, "eval": 1}, "other": {"train": 3, "eval": 0}}},
        "coverage": {"kinds": [{**kind, "examples": ["Can I send an invoice in Swiss francs and round it? " * 4]}]},
    }
    lines = ["".join(text for text, _ in line) for line in (*words._answers(facts, width), *words._kinds(facts, width))]
    assert any(label in line for line in lines)
    assert any("invoice, currency, swiss, rounding, payment" in line for line in lines)
    assert all(cell_len(line) <= width for line in lines), "and nothing wraps that can be shorter"


def test_the_progress_of_an_overview_says_step_and_total() -> None:
    status = Status(phase="Building the training set", step=42_043, of=46_375, fields={"unit": "rows"})
    assert "42,043 of 46,375 rows" in progress_words(status)
    assert progress_words(Status()) == "starting"
    assert progress_words(Status(phase=DONE)) == ""


def held_out_words(samples: dict[str, int], fraction: float, held: dict[str, int]) -> str:
    part = dict.fromkeys(("cut", "lost", "without", "trained", "tokens", "median", "longest"), 0)
    answers = {"answer_median": 1, "answer_p95": 1, "answer_longest": 1, "parts": {}}
    tokens = {
        "max_length": 2_048,
        "train": {**part, **answers, "samples": samples["train"]},
        "eval": {**part, "samples": samples["eval"], **held},
        "sources": [],
        "bins": [{"upper": 100, "samples": samples["train"], "cut": False}],
    }
    facts = {
        "samples": {"mixed": 0, "synthetic": 0, **samples},
        "split": {"near": 0.8, "own_eval": False, "fraction": fraction, "seed": 0, "stratify": "", "leaks": {}},
        "near_leaks": [], "dropped": {}, "bad_lines": 0, "notes": [], "contributions": [], "tokens": tokens,
        "cost": None, "answers": {"labels": None, "distinct": 5, "repeated": 0, "top": []}, "coverage": {"kinds": []},
    }  # fmt: skip
    return "\n".join("".join(part for part, _ in pieces) for pieces in overview_lines(facts))


def test_the_share_held_out_is_the_real_one_and_the_eval_set_counts_for_what_is_cut() -> None:
    text = held_out_words({"train": 229, "eval": 18}, 0.1, {"cut": 1, "without": 1})
    assert "18  7% (10% set), seed 0" in text
    assert "no training sample is cut; 1 eval sample is" in text
    assert "1 held-out sample has no trained token: the run holds out 17" in text
    assert "nothing is cut" not in text
    text = held_out_words({"train": 90, "eval": 10}, 0.1, {})
    assert "10  10%, seed 0" in text
    assert "nothing is cut" in text

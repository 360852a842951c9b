"""The overview screen: what is trained on, thin kinds into the audit, near leaks dropped, the curated set exported."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from textual.widgets import Input

from core.dataset.audit.store import read_ledger
from core.dataset.synthetic import by_hand
from core.recipe.recipe import Recipe, put
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, counts, dataset, list_text, scanned, text_of
from tests.tui.test_data_audit import choose, title
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence
from tui.overview.screen import OverviewScreen
from tui.widgets.key_bar import KeyBar
from tui.widgets.text_view import TextView


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Sixty rows of two topics and an odd one; an eval file of which one question is nearly that of row 3."""
    made = random.Random(1)
    questions = [f"how do i reset the password of {sentence(made, 6)}" for _ in range(30)]
    questions += [f"please translate this letter into german {sentence(made, 6)}" for _ in range(29)]
    questions += ["zebra quartz violin marmalade"]
    train, held = tmp_path / "tickets.jsonl", tmp_path / "held.jsonl"
    train.write_text(
        "".join(json.dumps({"prompt": each, "completion": f"answer {n}"}) + "\n" for n, each in enumerate(questions))
    )
    asked = [with_slips(questions[2], 1, made), sentence(made, 20)]
    held.write_text("".join(json.dumps({"prompt": each, "completion": "held"}) + "\n" for each in asked))
    return train, held


def shown(app: object) -> str:
    view = app.screen.query_one(TextView)  # type: ignore[attr-defined]
    return "\n".join("".join(text for text, _ in line.spans) for line in view._lines())


async def test_the_overview_is_shown_exported_and_leads_to_audit_and_decisions(
    make_app: MakeApp, files: tuple[Path, Path], tmp_path: Path
) -> None:
    train, held = files
    recipe = put(put(Recipe(), "data.train", (str(train),)), "data.eval", (str(held),))
    app = make_app(data=(train,), eval_data=(held,), recipe=recipe)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("O")
        await until(pilot, lambda: isinstance(app.screen, OverviewScreen), "the screen")
        await until(pilot, lambda: "kinds of input" in shown(app), "the facts")
        text = shown(app)
        assert "row 3  " in text
        assert "tickets.jsonl: all samples, once each" in text
        assert "train -   held out -   cost -" in text
        assert "no model selected" in text
        await until(pilot, lambda: "drop near leaks" in text_of(app.screen.query_one(KeyBar)), "the keys")

        await choose(pilot, "x", "jsonl")
        await until(pilot, lambda: isinstance(app.focused, Input), "the question")
        assert isinstance(app.focused, Input)
        assert app.focused.value == "tickets.curated.jsonl"
        app.focused.value = "tickets.jsonl"
        await pilot.press("enter")
        words = app.screen.query_one("#prompt-words")
        await until(pilot, lambda: "already exists" in text_of(words), "the refusal")
        app.focused.value = "out.jsonl"
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "out.jsonl").exists(), "the export")
        assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 60
        assert len((tmp_path / "out.eval.jsonl").read_bytes().splitlines()) == 2
        await until(pilot, lambda: isinstance(app.focused, TextView), "the prompt gone")

        await choose(pilot, "l", "drop 1 row")
        await until(pilot, lambda: "leaks             1" not in shown(app) or "row 3  " not in shown(app), "the drop")
        (standing,) = read_ledger(tmp_path).standings().values()
        assert standing.verdict == "drop"
        await until(pilot, lambda: "dropped by hand 1" in shown(app), "the new overview")

        await pilot.press("A")
        await until(pilot, lambda: "audit: 0 of 59" in title(app), "the audit")
        assert "(rare kinds first)" in title(app)
        assert "zebra" in list_text(app).splitlines()[0]


async def test_the_data_screen_leads_to_the_export_which_says_what_was_written_and_what_was_excluded(
    make_app: MakeApp, files: tuple[Path, Path], tmp_path: Path
) -> None:
    """The key worked on the overview alone, and told only how many rows were left out."""
    train, _ = files
    with train.open("a") as stream:
        stream.write("{broken\n")
    app = make_app(data=(train,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop")
        await choose(pilot, "x", "jsonl")
        await until(pilot, lambda: isinstance(app.focused, Input), "the question")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "tickets.curated.jsonl").exists(), "the export")
        doing = app.screen.query_one("#doing")
        await until(pilot, lambda: "rejects.jsonl" in text_of(doing), "what was written")
        words = " ".join(text_of(doing).split())
        assert "2 excluded (malformed line 1, dropped by hand 1) to tickets.curated.rejects.jsonl" in words
        held = len((tmp_path / "tickets.curated.eval.jsonl").read_bytes().splitlines())
        assert f"{59 - held} samples to tickets.curated.jsonl, {held} held out to tickets.curated.eval.jsonl" in words


async def test_a_row_is_marked_as_synthetic_by_a_key_and_unmarked(make_app: MakeApp, files: tuple[Path, Path]) -> None:
    train, _ = files
    app = make_app(data=(train,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("S")
        await until(pilot, lambda: "synthetic" in text_of(app.screen.query_one("#notes")), "the mark")
        assert [each.flag for each in read_ledger(train.parent).standings().values()] == ["synthetic"]
        first = list_text(app).splitlines()[0]
        await choose(pilot, "F", "flagged by you")
        await until(pilot, lambda: "marked 1" in counts(app), "the list of what is marked")
        await until(pilot, lambda: list_text(app).strip() == first.strip(), "that row alone")
        await choose(pilot, "F", "all")
        await until(pilot, lambda: len(list_text(app).split("\n")) > 5, "all rows")
        await pilot.press("S")
        await until(pilot, lambda: dataset(app).desk.rows.mark(0) is None, "the mark gone")
        await pilot.press("!", *"too short", "enter")
        await until(pilot, lambda: "too short" in text_of(app.screen.query_one("#notes")), "a flag with a reason")
        await pilot.press("S")
        await until(pilot, lambda: "too short; synthetic" in text_of(app.screen.query_one("#notes")), "both")
        (standing,) = read_ledger(train.parent).standings().values()
        assert by_hand(standing.flag)
        await pilot.press("S")
        await until(pilot, lambda: "synthetic" not in text_of(app.screen.query_one("#notes")), "the reason alone")
        assert [each.flag for each in read_ledger(train.parent).standings().values()] == ["too short"]

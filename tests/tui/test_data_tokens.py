"""Tokens on the data screen: `-` until they are known, `stale` under another recipe, flags with reason and filter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.paths import hidden_dir
from core.recipe.recipe import Recipe, put
from core.runs.token_facts import RowTokens, TokenFactsWriter
from core.runs.token_job import payload_of
from tests.kit import waiting
from tests.kit.app_waiting import until
from tests.kit.data_screen import chat, counts, line, list_text, scanned, text_of
from tests.kit.training_runs import recipe
from tests.kit.warm.process import WarmPython
from tui.app import TunedeckApp

MakeApp = Callable[..., TunedeckApp]


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Three rows and, before the last, a bad line."""
    path = tmp_path / "talks.jsonl"
    rows = [chat("first"), chat("second"), "{broken", chat("third", " ".join(f"word{n}" for n in range(300)))]
    path.write_text("\n".join(rows) + "\n")
    return path


def cached(workspace: Path, data: Path, found: Recipe) -> None:
    """A cache as the job would leave it."""
    payload = payload_of(Dataset.open(data), found, workspace, workspace)
    writer = TokenFactsWriter(Path(payload["cache"]), payload["about"])
    rows = [
        (RowTokens(0, 20, 6), {}),
        (RowTokens(1, 21, 0), {}),
        (RowTokens(2, 128, 100, 300, 299), {"lost_text": "word word"}),
    ]
    writer.add(rows)
    writer.finish()
    writer.close()


def flags_of_rows(app: TunedeckApp) -> list[str]:
    return [" ".join(row.split()) for row in list_text(app).splitlines() if row.strip()]


async def test_facts_flags_and_filters_and_another_recipe_makes_them_stale(make_app: MakeApp, talks: Path) -> None:
    chosen = recipe()
    cached(talks.parent, talks, chosen)
    app = make_app(data=(talks,), recipe=chosen)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "169 tokens, 106 trained" in line(app), "the facts")
        await until(pilot, scanned(app), "the scan")
        rows = flags_of_rows(app)
        assert rows[0].startswith("> 1 20 tokens")
        assert "15 chars" in rows[0] or "chars" not in rows[0]
        assert rows[1].startswith("2 ■ no loss")
        assert rows[3].startswith("3 ▲ cut")
        assert "428 tokens" in rows[3]
        assert "flagged 2" in counts(app)
        await pilot.press("f", "down")
        await pilot.pause()
        assert "longer than max length  300 tokens lost, 299 of them trained: “word word”" in text_of(
            app.screen.query_one("#notes")
        )
        app.session.recipe = put(chosen, "data.max_length", 64)
        await pilot.press("2", "1")
        await until(pilot, lambda: "token counts are stale" in line(app), "the other recipe")
        assert "flagged 0" in counts(app)
        await pilot.press("f", "f", "f", "f")
        await until(pilot, lambda: "stale" in list_text(app), "the column")
        app.session.recipe = chosen
        await pilot.press("2", "1")
        await until(pilot, lambda: "flagged 2" in counts(app), "the first recipe again")


async def test_a_light_installation_says_what_it_needs(
    make_app: MakeApp, talks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    app = make_app(data=(talks,), recipe=recipe())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert "tokens" not in list_text(app)
        await pilot.press("t")
        await pilot.pause()
        assert "needs the train extra: pip install 'tunedeck[train]'" in line(app)


async def test_the_key_has_the_tokens_counted_and_they_arrive(make_app: MakeApp, talks: Path, warm: WarmPython) -> None:
    app = make_app(data=(talks,), recipe=recipe())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "count tokens" in line(app), "the look at the cache")
        await pilot.press("t")
        await until(pilot, lambda: "trained" in line(app), "the counting")
        await until(pilot, lambda: flags_of_rows(app)[3].startswith("3 ▲ cut"), "the last row, which is counted last")
        rows = flags_of_rows(app)
        assert all("tok" in row for row in (rows[0], rows[1], rows[3]))
        await pilot.press("t")
        await pilot.pause()
        await until(pilot, lambda: "already counted" in line(app), "the answer")
    jobs = [job for job in (hidden_dir(talks.parent) / "jobs").iterdir() if "tokens" in job.name]
    assert len(jobs) == 1
    waiting.until(lambda: standing(JobFolder(jobs[0])).over, "the job ends")
    assert standing(JobFolder(jobs[0])).state == "finished"

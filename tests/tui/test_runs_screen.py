"""The list of runs: found, ordered, compared, cloned and deleted; and quick with thousands of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.workspaces import remember
from core.recipe.recipe import Recipe, put, to_json
from core.recipe.yamlfile import save
from tests.kit.app_waiting import until
from tests.kit.one_widget import text_of
from tests.kit.run_folders import make_run as active_run
from tui.app import TunedeckApp
from tui.runs.compare import CompareScreen
from tui.runs.rows import moment
from tui.widgets.chart import Chart
from tui.widgets.key_bar import KeyBar
from tui.widgets.table import Table
from tui.widgets.text_lines import TextLines

MakeApp = Callable[..., TunedeckApp]


def make_run(workspace: Path, name: str, *, age: float, low: float, state: str = "finished", **changes: Any) -> Path:
    """A run of forty steps; its best eval loss is `low`, at step 30."""
    recipe = put(put(Recipe(), "model.path", "/models/Qwen3-0.6B"), "name", name)
    for path, value in changes.items():
        recipe = put(recipe, path.replace("__", "."), value)
    folder = JobFolder.create(workspace / "runs", name, "training", payload={"recipe": to_json(recipe)})
    folder.write_job({**folder.read_job(), "created": time.time() - age})
    save(recipe, folder.recipe, portable=False)
    for step in range(1, 41):
        place = {"num_tokens": low * 1000.0 * step, "t": time.time() - age + step}
        folder.append_metric({"step": step, "loss": low + 2 / step, "grad_norm": 1.0, "learning_rate": 1e-4, **place})
        if step % 10 == 0:
            folder.append_metric({"step": step, "eval_loss": low + abs(step - 30) / 50})
    folder.append_event("summary", "Done.", peak_memory=int(low * 2**30))
    ended = time.time() - age + 61 if state in ("finished", "stopped", "failed") else None
    folder.write_status(state=state, step=40, of=40, ended=ended, heartbeat=time.time(), message="")
    return folder.path


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    return [
        make_run(tmp_path, "tone", age=300, low=1.5),
        make_run(tmp_path, "desk", age=200, low=0.5, lora__rank=64, state="stopped"),
        make_run(tmp_path, "tone again", age=100, low=1.0, training__learning_rate=5e-4),
    ]


async def settled(app: TunedeckApp, pilot: Pilot[int]) -> None:
    """Waits until all that was asked for is read."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


def rows(app: TunedeckApp) -> list[str]:
    """The lines of the list, without the titles."""
    table = app.screen.query_one(Table)
    return [table.render_line(y).text for y in range(1, table.size.height) if table.render_line(y).text.strip()]


def names(app: TunedeckApp) -> list[str]:
    return [row[14:32].strip() for row in rows(app)]


def detail(app: TunedeckApp) -> str:
    return " ".join(app.screen.query_one("#detail", TextLines).plain)


def test_the_start_of_a_run_is_told_as_briefly_as_its_age_allows() -> None:
    now = time.mktime((2026, 11, 22, 9, 0, 0, 0, 0, -1))
    assert moment(now - 2_400, now) == "08:20"
    assert moment(now - 86_400, now) == "Sat 09:00"
    assert moment(now - 8 * 86_400, now) == "14 Nov"


async def test_runs_are_found_by_typed_words_and_put_in_order(make_app: MakeApp, three: list[Path]) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        assert names(app) == ["tone again", "desk", "tone"]
        assert moment(time.time() - 100, time.time())[:-1] in rows(app)[0]
        assert "1 min 01 s" in rows(app)[0]
        assert all(len(row) <= 78 for row in rows(app))
        await pilot.press("s")
        assert names(app) == ["desk", "tone again", "tone"]
        await pilot.press("s", "s")
        assert names(app)[0] == "tone"
        await pilot.press("slash", *"tone fin")
        assert names(app) == ["tone", "tone again"]
        assert "mark" not in app.screen.query_one(KeyBar).render().plain
        assert "2 of 3 runs" in str(app.screen.query_one(Table).border_title)
        await pilot.press("enter", "escape")
        assert len(names(app)) == 3
        await pilot.press("slash", *"nothing")
        assert names(app) == []
        assert "No run matches" in detail(app) or "filter: nothing" in detail(app)
        await pilot.press("escape")
        assert len(names(app)) == 3


@pytest.mark.parametrize(
    "size", [(80, 24), *(pytest.param(size, marks=pytest.mark.slow) for size in ((160, 45), (60, 20)))]
)
async def test_marked_runs_are_compared_by_curves_results_and_differing_fields(
    make_app: MakeApp, three: list[Path], size: tuple[int, int]
) -> None:
    app = make_app("runs")
    async with app.run_test(size=size) as pilot:
        await settled(app, pilot)
        assert not app.screen.check_action("compare", ())
        await pilot.press("space", "space", "space", "v")
        await settled(app, pilot)
        screen = app.screen
        assert isinstance(screen, CompareScreen)
        chart = screen.query_one(Chart)
        assert [len(curve.series) for curve in chart.curves] == [40, 40, 40]
        found = dict(screen._rows)
        assert found["lora.rank"] == ("16", "64", "16")
        assert found["training.learning_rate"] == ("5e-4", "2e-4", "2e-4")
        assert found["best eval"] == ("1.000", "0.5000", "1.500")
        assert set(found) - {"state", "verdict", "best eval", "at step", "duration", "memory"} == {
            "lora.rank",
            "training.learning_rate",
        }
        await pilot.press("m")
        assert [list(curve.series.x) for curve in chart.curves] == [[10, 20, 30, 40]] * 3
        await pilot.press("m", "m", "m")
        assert chart.title == "tokens seen"
        await pilot.press("M", "M", "M", "M", "x")
        assert (chart.title, chart.span(), chart.unit.name) == ("train loss", (0, 60_000), "k tokens")
        await pilot.press("left")
        assert "60.0 k tokens" in text_of(chart)[-1]
        assert " A tone again -" in text_of(chart)[1], "it ended after 40,000 tokens"
        screen.action_read(-30)
        assert " A tone again 1.0" in text_of(chart)[1]
        await pilot.press("0", "x", "x")
        assert (chart.span(), chart.crosshair) == ((0, 40), None)
        await pilot.press("end")
        assert "training.learning_rate" in screen.query_one("#whole", TextLines).plain[0]
        await pilot.press("escape")
        assert app.screen.query_one("#runs", Table).has_focus


async def test_delete_asks_says_what_goes_and_leaves_live_runs_alone(
    make_app: MakeApp, three: list[Path], tmp_path: Path
) -> None:
    me = process.identify(os.getpid())
    assert me is not None
    live = JobFolder(make_run(tmp_path, "live", age=10, low=1.0, state="running"))
    live.write_job({**live.read_job(), "keeper": me.to_json()})
    for step in (20, 40):
        (three[2] / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    (three[2] / "adapter").mkdir()
    (three[2] / "adapter" / "adapter_model.safetensors").write_bytes(bytes(3 << 20))
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        await pilot.press("D")
        await settled(app, pilot)
        assert "is running. Stop it first" in detail(app)
        assert not app.screen.check_action("answer", (True,))
        await pilot.press("down", "D")
        await settled(app, pilot)
        assert "3.0 MiB will be deleted permanently: 2 checkpoints, the trained weights, metrics" in detail(app)
        assert "yes, delete" in app.screen.query_one(KeyBar).render().plain
        await pilot.press("6", "1", "q", "j")
        assert app.current_mode == "runs", "a question takes its own keys alone"
        await pilot.press("n", "y")
        await settled(app, pilot)
        assert three[2].exists()
        await pilot.press("D")
        await settled(app, pilot)
        await pilot.press("y")
        await until(pilot, lambda: len(rows(app)) == 3, "the list without it")
        assert not three[2].exists()
        assert live.exists()


async def test_i_shows_the_recipe_of_a_run_and_an_empty_list_says_where_runs_are_active(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    busy = tmp_path / "busy"
    active = active_run(busy)
    remember(busy)
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        hint = app.screen.query_one("#none", Static)
        await until(pilot, lambda: active.id in str(hint.render()), "it says where")
        assert "1 run is active" in str(hint.render())
        assert not (tmp_path / "runs").exists()
        make_run(tmp_path, "tone", age=10, low=1.0, lora__rank=64)
        await until(pilot, lambda: not hint.display, "the run is listed")
        await pilot.press("i")
        view = await until(pilot, lambda: [*app.screen.query("#details")], "the recipe is shown")
        await until(pilot, lambda: any("lora.rank" in view[0].render_line(line).text for line in range(10)))
        await pilot.press("escape")
        assert app.screen.query("#none")


async def test_a_clone_is_a_recipe_of_its_own(make_app: MakeApp, three: list[Path]) -> None:
    app = make_app("runs")
    before = (three[1] / "recipe.yaml").read_bytes()
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        await pilot.press("down", "c")
        await pilot.pause()
        assert app.current_mode == "recipe"
        assert app.session.recipe.lora.rank == 64
    assert (three[1] / "recipe.yaml").read_bytes() == before


async def test_what_was_read_of_thousands_of_runs_is_not_read_again(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / ".tunedeck").mkdir()
    first = make_run(tmp_path, "one", age=10, low=1.0)
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
    cache = tmp_path / ".tunedeck" / "runs.json"
    kept = json.loads(cache.read_text())
    for number in range(1_000):
        name = f"2026-01-01-{number:06}-old"
        os.link(first / "job.json", _made(tmp_path / "runs" / name) / "job.json")
        os.link(first / "status.json", tmp_path / "runs" / name / "status.json")
        os.link(first / "metrics.jsonl", tmp_path / "runs" / name / "metrics.jsonl")
        kept["runs"][name] = kept["runs"][first.name]
    cache.write_text(json.dumps(kept))
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        assert "1,001 runs" in str(app.screen.query_one(Table).border_title)
        await pilot.press("end", "slash", *"2026-01-01-000999")
        assert len(rows(app)) == 1


def _made(path: Path) -> Path:
    path.mkdir()
    return path

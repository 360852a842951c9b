"""Queued runs on the Runs screen: their place, what they wait for, and the keys that change the queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.jobs.queue import Queue
from core.jobs.queue_runner import update_waiting_runs
from core.jobs.state import standing
from tests.kit.app_waiting import until
from tests.kit.queued_runs import use_stand_ins, wait_in
from tests.kit.recipe_screen import form, line, sound, workspace
from tui.app import TunedeckApp
from tui.widgets.table import Table
from tui.widgets.text_lines import TextLines

MakeApp = Callable[..., TunedeckApp]

__all__ = ["workspace"]


async def shown(app: TunedeckApp, pilot: Pilot[int], words: str) -> None:
    """Waits until the table or the line below it says this."""

    def said() -> bool:
        table, detail = app.screen.query_one(Table), app.screen.query_one("#detail", TextLines)
        rows = [table.render_line(y).text for y in range(table.size.height)]
        text = [*rows, str(table.border_title), *(detail.render_line(y).text for y in range(detail.size.height))]
        return any(words in row for row in text)

    await pilot.pause()
    await until(pilot, said, words)


async def test_place_and_what_it_waits_for_are_shown_and_can_be_changed(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stand_ins(tmp_path, monkeypatch)
    queue = Queue(tmp_path)
    queue.pause(True)
    runs = [wait_in(queue, "ends", name=name) for name in ("first", "second", "third")]
    update_waiting_runs(tmp_path)
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, "3 queued (queue paused)")
        await shown(app, pilot, "queued 3")
        await shown(app, pilot, "Number 3 in the queue: the queue is paused.")
        await pilot.press("shift+up")
        await shown(app, pilot, "Number 2 in the queue")
        await pilot.press("x")
        await shown(app, pilot, "Removed from the queue")
        assert not app.screen.check_action("remove_from_queue", ())
        await pilot.press("down", "h")
        await shown(app, pilot, "finished")
        await until(pilot, lambda: all(standing(run).over for run in runs), "the queue is empty")
        assert [standing(run).state for run in runs] == ["finished", "finished", "stopped"]


async def test_keys_of_the_queue_say_what_they_do_and_nothing_stale_stays(make_app: MakeApp, tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.pause(True)
    for name in ("first", "second"):
        wait_in(queue, "ends", name=name)
    update_waiting_runs(tmp_path)
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, "queued 2")
        await pilot.press("D")
        await shown(app, pilot, "Press x to remove it from the queue")
        await pilot.press("v")
        await shown(app, pilot, "No run marked")
        await pilot.press("D")
        await shown(app, pilot, "Press x to remove it from the queue")
        await pilot.press("x")
        await shown(app, pilot, "Removed from the queue")
        table = app.screen.query_one(Table)
        row = table.render_line(1).text
        assert "removed" in row
        assert " s " not in row[:60]  # it took no time


async def test_holding_the_queue_and_letting_it_go_on_is_said(make_app: MakeApp, tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    wait_in(queue, "ends", name="tomorrow", at=time.time() + 86_400)
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, "queued")
        await pilot.press("h")
        await shown(app, pilot, "Queue paused")
        await shown(app, pilot, "queue paused")
        await pilot.press("h")
        await shown(app, pilot, "Queue resumed")
        await pilot.press("x")
        await shown(app, pilot, "Removed from the queue")


async def test_f7_on_the_recipe_screen_queues_the_run_and_stays_there(make_app: MakeApp, workspace: Path) -> None:
    Queue(workspace).pause(True)
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await pilot.press("f7")
        await until(pilot, lambda: line(app).startswith(("Queued", "Not")), "the answer")
        assert "Number 1 in the queue: the queue is paused." in line(app)
        assert form(app).has_focus
        assert app.session.run is None
    (entry,) = Queue(workspace).read().entries
    assert (workspace / "runs" / entry.id / "data" / "train.jsonl").exists()


async def test_f7_leaves_the_field_so_that_6_shows_the_runs_as_it_says(make_app: MakeApp, workspace: Path) -> None:
    Queue(workspace).pause(True)
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("8", "f7")
        await until(pilot, lambda: line(app).startswith(("Queued", "Not")), "the answer")
        assert "6 for the runs" in line(app)
        await pilot.press("6")
        assert app.current_mode == "runs"
        assert app.session.recipe.lora.rank == 8


async def test_runs_of_a_pipeline_stand_together_and_one_that_is_held_can_be_released(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stand_ins(tmp_path, monkeypatch)
    queue = Queue(tmp_path)
    queue.pause(True)
    first = wait_in(queue, "ends", name="sft")
    wait_in(queue, "ends", name="other")
    second = wait_in(queue, "ends", name="dpo", after=first)
    for stage, run in enumerate((first, second), 1):
        job = run.read_job()
        job["payload"]["pipeline"] = {"id": "p", "stage": stage, "of": 2}
        run.job.write_text(json.dumps(job))
    first.reset_status(state="failed", ended=time.time())
    update_waiting_runs(tmp_path)
    app = make_app("runs")
    async with app.run_test(size=(120, 30)) as pilot:
        await shown(app, pilot, "2/2 dpo")
        table = app.screen.query_one(Table)
        rows = [table.render_line(y).text for y in range(table.size.height)]
        places = [next(n for n, row in enumerate(rows) if name in row) for name in ("1/2 sft", "2/2 dpo", "other")]
        assert places == sorted(places), "together, in their order"
        await pilot.press("g", "j")
        await shown(app, pilot, f"held after {first.id}")
        assert app.screen.check_action("release", ())
        await pilot.press("L")
        await shown(app, pilot, "Released")
        assert [entry.after for entry in queue.read().entries if entry.id == second.id] == [""]
        await pilot.press("plus")
        assert not app.screen.check_action("extend", ()), "only what has finished can be continued"

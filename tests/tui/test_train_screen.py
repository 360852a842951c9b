"""The live screen, on real run folders in every state."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.jobs import access, requests
from core.jobs import folder as folders
from core.jobs.folder import JobFolder
from tests.kit.app_waiting import until
from tests.kit.one_widget import Sent, text_of
from tests.kit.out_of_reach import take_away
from tests.kit.run_folders import add_steps, gpu, gpu_record, make_run
from tui.app import TunedeckApp
from tui.train.requests import RequestsPane
from tui.train.screen import TrainScreen
from tui.widgets.chart import Chart
from tui.widgets.facts import FactLines
from tui.widgets.gauge import Gauges
from tui.widgets.key_bar import KeyBar
from tui.widgets.log_view import LogView
from tui.widgets.text_lines import TextLines
from tui.widgets.top_bar import TopBar

MakeApp = Callable[..., TunedeckApp]


async def read(pilot: Pilot[int]) -> TrainScreen:
    """The live screen, once it has read the run."""
    screen = pilot.app.screen
    assert isinstance(screen, TrainScreen)
    await until(pilot, lambda: screen.run.live.update is not None and not screen.run.live.update.more)
    await pilot.pause()
    return screen


def state(screen: TrainScreen) -> str:
    """The words on how it stands."""
    return " ".join(screen.query_one("#state", TextLines).plain)


def keys(screen: TrainScreen) -> str:
    """The footer."""
    return screen.query_one(KeyBar).render().plain


async def test_without_a_run_it_says_what_to_do(make_app: MakeApp) -> None:
    async with make_app("train").run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        words = pilot.app.screen.query_one("#nothing", Static)
        assert words.display
        assert "Recipe (2" in str(words.render())
        assert "stop" not in pilot.app.screen.query_one(KeyBar).render().plain


async def test_a_running_job_shows_loss_facts_state_and_events(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=60, of=100)
    folder.append_gpu(gpu_record(gpu(0), gpu(1, utilization=None)))
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        facts = screen.query_one(FactLines).plain
        assert "step  60 of 100" in facts
        assert "epoch 2.40" in facts
        assert "60%" in facts
        assert "done in" in facts
        assert "48.7 k tokens" in facts
        assert "3.97 k tokens/s" in facts
        assert state(screen).startswith("running  stage 1 of 2: training")
        reported = json.loads(folder.events.read_text().splitlines()[-1])
        clock = time.strftime("%H:%M:%S", time.localtime(reported["t"]))
        assert screen.query_one("#events", TextLines).plain[-1].split() == [clock, *reported["message"].split()]
        assert "Checkpoint 50 saved" in reported["message"]
        chart = screen.query_one("#headline", Chart)
        assert "eval 0.8680" in text_of(chart)[0]
        assert text_of(chart)[-1].endswith(" 100 ╯")
        lines = text_of(screen.query_one("#lines", Gauges))
        assert "61.2/80.0 GiB" in lines[0]
        assert "n/a%" in lines[1]


@pytest.mark.parametrize(("size", "panels"), [((80, 24), False), ((60, 20), False), ((160, 45), True)])
async def test_each_size_has_chart_facts_state_and_footer(
    make_app: MakeApp, tmp_path: Path, size: tuple[int, int], panels: bool
) -> None:
    folder = make_run(tmp_path)
    folder.append_gpu(gpu_record(problem="No NVIDIA driver."))
    async with make_app("train", run=folder.path).run_test(size=size) as pilot:
        screen = await read(pilot)
        assert screen.query_one("#headline", Chart).size.height >= 6
        for id_ in ("#facts", "#state", "KeyBar"):
            region = screen.query_one(id_).region
            assert region.height >= 1
            assert region.bottom <= size[1]
        assert screen.query_one("#small").display == panels
        assert not screen.query_one("#panel").display
        gauges = screen.query_one("#lines", Gauges)
        assert gauges.size.height == 1
        assert "CPU  99%  RAM 1.20 GiB" in "".join(text_of(gauges))


async def test_new_steps_appear_and_few_cells_are_sent(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=600, of=1000)
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        charts = Sent(screen.query_one("#headline", Chart))
        add_steps(folder, range(601, 602), 1000)
        folder.write_status(step=601)
        await until(pilot, lambda: len(screen.run.live.main) == 601)
        await until(pilot, lambda: "step   601 of" in screen.query_one(FactLines).plain)
        assert 0 < charts.cells < 60


async def test_the_clock_sends_its_own_cells_only(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    for number in range(1, 17):  # a slow run: while its next log event is due, the time left goes on
        record = {"t": time.time() + 30 * (number - 16), "step": 60 + number, "loss": 1.0, "eta_seconds": 90.0}
        folder.append_metric(record)
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        bar = screen.query_one(TopBar)
        await until(pilot, lambda: " of " not in bar.status)  # the live screen says the steps itself
        sent = [Sent(screen.query_one(kind)) for kind in ("TopBar", "#headline", "#facts", "#state", "#events")]
        before = bar.status
        await until(pilot, lambda: bar.status != before)
        assert 0 < sum(part.cells for part in sent) <= 24


async def test_a_finished_run_says_where_the_adapter_is_and_what_comes_next(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=100, state="finished", ended=time.time())
    folder.write_status(stage=1, step=20, of=20)  # the evaluation counts its own steps
    folder.adapter.mkdir()
    (folder.adapter / "adapter_config.json").write_text("{}")
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        words = state(screen)
        assert words.startswith("finished after 0:00:4")
        assert "4 to see the result" in words
        assert "Eval loss 3.348 at step 10, 0.8840 at step 100." in words
        assert f"runs/{folder.id}/adapter" in words
        assert "stop" not in keys(screen)
        assert "done in" not in screen.query_one(FactLines).plain
        assert "step 100 of 100" in screen.query_one(FactLines).plain


async def test_a_failed_run_says_why_and_shows_the_log(make_app: MakeApp, tmp_path: Path) -> None:
    reason = "The loss was not finite at step 41. Lower the learning rate."
    folder = make_run(tmp_path, steps=40, state="failed", message=reason, ended=time.time())
    folder.append_metric({"step": 41, "loss": "nan", "grad_norm": "inf"})
    folder.log.write_text("loading\n" + "step\n" * 50 + "FloatingPointError: \x1b[31mloss\x1b[0m is nan\n")
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert state(screen).startswith("failed after")
        assert reason in state(screen)
        log = screen.query_one(LogView)
        assert log.display
        shown = "\n".join(text_of(log))
        assert "FloatingPointError: ␛[31mloss␛[0m is nan" in shown
        assert "\x1b" not in shown
        assert "1 not finite" in text_of(screen.query_one("#headline", Chart))[0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"state": "stopped", "message": "Stopped as asked at step 60.", "ended": 1.0}, "stopped"),
        ({"state": "running", "phase": "loading", "message": "Loading libraries."}, "running  stage 1 of 2: loading"),
        ({"state": "running", "phase": "evaluating", "message": "Batch 3."}, "running  stage 1 of 2: evaluating"),
        ({"state": "starting", "phase": "training", "worker": None}, "starting"),
    ],
)
async def test_every_state_is_said_in_words(
    make_app: MakeApp, tmp_path: Path, status: dict[str, object], words: str
) -> None:
    folder = make_run(tmp_path, **status)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert state(screen).startswith(words)
        assert str(status.get("message", "")) in state(screen)


async def test_a_lost_run_is_told_from_a_failed_one(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, worker=None)
    gone = {"pid": 1, "start_time": 1, "boot_id": "another boot"}
    folder.write_job({**folder.read_job(), "keeper": gone})
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert state(screen).startswith("lost")
        assert "restarted" in state(screen)
        assert "stop" not in keys(screen)


async def test_stop_asks_first_and_no_means_no(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("y")
        assert requests.pending(folder) == ()
        await pilot.press("s")
        await pilot.pause()
        assert "Stop this run?" in state(screen)
        assert "y yes" in keys(screen)
        await pilot.press("n")
        await pilot.pause()
        assert "Stop this run?" not in state(screen)
        await pilot.press("y")
        assert requests.pending(folder) == ()


async def test_a_run_of_another_user_is_read_only_and_no_key_asks(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path)
    monkeypatch.setattr(access, "_writable", lambda path: False)  # nothing else keeps root out
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert state(screen).startswith("running  read-only")
        assert "stop" not in keys(screen), "the footer does not offer it"
        assert "checkpoint" not in keys(screen)
        for key in ("s", "p", "c"):
            await pilot.press(key)
            await pilot.pause()
            assert "This run is read-only for you" in state(screen)
            assert "yes" not in keys(screen)
            screen.query_one(RequestsPane).say("")
    assert folder.requested() == ()


async def test_stop_and_save_is_asked_of_the_run_and_said(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("s", "y")
        await until(pilot, lambda: requests.pending(folder) == (requests.STOP,))
        await until(pilot, lambda: state(screen).startswith("stopping"))
        assert "stop and save" not in keys(screen)


async def test_the_question_offers_to_end_at_once_and_so_does_a_run_that_is_stopping(
    make_app: MakeApp, tmp_path: Path
) -> None:
    folder = make_run(tmp_path)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("x", "y")
        assert requests.pending(folder) == ()
        await pilot.press("s")
        await pilot.pause()
        assert "x stop now without saving" in state(screen)
        assert "x stop now" in keys(screen)
        await pilot.press("1", "q", "m", "question_mark", "ctrl+p")
        await pilot.pause()
        assert pilot.app.screen is screen, "a question takes its own keys alone"
        assert "Stop this run?" in state(screen)
        await pilot.press("x")
        await until(pilot, lambda: requests.pending(folder) == (requests.STOP_NOW,))
    folder = make_run(tmp_path)
    requests.ask(folder, requests.STOP)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await until(pilot, lambda: "s stop now" in keys(screen))
        await pilot.press("s", "n")
        assert requests.pending(folder) == (requests.STOP,)
        await pilot.press("s")
        await pilot.pause()
        assert "without saving?" in state(screen)
        await pilot.press("y")
        await until(pilot, lambda: requests.STOP_NOW in requests.pending(folder))


@pytest.mark.parametrize("paused", [False, True])
async def test_after_a_pause_the_memory_can_be_freed_which_saves_and_ends(
    make_app: MakeApp, tmp_path: Path, paused: bool
) -> None:
    folder = make_run(tmp_path, state="paused" if paused else "running")
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert ("F free memory" in keys(screen)) is paused
        if not paused:
            await pilot.press("F", "y")
            assert requests.pending(folder) == ()
            await pilot.press("p")
            await until(pilot, lambda: "Press F to save and stop" in state(screen))
            assert requests.pending(folder) == (requests.PAUSE,)
        await pilot.press("F")
        await pilot.pause()
        assert "free its memory" in state(screen)
        await pilot.press("y")
        await until(pilot, lambda: requests.STOP in requests.pending(folder))


async def test_a_running_run_is_not_offered_a_resume(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (folder.checkpoints / "checkpoint-50").mkdir(parents=True)
    async with make_app("train", run=folder.path).run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        assert "resume" not in keys(screen)
        await pilot.press("r")
        assert screen.requests.asking == ""
        assert "s stop" in keys(screen)


async def test_a_checkpoint_can_be_asked_for(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "save a checkpoint" in state(screen))
        assert requests.pending(folder) == (requests.SAVE,)


async def test_a_run_whose_folder_goes_away_is_said_and_followed_on_when_it_is_back(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        back = take_away(folder.path)
        await until(pilot, lambda: "Cannot reach" in state(screen))
        assert state(screen).startswith("running")
        await pilot.press("c")
        await pilot.pause()
        assert len(screen.run.live.main) == 60
        back()
        add_steps(folder, range(61, 71), 100)
        await until(pilot, lambda: len(screen.run.live.main) == 70)
        await until(pilot, lambda: "Cannot reach" not in state(screen))
        take_away(folder.path)
        await until(pilot, lambda: "Cannot reach" in state(screen))
        monkeypatch.setattr(folders, "GONE_AFTER", 0.0)
        await until(pilot, lambda: "gone" in state(screen))
        assert state(screen).startswith("lost")


async def test_the_log_is_toggled_and_bounded_and_pauses_when_scrolled(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.log.write_text("".join(f"line {n}\n" for n in range(6000)))
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        log = screen.query_one(LogView)
        assert not log.display
        await pilot.press("l")
        await pilot.pause()
        assert log.display
        assert len(log.lines) == 5000
        assert "line 5999" in "\n".join(text_of(log))
        await pilot.press("pageup")
        assert not log.following
        seen = text_of(log)[1:-1]
        log.extend(["one more"])
        assert text_of(log)[1:-1] == seen
        await pilot.press("end")
        assert log.following
        assert "one more" in "\n".join(text_of(log))
        await pilot.press("l")
        await pilot.pause()
        assert not log.display


@pytest.mark.parametrize("state", ["running", "paused", "finished", "failed"])
async def test_reading_zoom_scale_and_smoothing_work_by_keys(make_app: MakeApp, tmp_path: Path, state: str) -> None:
    over = {"ended": time.time()} if state in ("finished", "failed") else {}
    folder = make_run(tmp_path, steps=100, state=state, **over)
    async with make_app("train", run=folder.path).run_test(size=(120, 30)) as pilot:
        screen = await read(pilot)
        chart = screen.query_one("#headline", Chart)
        await pilot.press("left", "left")
        assert chart.crosshair is not None
        assert "epoch" in text_of(chart)[-1]
        await pilot.press("z")
        assert chart.zoomed
        await pilot.press("escape")
        assert not chart.zoomed
        assert chart.crosshair is None
        await pilot.press("L")
        assert chart.log_scale
        before = list(screen.run.live.average.series.y)
        await pilot.press("m")
        assert screen.run.live.smoothing == "strong"
        assert list(screen.run.live.average.series.y) != before
        assert [curve.name for curve in chart.curves] == ["train", "mean of 100", "eval"]
        await pilot.press("m")
        assert [curve.name for curve in chart.curves] == ["train", "eval"]
        await pilot.press("m")
        assert [curve.name for curve in chart.curves] == ["train", "mean of 25", "eval"]
        assert chart.curves[1].series is screen.run.live.average.series


async def test_nothing_is_read_while_another_screen_is_on(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=5)
    app = make_app("train", run=folder.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("5")
        await until(pilot, lambda: not screen.is_current)
        update = screen.run.live.update
        add_steps(folder, range(6, 9), 100)
        ticks = app._second
        await until(pilot, lambda: app._second >= ticks + 2, "two seconds of the app's own clock")
        assert screen.run.live.update is update
        await pilot.press("3")
        await until(pilot, lambda: len(screen.run.live.main) == 8)


async def test_another_run_takes_the_place_of_the_first(make_app: MakeApp, tmp_path: Path) -> None:
    first, second = make_run(tmp_path, steps=90), make_run(tmp_path, steps=5)
    app = make_app("train", run=first.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        app.show_run(second.path)
        await until(pilot, lambda: len(screen.run.live.main) == 5)
        assert screen.query_one("#headline", Chart).curves[0].series is screen.run.live.main


async def test_a_resumed_run_draws_its_steps_once(make_app: MakeApp, tmp_path: Path) -> None:
    folder: JobFolder = make_run(tmp_path, steps=60)
    add_steps(folder, range(51, 71), 100)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert list(screen.run.live.main.x) == list(range(1, 71))

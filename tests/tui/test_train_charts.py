"""The live screen's charts: any metric, tokens or time on x, other runs over this one, long runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Input, OptionList

from core.jobs import sampled_read as sampled_reads
from core.jobs.folder import JobFolder
from tests.kit.app_waiting import until
from tests.kit.one_widget import text_of
from tests.kit.run_folders import add_steps, gpu, gpu_record, make_run
from tests.tui.test_train_screen import keys, read, state
from tui.app import TunedeckApp
from tui.charts.xaxis import Along, steps_end, time_unit, tokens_unit
from tui.live import metrics
from tui.train.charts import Panels
from tui.train.screen import TrainScreen
from tui.widgets.facts import FactLines
from tui.widgets.gauge import Gauges
from tui.widgets.log_view import LogView
from tui.widgets.pick_menu import PickMenu
from tui.widgets.text_lines import TextLines

MakeApp = Callable[..., TunedeckApp]


def add_metric(folder: JobFolder, name: str, steps: range) -> None:
    for step in steps:
        folder.append_metric({"step": step, name: step / 100, "loss": 1.0, "num_tokens": 100.0 * step})


def panels(screen: TrainScreen) -> list[str]:
    return [chart.title for chart in screen.query_one(Panels).charts if chart.display]


async def test_any_logged_metric_gets_a_panel_by_typing_a_part_of_its_name(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=20)
    add_metric(folder, "rewards/margins", range(21, 30))
    add_metric(folder, "kl/[b]odd[/b]", range(30, 40))
    async with make_app("train", run=folder.path).run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        await until(pilot, lambda: panels(screen) == ["learning rate", "gradient norm", "tokens/s", "reward margin"])
        await pilot.press("plus")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickMenu))
        await pilot.press(*"odd", "enter", "escape")
        await until(pilot, lambda: "kl/[b]odd[/b]" in panels(screen))
        odd = screen.query_one(Panels).charts[0]
        await until(pilot, lambda: "kl/[b]odd[/b]" in text_of(odd)[0])
        assert "0.390" in text_of(odd)[0]


async def test_entropy_and_token_accuracy_have_panels_of_their_own(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=20)
    for step in range(21, 41):
        folder.append_metric({"step": step, "loss": 1.0, "entropy": 2.0 - step / 40, "mean_token_accuracy": step / 80})
    async with make_app("train", run=folder.path).run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        wanted = ["learning rate", "gradient norm", "tokens/s", "entropy", "token accuracy"]
        await until(pilot, lambda: panels(screen) == wanted)
        rows = {chart.title: chart for chart in screen.query_one(Panels).charts}
        await until(pilot, lambda: "1.00 " in text_of(rows["entropy"])[0])
        await until(pilot, lambda: "0.500 " in text_of(rows["token accuracy"])[0])
        assert len(rows["entropy"].curves[0].series) == len(rows["token accuracy"].curves[0].series) == 20


async def test_early_in_a_long_run_the_axis_ends_near_what_there_is(make_app: MakeApp, tmp_path: Path) -> None:
    """The curve of 15 of 1,120 steps was one dotted column."""
    folder = make_run(tmp_path, steps=30, of=1120)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert screen.charts.chart.span() == (0, 70)
        assert text_of(screen.charts.chart)[-1].endswith("─ 70 ╯")
        assert "0 steps" in text_of(screen.charts.chart)[-1]
        folder.write_status(step=300)
        await until(pilot, lambda: text_of(screen.charts.chart)[-1].endswith("─ 1,120 ╯"))
        folder.write_status(state="stopped", ended=time.time())
        await until(pilot, lambda: text_of(screen.charts.chart)[-1].endswith("─ 30 ╯"), "an ended run fits its axis")
    ends = [steps_end(step, 3000) for step in range(1, 3001)]
    assert all(4 * step >= end or end < 100 for step, end in enumerate(ends, 1) if end is not None)
    assert len(set(ends)) == 6
    assert steps_end(None, None) is steps_end(3, None) is None
    assert steps_end(2, 60) == 60
    seldom = [steps_end(step, 3000, part=16) for step in range(1, 3001)]
    assert len(set(seldom)) <= len(set(ends))
    assert seldom.index(3000) < ends.index(3000), "where bytes are dear, the axis reaches the run's end sooner"


async def test_what_a_gpu_did_stands_on_the_axis_of_the_loss(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=0, of=200)
    for step in range(1, 101):
        folder.append_metric({"t": 1000.0 + 10 * step, "step": step, "loss": 1.0})
        folder.append_gpu({**gpu_record(gpu(0), gpu(1, utilization=3 if step > 60 else 90)), "t": 995.0 + 10 * step})
    async with make_app("train", run=folder.path).run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        await pilot.press("plus")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickMenu))
        await pilot.press(*"gpu 1 use", "enter", "escape")
        await until(pilot, lambda: "GPU 1 use %" in panels(screen))
        panel = next(chart for chart in screen.query_one(Panels).charts if chart.title == "GPU 1 use %")
        await pilot.press("z", "left", *["ctrl+left"] * 2)
        await until(pilot, lambda: panel.span() == screen.charts.chart.span() and panel.zoomed)
        assert panel.crosshair == screen.charts.chart.crosshair
        assert "3.00" in text_of(panel)[0]
        assert panel.view().y0 == 0


async def test_a_metric_that_is_picked_is_on_the_screen_at_once_at_any_size(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=0)
    usual = dict.fromkeys(metrics.USUAL, 1.0)
    for step in range(1, 30):
        folder.append_metric({"step": step, "loss": 1.0, **usual, "zeal": step / 10})
    for size in ((160, 45), (80, 24)):
        async with make_app("train", run=folder.path).run_test(size=size) as pilot:
            screen = await read(pilot)
            await pilot.press("plus")
            await until(pilot, lambda: isinstance(pilot.app.screen, PickMenu))
            box = pilot.app.screen.query_one("Vertical")
            await until(pilot, lambda: f"metrics {'shown' if size[0] > 80 else 'in turn'}" in str(box.border_subtitle))  # noqa: B023
            assert ("panels need 110 columns" in str(box.border_title)) is (size[0] < 110)
            await pilot.press(*"zeal", "enter", "escape")
            charts = [screen.charts.chart, *screen.query_one(Panels).charts]
            await until(pilot, lambda: any(c.display and c.title == "zeal" for c in charts))  # noqa: B023
            await until(pilot, lambda: "have no panel at this size" in state(screen))  # noqa: B023


async def test_the_large_chart_says_how_many_of_the_metrics_are_shown(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    for size, words in (((160, 45), "4 of 6 metrics"), ((80, 24), "1 of 6 metrics")):
        async with make_app("train", run=folder.path).run_test(size=size) as pilot:
            screen = await read(pilot)
            await until(pilot, lambda: words in text_of(screen.charts.chart)[0])  # noqa: B023


async def test_a_narrow_terminal_shows_each_metric_in_the_large_chart(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=20)
    async with make_app("train", run=folder.path).run_test(size=(60, 20)) as pilot:
        screen = await read(pilot)
        await pilot.press("b")
        await until(pilot, lambda: "learning rate" in text_of(screen.charts.chart)[0])
        await pilot.press("b")
        await until(pilot, lambda: "gradient norm" in text_of(screen.charts.chart)[0])


async def test_epochs_tokens_and_time_take_the_place_of_steps_on_x(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=60, of=100)
    async with make_app("train", run=folder.path).run_test(size=(120, 30)) as pilot:
        screen = await read(pilot)
        await pilot.press("x")
        await until(pilot, lambda: "0 epochs" in text_of(screen.charts.chart)[-1])
        await pilot.press("x")
        await until(pilot, lambda: "0 k tokens" in text_of(screen.charts.chart)[-1])
        await pilot.press("left")
        assert "step 60  epoch 2.40  48.7 k tokens" in text_of(screen.charts.chart)[-1]
        await pilot.press("escape", "x")
        await until(pilot, lambda: "0 s─" in text_of(screen.charts.chart)[-1])


async def test_other_runs_are_laid_over_and_the_pinned_one_stays(make_app: MakeApp, tmp_path: Path) -> None:
    first, second = make_run(tmp_path, steps=90), make_run(tmp_path, steps=40)
    third = make_run(tmp_path, steps=10, of=20)
    app = make_app("train", run=first.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, PickMenu) and bool(app.screen.query(OptionList)))
        app.screen.query_one(Input).value = second.id
        await pilot.pause()
        await pilot.press("ctrl+t", "escape")
        await until(pilot, lambda: app.screen is screen and bool(screen.charts.chart.curves[0].letter))
        await until(pilot, lambda: max(len(curve.series) for curve in screen.charts.chart.curves if curve.letter) == 40)
        mean = sum(screen.charts.overlays.runs[0].live.main.y[-25:]) / 25
        await until(pilot, lambda: f"(pinned)  {mean:.3f}" in "".join(text_of(screen.charts.chart)))
        app.show_run(third.path)
        await until(pilot, lambda: len(screen.run.live.main) == 10)
        assert [curve.letter for curve in screen.charts.chart.curves] == ["a", "a", "", "", ""]
        shown = [chart for chart in screen.query_one(Panels).charts if chart.display]
        await until(pilot, lambda: {chart.span() for chart in (screen.charts.chart, *shown)} == {(0, 40)})
        assert shown, "panels lie on the axis of the longer run, too"


async def test_a_long_run_is_sampled_first_and_then_read_whole(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, steps=0, of=4000, step=4000, state="finished", ended=time.time())
    with open(folder.metrics, "w", encoding="utf-8") as file:
        for step in range(1, 4001):
            file.write(json.dumps({"t": 1.0 * step, "step": step, "loss": 1.0, "pad": "x" * 40}) + "\n")
    monkeypatch.setattr(sampled_reads, "LONG", 1)
    monkeypatch.setattr(sampled_reads, "PIECES", 8)
    monkeypatch.setattr(sampled_reads, "PIECE", 1000)
    some = [record["step"] for record in sampled_reads.sampled_read(folder.metrics)]
    assert some == sorted(set(some))
    assert some[0] == 1
    assert some[-1] == 4000
    assert 20 < len(some) < 200
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await until(pilot, lambda: screen.run.shown is screen.run.live)
        assert len(screen.run.live.main) == 4000


async def test_energy_and_cost_are_in_the_step_line(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config" / "tunedeck" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('price_per_hour = 3600\ncurrency = "EUR"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    from tui.settings import load_settings

    folder = make_run(tmp_path, steps=60, started=time.time() - 50, ended=time.time(), state="finished")
    for second in range(10):
        folder.append_gpu({**gpu_record(gpu(0, power=3600.0)), "t": 1000.0 + second})
    app = make_app("train", run=folder.path)
    app.session.settings = load_settings()
    async with app.run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        facts = screen.query_one(FactLines).plain
        assert "9.0 Wh" in facts
        assert "cost 50.0" in facts
        assert facts.endswith("took 0:00:50")
        said = " ".join(text_of(screen.query_one("#lines", Gauges)))
        assert "58.9 GiB" in said


async def test_one_stalled_gpu_among_eight_is_seen(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    now = time.time()
    for second in range(60, 0, -10):
        devices = [gpu(number, utilization=3 if number == 5 else 97) for number in range(8)]
        folder.append_gpu({**gpu_record(*devices), "t": now - second})
    async with make_app("train", run=folder.path).run_test(size=(100, 40)) as pilot:
        screen = await read(pilot)
        rows = text_of(screen.query_one("#lines", Gauges))
        low = [number for number, row in enumerate(rows) if "▁▁" in row]
        assert low == [5]
        assert sum("██" in row.partition("%")[2] for row in rows) == 7


async def test_keys_of_the_comparison_are_those_that_work_then(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, phase="generating", stage=1)
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        assert "c checkpoint" not in keys(screen)
        await pilot.press("s")
        await pilot.pause()
        assert "Stop the comparison?" in state(screen)


async def test_the_first_look_says_that_the_worker_is_starting(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=0, state="starting", phase="", worker=None)
    folder.append_gpu({**gpu_record(), "worker": None})
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        said = " ".join(text_of(screen.query_one("#lines", Gauges)))
        assert "The worker is starting." in said


async def test_the_log_is_searched(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.log.write_text("".join(f"line {n} {'Warning: slow' if n in (40, 700) else ''}\n" for n in range(900)))
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("l", "slash", *"warning", "enter")
        await until(pilot, lambda: "2 matching lines" in state(screen))
        log = screen.query_one(LogView)
        assert any(row.startswith("│>line 700") for row in text_of(log))
        await pilot.press("N")
        assert any(row.startswith("│>line 40 ") for row in text_of(log))
        assert not log.following
        await pilot.press("N")
        assert any(row.startswith("│>line 700") for row in text_of(log)), "round the end"
        assert "warning 2 of 2" in text_of(log)[0]
        await pilot.press("n", "g", "j")
        assert any(row.startswith("│ line 1 ") for row in text_of(log)[1:2])
        await pilot.press("slash", "escape", "G")
        assert log.following
        await pilot.press("escape")
        await until(pilot, lambda: not log.display, "esc closes the log")


async def test_all_events_are_read_and_searched_in_the_place_of_the_log(make_app: MakeApp, tmp_path: Path) -> None:
    """At 80x24 one event was on the screen, the older ones could not be read, and a search of the log missed them."""
    folder = make_run(tmp_path)
    folder.log.write_text("line\n")
    for number in range(250):
        folder.append_event("checkpoint", f"Round {number} \x1b]52; saved.")
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("l", "slash", *"saved", "enter")
        await until(pilot, lambda: "No match in the log" in state(screen))
        await pilot.press("e")
        await until(pilot, lambda: bool(screen.query("#all-events")))
        reported = screen.query_one("#all-events", LogView)
        await until(pilot, lambda: reported.display and reported.has_focus)
        assert not screen.query_one("#log").display
        await pilot.press("slash", *"checkpoint 50 saved", "enter")
        await until(pilot, lambda: "1 matching line" in state(screen))
        assert any("Checkpoint 50 saved" in row for row in text_of(reported))
        assert "\x1b" not in "".join(reported.lines)
        folder.append_event("checkpoint", "The newest.")
        await until(pilot, lambda: reported.lines[-1].endswith("The newest."))
        await pilot.press("end")
        assert "following" in text_of(reported)[0]
        folder.write_status(state="stopped", ended=2.0)
        await until(pilot, lambda: "complete" in text_of(reported)[0])
        await pilot.press("l")
        await until(pilot, lambda: screen.query_one("#log").display and not reported.display)
        assert "complete" in text_of(screen.query_one("#log", LogView))[0]
        await pilot.press("e", "e")
        await until(pilot, lambda: not reported.display and not screen.query_one("#log").display)


async def test_the_end_of_a_long_line_of_the_log_can_be_read(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.log.write_text("short\n" + "RuntimeError: " + "x" * 100 + " the reason\n")
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("l")
        log = screen.query_one(LogView)
        rows = text_of(log)
        assert rows[2].endswith("x…│")
        assert not rows[1].rstrip("│").rstrip().endswith("…")
        await pilot.press(*["greater_than_sign"] * 9)
        rows = text_of(log)
        assert rows[2].rstrip("│ ").endswith("the reason")
        assert rows[2].startswith("│ ")
        assert "from column 77" in rows[0]
        await pilot.press(*["less_than_sign"] * 9)
        assert text_of(log)[1].startswith("│ short")


async def test_the_last_alert_stays_when_the_log_takes_the_place_of_the_events(
    make_app: MakeApp, tmp_path: Path
) -> None:
    folder = make_run(tmp_path)
    folder.append_event("alert", "3 samples hold no trained token.")
    folder.append_event("checkpoint", "Checkpoint 60 saved.")
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("l")
        events = screen.query_one("#events", TextLines)
        await until(pilot, lambda: len(events.plain) == 1)
        assert "no trained token" in events.plain[0]
        assert events.region.height == 1


async def test_a_watched_run_that_ends_rings_once(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path)
    app = make_app("train", run=folder.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot)
        rung: list[str] = []
        monkeypatch.setattr("tui.app.ring", lambda _, words: rung.append(words))
        folder.write_status(state="finished", ended=time.time())
        await until(pilot, lambda: bool(rung))
        looks: list[str] = []
        look = app.run_seen
        monkeypatch.setattr(app, "run_seen", lambda state, status: (looks.append(state), look(state, status)))
        screen = app.screen
        assert isinstance(screen, TrainScreen)
        for number in (1, 2):
            screen.look_now()
            await until(pilot, lambda number=number: len(looks) >= number, "another look")  # type: ignore[misc]
        assert set(looks) == {"finished"}
        assert len(rung) == 1
        assert rung[0].startswith("\x1b]9;tunedeck: support-tone finished")
        assert rung[0].endswith("\x07\x07")


def test_places_and_steps_are_each_others_inverse() -> None:
    from tui.charts.series import Series

    tokens = Series()
    tokens.extend([10, 20, 30], [100.0, 400.0, 500.0])
    along = Along(tokens)
    assert [along.place(step) for step in (0, 5, 10, 15, 30, 99)] == [0, 50, 100, 250, 500, 500]
    assert [along.step(place) for place in (0, 50, 250, 500, 501)] == [0, 5, 15, 30, float("inf")]
    assert tokens_unit(3e6).name == "M tokens"
    assert time_unit(7200).name == "min"


def test_the_chart_of_a_metric_with_an_evaluation_shows_both() -> None:
    from core.jobs.follow import Update
    from core.jobs.status import Status
    from tui.live.metrics import metrics_of
    from tui.live.run import LiveRun

    run = LiveRun()
    records = [{"step": 1, "loss": 1.0, "entropy": 2.0}, {"step": 1, "eval_loss": 1.0, "eval_entropy": 2.0}]
    run.add(Update(Status(state="running"), "running", "", metrics=records))
    assert metrics_of(run) == ["loss", "entropy"]


async def test_nothing_is_lost_when_the_screen_comes_and_goes(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=5)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        for step in range(6, 16):
            add_steps(folder, range(step, step + 1), 100)
            screen.look_now()
            await pilot.press("5", "3")
        await until(pilot, lambda: list(screen.run.live.main.x) == list(range(1, 16)))


async def test_text_typed_fast_behind_the_search_key_asks_nothing_of_the_run(make_app: MakeApp, tmp_path: Path) -> None:
    """The field that searched got the focus too late: of `/spy` the keys s, p and y went to the run."""
    folder = make_run(tmp_path)
    folder.log.write_text("a spy\n")
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("l")
        for key in ("slash", *"spy", "enter"):
            pilot.app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: "1 matching line" in state(screen))
        assert screen.requests.asking == ""
        assert not list(folder.requests.glob("*"))

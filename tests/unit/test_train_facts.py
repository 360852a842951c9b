"""The step line: energy from the power that was read, cost, and how sure the end is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.jobs.follow import Update
from core.jobs.status import Status
from tui.live.devices import LiveGpus
from tui.live.run import LiveRun
from tui.settings import load_settings
from tui.terminal.terminal_bell import bell_sequence
from tui.train.facts import facts, quiet_for, seconds_left, span_left, span_words


def record(moment: float, *power: float | None, busy: int | None = 90) -> dict[str, Any]:
    gpus = [{"index": number, "power": watts, "utilization": busy} for number, watts in enumerate(power)]
    return {"t": moment, "gpus": gpus, "devices": list(range(len(gpus))), "worker": None}


def test_energy_is_the_power_over_the_time_between_readings() -> None:
    gpus = LiveGpus()
    gpus.add([record(0, 100, 300), record(1, 100, 300), record(11, 200, 400)])
    assert gpus.watt_hours == pytest.approx((400 + 10 * 500) / 3600)


def test_time_in_which_nothing_was_read_counts_nothing() -> None:
    gpus = LiveGpus()
    gpus.add([record(0, 100), record(1000, 100), record(1001, None), record(1002, 100)])
    assert gpus.watt_hours == 0


def test_slices_of_a_gpu_have_their_own_past_and_its_power_once() -> None:
    slices = [{"index": 0, "uuid": f"MIG-{n}", "utilization": 40 * n, "power": 3600.0} for n in range(2)]
    gpus = LiveGpus()
    gpus.add({"t": float(second), "gpus": slices, "devices": [0, 1]} for second in range(10))
    assert gpus.history("MIG 0:0") == [0.0]
    assert gpus.history("MIG 0:1") == [40.0]
    assert gpus.watt_hours == pytest.approx(9.0)


def test_without_power_there_is_no_energy() -> None:
    gpus = LiveGpus()
    gpus.add([record(0, None), record(1, None), {"t": 2}])
    assert gpus.watt_hours is None


def test_the_history_of_a_gpu_is_bounded_and_holds_means() -> None:
    gpus = LiveGpus()
    gpus.add(record(second, 1.0, busy=second % 2 * 100) for second in range(1000))
    assert gpus.history("GPU 0") == [50.0] * 12
    assert gpus.history("GPU 7") == []


def running(paces: list[float], of: int, *, eta: float = 600.0, resumed_after: int = 0) -> LiveRun:
    run = LiveRun()
    moment, records, events = 0.0, [], []
    for step, pace in enumerate(paces, start=1):
        moment += pace
        records.append({"t": moment, "step": step, "loss": 1.0, "eta_seconds": eta})
        if step == resumed_after:
            events.append({"t": moment + 0.01, "kind": "resume", "message": "Going on."})
    status = Status(state="running", phase="training", step=len(paces), of=of, started=0.0)
    run.add(Update(status, "running", "", metrics=records, events=events))
    return run


def spread(run: LiveRun) -> str:
    found = span_left(run, run.series("_moment").last or 0.0)
    return span_words(*found) if found else ""


def test_an_even_pace_ends_when_it_is_said_and_an_uneven_one_within_a_span() -> None:
    assert spread(running([1.0] * 100, 1000)) == ""
    assert spread(running([1.0 if (step - 51) // 6 % 2 else 2.0 for step in range(100)], 1000)) == "15 min to 30 min"
    assert spread(running([1.0, 9.0] * 5, 1000)) == ""


@pytest.mark.parametrize("eta", [600.0, 1200.0, 4980.0])
def test_the_time_left_lies_within_its_own_span(eta: float) -> None:
    """A new user read: ends in 1 h 23 min (1.7 h to 2.6 h)."""
    run = running([1.0 if (step - 51) // 6 % 2 else 2.0 for step in range(100)], 1000, eta=eta)
    (fact,) = (fact for fact in facts(run, run.series("_moment").last or 0.0) if fact.key == "eta")
    assert (fact.value, fact.after) == (
        {600.0: "15 min", 1200.0: "20 min", 4980.0: "30 min"}[eta],
        "(15 min to 30 min)",
    )


def test_the_end_waits_while_nothing_is_logged_and_after_a_while_that_is_said() -> None:
    """A run that hung went on to promise its end, until it stood at 0 s for ever."""
    run = running([2.0] * 40, 1000, eta=600.0)
    assert seconds_left(run, 81.0) == 599.0
    assert seconds_left(run, 5_000.0) == 598.0
    reported = []
    for heartbeat in (100.0, 139.0, 141.0, 1_000.0):
        status = Status(state="running", phase="training", step=40, of=1000, started=0.0, heartbeat=heartbeat)
        run.add(Update(status, "running", ""))
        reported.append([f"{fact.before} {fact.value}" for fact in facts(run, heartbeat) if fact.key == "quiet"])
    assert reported == [[], [], ["nothing logged for 1 min"], ["nothing logged for 15 min"]]
    run.add(Update(status, "running", "", events=[{"t": 950.0, "kind": "request"}]))
    assert quiet_for(run) is None, "it went on after a pause"
    run.add(Update(Status(state="running", phase="saving", heartbeat=2_000.0), "running", ""))
    assert quiet_for(run) is None


def test_how_fast_it_was_before_it_went_on_says_nothing_about_the_end() -> None:
    before = [1.0 if step // 5 % 2 else 2.0 for step in range(60)]
    assert spread(running([*before, *[9.0] * 10], 1000, resumed_after=60)) == ""
    after = [9.0 if (step - 17) // 2 % 2 else 18.0 for step in range(33)]
    assert spread(running([*before, *after], 193, resumed_after=60)) == "15 min to 30 min"


@pytest.mark.parametrize(
    ("early", "late", "words"),
    [
        (4980, 9360, "1 h 20 min to 2 h 40 min"),
        (3000, 7300, "50 min to 2 h 05 min"),
        (41, 44, ""),
        (12, 47, "10 s to 50 s"),
        (80_000, 200_000, "22 h 00 min to 2 d 08 h"),
    ],
)
def test_a_span_is_written_in_one_manner(early: float, late: float, words: str) -> None:
    assert span_words(early, late) == words.replace(" 00 min", "")


def test_an_evaluation_of_the_base_alone_is_not_called_the_best() -> None:
    """A run showed a best eval loss of step 0 here, and none in the list of runs."""
    run = running([1.0] * 4, 40)
    reported = []
    for step, loss in ((0, 5.0), (4, 6.0), (8, 4.0)):
        run.series("eval_loss").append(step, loss)
        (fact,) = (fact for fact in facts(run, 6.0) if fact.key == "best")
        reported.append(f"{fact.before} {fact.value} {fact.after}")
    assert reported == ["eval 5.000 before training", "best eval 5.000 before training", "best eval 4.000 at step 8"]


def test_the_cost_is_the_users_price_for_the_time(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('price_per_hour = 2.5\ncurrency = "EUR"\n')
    found = {fact.key: fact for fact in facts(running([1.0] * 20, 40), 7200.0, load_settings(path))}
    assert (found["cost"].value, found["cost"].after) == ("5.00", "EUR")
    assert "cost" not in {fact.key for fact in facts(running([1.0] * 20, 40), 7200.0)}


@pytest.mark.parametrize("text", ["price_per_hour = 'dear'", "price_per_hour = -1", "price_per_hour = true", "= 3"])
def test_settings_that_are_wrong_are_said_and_left_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    found = load_settings(path)
    assert found.price_per_hour is None
    assert "settings.toml" in found.fault


def test_the_name_of_a_run_cannot_end_the_notification_early() -> None:
    words = bell_sequence("a\x07\x1b]52;c;eA==\x07b", "finished")
    assert words.count("\x07") == 2
    assert words.count("\x1b") == 1


def test_tmux_gets_the_notification_as_a_passthrough_and_the_bell_beside_it() -> None:
    words = bell_sequence("support-tone", "finished", tmux=True)
    assert words == "\x1bPtmux;\x1b\x1b]9;tunedeck: support-tone finished\x07\x1b\\\x07"

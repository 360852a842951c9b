"""Which events the live screen shows in few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.jobs.follow import Follower, Update
from core.jobs.status import Status
from tests.kit.run_folders import GIB, gpu, gpu_record, make_run
from tui.live.run import LiveRun
from tui.run_words import run_outlives, run_words
from tui.train.words import chart_words, devices, event_lines, peak_words, question, state_lines


def test_an_alert_stays_when_later_events_would_push_it_out(tmp_path: Path) -> None:
    """That samples were left out scrolled off the screen before anybody could read it."""
    folder = make_run(tmp_path)
    folder.append_event("alert", "1 sample left out.")
    for number in range(6):
        folder.append_event("checkpoint", f"Checkpoint {number} saved.")
    run = LiveRun()
    run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
    texts = [line[1][0] for line in event_lines(run, 4)]
    assert texts == ["1 sample left out.", "Checkpoint 3 saved.", "Checkpoint 4 saved.", "Checkpoint 5 saved."]
    assert [line[1][0] for line in event_lines(run, 1)] == ["Checkpoint 5 saved."]
    assert event_lines(run, 0) == []


def test_the_ranks_that_run_stand_in_the_state(tmp_path: Path) -> None:
    folder = make_run(tmp_path, world_size=2, distributed_type="MULTI_GPU")
    run = LiveRun()
    run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
    (line,) = state_lines(run, folder.path, tmp_path)
    assert "2 ranks, DDP" in "".join(text for text, _ in line)


def test_peak_memory_is_the_gpus_where_there_was_one_and_ram_where_there_was_none(tmp_path: Path) -> None:
    """The process's own peak on a CPU was once called PyTorch's."""
    said = []
    for readings in ([gpu(0)], []):
        folder = make_run(tmp_path, state="finished", ended=1.0)
        folder.append_gpu(gpu_record(*readings))
        folder.append_event("summary", "Trained.", peak_memory=3 * GIB)
        run = LiveRun()
        run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
        said.append(peak_words(run))
    assert said == [
        "Peak memory: GPU 0 58.9 GiB, PyTorch reserved 3.00 GiB, worker RAM 1.20 GiB",
        "Peak memory: worker RAM 3.00 GiB",
    ]


def run_at(state: str, detail: str = "", **status: Any) -> LiveRun:
    run = LiveRun()
    run.add(Update(Status(state=state, **status), state, detail))
    return run


def test_a_long_warning_wraps_down_to_its_advice(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.append_event("alert", f"1,204 samples {'were cut off ' * 9}; raise data.max_length to keep them.")
    folder.append_event("checkpoint", "Checkpoint 60 saved.")
    run = LiveRun()
    run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
    for width in (58, 78, 118):
        rows = ["".join(text for text, _ in row) for row in event_lines(run, 2, width)]
        assert max(map(len, rows)) <= width
        assert len(rows) <= (4 if width >= 70 else 5)
        assert rows[-1].endswith("Checkpoint 60 saved.")
        assert rows[-2].endswith("data.max_length to keep them.")


def test_loading_and_tokenizing_say_how_far_they_are() -> None:
    loading = run_at("running", "Loading the model: 148 of 291 weights, 51%.", phase="loading")
    assert chart_words(loading) == "Loading the model: 148 of 291 weights, 51%."
    counted = run_at("running", phase="generating", stage=1, stages=2, step=2, of=4)
    assert "2 of 4, 50%" in chart_words(counted)
    assert "3 of 100" in chart_words(run_at("running", phase="training", step=3, of=100))
    assert "Queued" in chart_words(run_at("queued", "Waiting for night."))
    assert "Waiting for night." in chart_words(run_at("queued", "Waiting for night."))


def test_a_run_that_failed_before_its_first_step_says_so_with_error_time_and_key() -> None:
    run = run_at("failed", "OSError: no space left.", phase="loading", started=1_000.0, ended=1_012.0)
    words = chart_words(run)
    assert words.startswith("Failed before the first logged step")
    assert "0:00:12" in words
    assert "OSError: no space left." in words
    assert "Press l" in words
    said = "".join(text for line in state_lines(run, Path("x"), Path(), brief=True) for text, _ in line)
    assert "OSError" not in said


def test_a_machine_without_a_gpu_says_so_in_one_line(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.append_gpu(gpu_record(problem="No NVIDIA driver (libnvidia-ml.so.1 not found)."))
    run = LiveRun()
    run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
    for width in (78, 118):
        found, line = devices(run, width)
        assert found == []
        assert len(line) <= width
        assert line.startswith("No ")
        assert "CPU  99%  RAM 1.20 GiB" in line


def test_the_stop_question_offers_save_now_and_cancel() -> None:
    text = "".join(words for words, _ in question("stop")[0])
    keys = [words for words, style in question("stop")[0] if style == "key"]
    assert keys == ["y", "x", "n"]
    assert len(text) <= 78
    assert "stop and save" in text
    assert "cancel" in text
    assert "without saving" in question("now")[0][0][0]
    queued = "".join(words for words, _ in question("stop", queued=True)[0])
    assert "queue" in queued
    assert "save" not in queued


def test_while_sample_outputs_are_made_the_state_says_only_that(tmp_path: Path) -> None:
    folder = make_run(tmp_path, phase="evaluating", message="Generating sample outputs: 3 of 8.")
    run = LiveRun()
    run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
    (line,) = state_lines(run, folder.path, tmp_path)
    words = "".join(text for text, _ in line)
    assert "sampling" in words
    assert "evaluating" not in words


def test_a_comparison_of_base_and_tuned_is_said_as_such_in_the_header() -> None:
    status = Status("running", phase="evaluating", stage=1, stages=2, step=68, of=70)
    assert "comparing 68 of 70" in run_words("running", status)
    assert "running 68 of 70" in run_words("running", Status("running", phase="training", step=68, of=70))
    assert run_outlives("paused") == "stays paused"

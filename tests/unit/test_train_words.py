"""Which events the live screen shows in few lines."""

from __future__ import annotations

from pathlib import Path

from core.jobs.follow import Follower
from tests.kit.run_folders import GIB, gpu, gpu_record, make_run
from tui.live.run import LiveRun
from tui.train.words import event_lines, peak_words, state_lines


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
    for devices in ([gpu(0)], []):
        folder = make_run(tmp_path, state="finished", ended=1.0)
        folder.append_gpu(gpu_record(*devices))
        folder.append_event("summary", "Trained.", peak_memory=3 * GIB)
        run = LiveRun()
        run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
        said.append(peak_words(run))
    assert said == [
        "Peak memory: GPU 0 58.9 GiB, PyTorch reserved 3.00 GiB, worker RAM 1.20 GiB",
        "Peak memory: worker RAM 3.00 GiB",
    ]

"""Who may start, and what the others wait for."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from core.errors import BadInput
from core.gpu.readings import GpuSample
from core.jobs.queue import QueuedRun
from core.jobs.queue_rules import Turn, decide, device_set, device_words
from core.recipe.recipe import Recipe, put
from core.runs.queueing import device_set_of, parse_time

GIB = 2**30
NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))


def gpu(index: int, free: int = 80) -> GpuSample:
    return GpuSample(index, uuid=f"GPU-{index}", memory_total=80 * GIB, memory_used=(80 - free) * GIB)


def entry(name: str, *devices: str, free: float = 0, at: float = 0) -> QueuedRun:
    return QueuedRun(name, 0.0, devices, int(free * GIB), at)


def turns(*waiting: QueuedRun, busy: dict[str, str] | None = None, gpus: int | list[GpuSample] = 2) -> list[Turn]:
    cards = [gpu(n) for n in range(gpus)] if isinstance(gpus, int) else gpus
    return decide(waiting, busy or {}, cards, now=NOON)


def test_one_run_a_device_set_and_another_set_starts_beside_it() -> None:
    found = turns(entry("a", "0"), entry("b", "0"), entry("c", "1"))
    assert [turn.devices for turn in found] == [("0",), None, ("1",)]
    assert found[1].waits == "waiting for GPU 0 (in use by a)"


def test_sets_that_overlap_keep_their_order() -> None:
    found = turns(entry("both", "0", "1"), entry("one", "1"), busy={"0": "earlier"})
    assert [turn.devices for turn in found] == [None, None]
    assert "in use by earlier" in found[0].waits
    assert "in use by both" in found[1].waits


def test_a_run_that_names_no_device_takes_a_gpu_that_is_free_and_without_any_the_cpu() -> None:
    assert [turn.devices for turn in turns(entry("a"), entry("b"), entry("c"))] == [("0",), ("1",), None]
    assert [turn.devices for turn in turns(entry("a"), entry("b", "cpu"), gpus=0)] == [("cpu",), None]


def test_of_several_gpus_the_emptiest_is_taken_and_a_lost_one_last() -> None:
    cards = [gpu(0, free=2), GpuSample(1, problem="lost"), gpu(2, free=79), gpu(3, free=80)]
    found = turns(*(entry(name) for name in "abcde"), busy={"3": "earlier"}, gpus=cards)
    assert [turn.devices for turn in found] == [("2",), ("0",), ("1",), None, None]
    assert turns(entry("a"), gpus=[gpu(0), gpu(1)])[0].devices == ("0",)


def test_waiting_for_memory_looks_at_each_gpu_of_the_set_and_nobody_overtakes() -> None:
    cards = [gpu(0, free=10), gpu(1, free=40)]
    assert turns(entry("a", free=20), gpus=cards)[0].devices == ("1",)
    found = turns(entry("a", "0", "1", free=20), entry("b", "1"), gpus=cards)
    assert [turn.devices for turn in found] == [None, None]
    assert found[0].waits == "waiting for 20.0 GiB of free memory on GPUs 0 and 1 (40.0 GiB free now)"


def test_memory_that_nobody_can_read_is_waited_for_with_the_reason() -> None:
    blind = [GpuSample(0, problem="lost")]
    assert "unknown" in turns(entry("a", free=20), gpus=blind)[0].waits


def test_a_run_whose_time_has_not_come_holds_nobody_up() -> None:
    found = turns(entry("late", "0", at=NOON + 3600), entry("now", "0"))
    assert [turn.devices for turn in found] == [None, ("0",)]
    assert found[0].waits == "waiting until 13:00"
    assert turns(entry("due", "0", at=NOON - 1))[0].devices == ("0",)


def test_nothing_starts_while_the_queue_is_paused() -> None:
    found = decide([entry("a")], {}, [gpu(0)], now=NOON, paused=True)
    assert found[0].waits == "the queue is paused"


@pytest.mark.parametrize(
    ("visible", "expected"), [(None, ("0",)), ("", ("cpu",)), ("1, 0", ("1", "0")), ("GPU-1", ("1",)), ("1,3", ("1",))]
)
def test_devices_of_a_run_that_goes_on(visible: str | None, expected: tuple[str, ...]) -> None:
    assert device_set(visible, [gpu(0), gpu(1)]) == expected
    assert device_words(("0", "1", "2")) == "GPUs 0, 1 and 2"


def test_devices_of_a_recipe() -> None:
    for written, expected in (("", ()), ("cpu", ("cpu",)), ("0, 1", ("0", "1"))):
        assert device_set_of(put(Recipe(), "training.devices", written)) == expected


def test_times_are_the_next_of_that_clock_or_a_date() -> None:
    assert parse_time("13:30", NOON) == NOON + 5400
    assert time.localtime(parse_time("11:00", NOON))[:5] == (2026, 11, 23, 11, 0)
    assert time.localtime(parse_time("2026-12-01 07:05", NOON))[:5] == (2026, 12, 1, 7, 5)
    for wrong in ("25:00", "soon", "2026-11-21 10:00", "12:61"):
        with pytest.raises(BadInput):
            parse_time(wrong, NOON)


def test_a_run_of_a_pipeline_waits_for_the_one_before_it_and_is_held_where_that_did_not_finish() -> None:
    def found(before: dict[str, str]) -> list[Turn]:
        waiting = [replace(entry("dpo", "0"), after="sft"), entry("other", "0")]
        return decide(waiting, {}, [gpu(0)], now=NOON, before=before)

    for state in ("queued", "starting", "running", "paused", "stopping", "unknown"):
        assert found({"sft": state})[0].waits == "waiting for sft to finish"
    for state, word in (("failed", "failed"), ("lost", "lost"), ("stopped", "stopped")):
        assert all(each in found({"sft": state})[0].waits for each in ("held after sft", word, "resume", "release"))
    assert "deleted" in found({})[0].waits
    assert [turn.devices for turn in found({"sft": "failed"})] == [None, ("0",)], "it reserves no device"
    assert [turn.devices for turn in found({"sft": "finished"})] == [("0",), None]

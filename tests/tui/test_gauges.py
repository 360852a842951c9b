"""Gauges: values that cannot be had, throttling in words, and only the changed cells sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tui.one_widget import OneWidget, Sent, text_of
from tui.widgets.gauge import Device, Gauges

GIB = 2**30

FULL = Device(
    "GPU 0",
    "H100 80GB",
    memory_run=int(58.9 * GIB),
    memory_used=int(61.2 * GIB),
    memory_total=80 * GIB,
    utilization=94,
    power=412.4,
    power_limit=700.0,
    temperature=67,
)


@pytest.mark.parametrize("width", [60, 80, 160])
async def test_a_line_says_memory_use_power_and_temperature(width: int) -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(width, 10)) as pilot:
        gauges.show([FULL])
        await pilot.pause()
        line = text_of(gauges)[0]
        assert all(part in line for part in ("GPU 0", "61.2/80.0 GiB", "94 %", "412/700 W", "67 °C"))


async def test_a_panel_says_what_is_the_runs_and_what_is_others() -> None:
    gauges = Gauges(panel=True)
    async with OneWidget(gauges).run_test(size=(42, 12)) as pilot:
        gauges.show([FULL])
        await pilot.pause()
        text = "\n".join(text_of(gauges))
        assert "GPU 0  H100 80GB" in text
        assert "run 58.9 others 2.3 free 18.8" in text
        assert "no throttling" in text
        assert "█" in text
        assert "░" in text


@pytest.mark.parametrize("panel", [False, True])
async def test_values_that_cannot_be_had_are_na(panel: bool) -> None:
    gauges = Gauges(panel=panel)
    async with OneWidget(gauges).run_test(size=(80, 12)) as pilot:
        gauges.show([Device("GPU 3")])
        await pilot.pause()
        text = "\n".join(text_of(gauges))
        assert "n/a/n/a GiB" in text
        assert "n/a %" in text
        assert "n/a °C" in text


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (("heat",), "throttled: heat"),
        (("power limit",), "at its power limit"),
        (("power limit", "heat", "power supply brake"), "throttled: heat, power supply brake"),
    ],
)
async def test_throttling_is_said_in_words(reasons: tuple[str, ...], words: str) -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(110, 4)) as pilot:
        gauges.show([Device("GPU 0", throttle=reasons)])
        await pilot.pause()
        assert words in text_of(gauges)[0]


async def test_a_device_that_fell_off_the_bus_is_named_beside_those_that_work() -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(80, 4)) as pilot:
        gauges.show([FULL, Device("GPU 1", problem="It has fallen off the bus.")])
        await pilot.pause()
        lines = text_of(gauges)
        assert "94 %" in lines[0]
        assert "GPU 1 It has fallen off the bus." in lines[1]


async def test_without_devices_the_words_are_wrapped_whole() -> None:
    gauges = Gauges()
    words = (
        "No NVIDIA driver is installed on this machine (libnvidia-ml.so.1 was not found), so there are no GPU readings."
    )
    async with OneWidget(gauges).run_test(size=(60, 8)) as pilot:
        gauges.show([], [words, "Worker: CPU 98 %"])
        await pilot.pause()
        shown = "".join(text_of(gauges)).replace(" ", "")
        assert words.replace(" ", "") in shown
        assert "CPU98%" in shown


async def test_many_devices_in_a_small_panel_become_lines() -> None:
    gauges = Gauges(panel=True)
    async with OneWidget(gauges).run_test(size=(60, 12)) as pilot:
        gauges.styles.height = 10
        gauges.show([Device(f"GPU {n}", utilization=n) for n in range(8)])
        await pilot.pause()
        text = text_of(gauges)
        assert sum("GPU " in line and "%" in line for line in text) == 8


async def test_only_changed_cells_are_sent() -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(80, 4)) as pilot:
        gauges.show([FULL])
        await pilot.pause()
        sent = Sent(gauges)
        gauges.show([replace(FULL, utilization=97)])
        assert sent.text == "7"
        gauges.show([replace(FULL, utilization=97)])
        assert sent.cells == 1

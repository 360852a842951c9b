"""Gauges: values that cannot be had, throttling in words, and only the changed cells sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kit.one_widget import OneWidget, Sent, text_of
from tui.widgets.device import DeviceReading
from tui.widgets.gauge import Gauges

GIB = 2**30

FULL = DeviceReading(
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
        assert all(part in line for part in ("GPU 0", "61.2/80.0 GiB", "94%", "412/700 W", "67 °C"))


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
        gauges.show([DeviceReading("GPU 3")])
        await pilot.pause()
        text = "\n".join(text_of(gauges))
        assert "n/a/n/a GiB" in text
        assert "n/a%" in text
        assert "n/a °C" in text


@pytest.mark.parametrize(
    ("reasons", "row", "words"),
    [
        (("heat",), 1, "throttled: heat"),
        (("power limit",), 0, "412/700 W limit"),
        (("power limit", "heat", "power supply brake"), 1, "throttled: heat, power supply brake"),
    ],
)
@pytest.mark.parametrize("width", [80, 100])
async def test_throttling_is_said_in_words(reasons: tuple[str, ...], row: int, words: str, width: int) -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(width, 4)) as pilot:
        gauges.show([replace(FULL, throttle=reasons)])
        await pilot.pause()
        assert words in text_of(gauges)[row].replace("; ", ", ")


async def test_what_is_below_stays_where_it_is_once_throttling_was_said() -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(80, 9)) as pilot:
        heights = []
        for throttle in ((), ("heat",), (), ("heat",)):
            gauges.show([replace(FULL, throttle=throttle)])
            await pilot.pause()
            heights.append(gauges.size.height)
        gauges.show([replace(FULL)])
        assert heights == [1, 2, 2, 2]
        assert text_of(gauges)[1].strip() == "no throttling now"


@pytest.mark.parametrize("panel", [False, True])
async def test_a_busy_gpu_at_its_power_limit_is_no_warning(panel: bool) -> None:
    gauges = Gauges(panel=panel)
    async with OneWidget(gauges).run_test(size=(80, 12)) as pilot:
        gauges.show([replace(FULL, utilization=100, busy=(100.0,) * 12, throttle=("power limit",))])
        await pilot.pause()
        styles = {style for row in gauges._draw(gauges.size).styles for style in row}
        assert "busy" in styles
        assert "warning" not in styles


async def test_a_device_that_fell_off_the_bus_is_named_beside_those_that_work() -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(80, 4)) as pilot:
        gauges.show([FULL, DeviceReading("GPU 1", problem="GPU 1 has fallen off the bus; restart the machine.")])
        await pilot.pause()
        lines = text_of(gauges)
        assert "94%" in lines[0]
        assert lines[1].split() == ["GPU", "1", "has", "fallen", "off", "the", "bus;", "restart", "the", "machine."]


def node(count: int) -> list[DeviceReading]:
    """GPUs at work, the sixth of them stalled."""
    busy = [(2.0,) * 12 if number == 5 else (98.0,) * 12 for number in range(count)]
    return [
        replace(FULL, label=f"GPU {number}", utilization=round(past[-1]), busy=past) for number, past in enumerate(busy)
    ]


@pytest.mark.parametrize("count", [8, 16])
@pytest.mark.parametrize("width", [60, 80])
async def test_each_of_many_gpus_has_its_memory_use_and_past_in_a_narrow_terminal(count: int, width: int) -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(width, 20)) as pilot:
        gauges.show(node(count))
        await pilot.pause()
        rows = text_of(gauges)
        assert len(rows) == count // 2
        half = [(row[: width // 2], row[width // 2 :]) for row in rows]
        places = [part for column in zip(*half, strict=True) for part in column]
        for number, place in enumerate(places):
            assert place.split()[:3] == ["GPU", str(number), "61.2/80.0"]
            assert ("2%" if number == 5 else "98%") in place
            assert ("▁▁▁▁▁" if number == 5 else "█████") in place


async def test_more_gpus_than_rows_are_told_together_the_stalled_one_by_name() -> None:
    gauges = Gauges()
    gauges.rows_alone, gauges.most_rows = 3, 4
    async with OneWidget(gauges).run_test(size=(60, 20)) as pilot:
        gauges.show([*node(15), DeviceReading("GPU 15", problem="GPU 15 has fallen off the bus; restart the machine.")])
        await pilot.pause()
        rows = [row.strip() for row in text_of(gauges)]
        assert rows[0] == "16 GPUs  █████▁█████████·  2% (GPU 5) to 98%"
        assert rows[1] == "most memory 61.2/80.0 GiB (GPU 0), run 58.9  67 °C"
        assert rows[2] == "GPU 15 has fallen off the bus; restart the machine."


async def test_fewer_rows_are_taken_where_there_are_fewer() -> None:
    gauges = Gauges()
    async with OneWidget(gauges).run_test(size=(80, 20)) as pilot:
        gauges.show(node(16))
        await pilot.pause()
        assert gauges.size.height == 8
        gauges.rows_alone, gauges.most_rows = 3, 4
        gauges.show(node(16))
        await pilot.pause()
        assert gauges.size.height == 2


@pytest.mark.parametrize("panel", [False, True])
async def test_the_same_devices_ask_for_no_new_layout(panel: bool) -> None:
    gauges = Gauges(panel=panel)
    gauges.styles.height = "100%" if panel else "auto"
    async with OneWidget(gauges).run_test(size=(80, 20)) as pilot:
        gauges.show(node(4))
        await pilot.pause()
        sent = Sent(gauges)
        gauges.show(node(4))
        assert sent.regions == []


@pytest.mark.parametrize(("count", "height"), [(4, 27), (8, 27), (8, 18)])
async def test_each_of_several_gpus_has_all_its_values_in_a_panel(count: int, height: int) -> None:
    gauges = Gauges(panel=True)
    gauges.styles.height = height
    async with OneWidget(gauges).run_test(size=(42, 40)) as pilot:
        devices = node(count)
        gauges.show([*devices[:-2], replace(devices[-2], throttle=("heat",)), replace(devices[-1], throttle=("heat",))])
        await pilot.pause()
        text = "\n".join(text_of(gauges))
        for device in devices:
            assert device.label in text
        for part in ("run 58.9", "61.2/80.0 GiB", "412/700 W", "67 °C"):
            assert text.count(part) == count
        assert text.count("others 2.3 free 18.8") == (count if height > 20 else 0)
        if height > 20:
            who = " (GPU 6, GPU 7)" if count == 8 else ""
            assert f"throttled: heat{who}" in text


async def test_a_panel_with_sixteen_gpus_has_a_line_each_and_says_below_what_is_wrong() -> None:
    gauges = Gauges(panel=True)
    gauges.styles.height = 27
    async with OneWidget(gauges).run_test(size=(64, 40)) as pilot:
        lost = DeviceReading("GPU 9", problem="GPU 9 has fallen off the bus; restart the machine.")
        devices = node(16)
        devices[9], devices[3] = lost, replace(devices[3], throttle=("power limit", "heat"))
        gauges.show(devices)
        await pilot.pause()
        rows = [row.strip("│ ") for row in text_of(gauges)]
        for number, row in enumerate(rows[1:17]):
            if number == 9:
                assert row == "GPU 9 cannot be read"
            else:
                assert row.startswith(f"GPU {number} ")
                assert all(part in row for part in ("61.2/80.0 GiB", "run 58.9", "412/700 W", "67 °C"))
        assert rows[17:19] == [lost.problem, "throttled: heat (GPU 3)"]


async def test_without_devices_the_words_are_wrapped_whole() -> None:
    gauges = Gauges()
    words = (
        "No NVIDIA driver is installed on this machine (libnvidia-ml.so.1 was not found), so there are no GPU readings."
    )
    async with OneWidget(gauges).run_test(size=(60, 8)) as pilot:
        gauges.show([], [words, "Worker: CPU 98%"])
        await pilot.pause()
        shown = "".join(text_of(gauges)).replace(" ", "")
        assert words.replace(" ", "") in shown
        assert "CPU98%" in shown


async def test_many_devices_in_a_small_panel_become_lines() -> None:
    gauges = Gauges(panel=True)
    async with OneWidget(gauges).run_test(size=(60, 12)) as pilot:
        gauges.styles.height = 10
        gauges.show([DeviceReading(f"GPU {n}", utilization=n) for n in range(8)])
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

"""What a recipe's devices mean: GPUs by number, the CPU, or whatever there is; and how many processes that makes."""

from __future__ import annotations

import pytest

from core.errors import BadInput
from core.recipe.devices import Devices, is_sharded, parse_devices, ranks_of
from core.recipe.recipe import Recipe, put


@pytest.mark.parametrize(
    ("written", "expected", "visible"),
    [
        ("", Devices(False, (), 1), None),
        ("0", Devices(False, ("0",), 1), "0"),
        ("0, 1", Devices(False, ("0", "1"), 2), "0,1"),
        ("3,1", Devices(False, ("3", "1"), 2), "3,1"),
        ("007", Devices(False, ("7",), 1), "7"),
        ("cpu", Devices(True, (), 1), ""),
        ("cpu x2", Devices(True, (), 2), ""),
    ],
)
def test_what_is_written_says_what_is_visible_and_how_many_processes(
    written: str, expected: Devices, visible: str | None
) -> None:
    found = parse_devices(written)
    assert found == expected
    assert found.visible == visible
    assert ranks_of(put(Recipe(), "training.devices", written)) == expected.ranks


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("gpu0", "not a list of devices"),
        ("0,,1", "not a list of devices"),
        ("-1", "not a list of devices"),
        ("cpux0", "not a list of devices"),
        ("cpu,0", "not a list of devices"),
        ("1, 01", "same GPU twice"),
    ],
)
def test_what_names_no_devices_is_refused_and_counts_as_one_process(written: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse_devices(written)
    assert ranks_of(put(Recipe(), "training.devices", written)) == 1


def test_a_model_is_sharded_only_among_several() -> None:
    for devices, parallel, expected in (("0,1", "fsdp", True), ("0,1", "ddp", False), ("0", "fsdp", False)):
        recipe = put(put(Recipe(), "training.devices", devices), "training.parallel", parallel)
        assert is_sharded(recipe) is expected

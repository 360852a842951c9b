"""Hostile rows in the widgets themselves, at 80x24: no screen fails, holds up the keys, or relies on the last wall."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from core.clean import is_hostile
from core.recipe.recipe import Recipe, put
from tests.kit.app_waiting import until
from tests.kit.attacks import ATTACKS
from tests.kit.data_screen import MakeApp, dataset, sample_text, scanned, text_of
from tests.kit.training_runs import recipe
from tests.tui.test_duplicates_screen import found_in, members, open_duplicates, search
from tests.tui.test_overview_screen import shown
from tui.app import TunedeckApp
from tui.data.edit_field import EditField
from tui.data.mapping import MappingScreen
from tui.data.screen import DataScreen
from tui.overview.screen import OverviewScreen
from tui.widgets.text_view import TextView

FEW = ("controls", "calls and tools", "combining marks")
"""Those that broke something once, or could most easily; the others take a minute more."""

WAITS = re.compile("in the background|Tokenizing")

QUIET = b'{"prompt": "a quiet question", "completion": "a quiet answer"}'


class Probe(LineFilter):
    """Stands before the wall against control characters and notes what only the wall has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[str] = []

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        self.passed += [text for text, _, control in segments if not control and (is_hostile(text) or "\n" in text)]
        return segments


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def watched(make_app: MakeApp, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    """Makes apps whose lines go through the probe, and that edit in their own field."""
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)

    def make(*args: object, **fields: object) -> TunedeckApp:
        app = make_app(*args, **fields)
        app._wall.insert(0, probe)
        return app

    return make


async def timed(name: str, step: Callable[[], Awaitable[object]]) -> None:
    """A step that takes the program less than a second."""
    began = time.thread_time()
    await step()
    assert time.thread_time() - began < 1, name


def attack_file(folder: Path, names: Iterable[str], copies: Sequence[bytes] = (b"",)) -> Path:
    """Each attack as a line; further copies with an ending."""
    path = folder / "attacks.jsonl"
    lines = [QUIET, *(ATTACKS[name].replace(b"\n", b" ") for name in names)]
    path.write_bytes(b"\n".join(line + copy for line in lines for copy in copies) + b"\n")
    return path


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("names", [FEW, pytest.param(tuple(ATTACKS), marks=pytest.mark.slow)])
async def test_attacks_are_read_as_chat_template_and_json_and_edited(
    watched: MakeApp, probe: Probe, tmp_path: Path, names: Sequence[str]
) -> None:
    app = watched(data=(attack_file(tmp_path, names),), recipe=recipe())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        answered = refused = edited = 0
        for number, name in enumerate(["quiet", *names]):
            assert dataset(app).rows_pane.entry == number
            await timed(name, lambda: pilot.press("v"))
            await until(pilot, lambda: not WAITS.search(sample_text(app)), f"the template of {name}")
            answered += "template: " in sample_text(app)
            refused += "template: " not in sample_text(app)
            for key in ("v", "v"):
                await timed(f"{name}, {key}", lambda key=key: pilot.press(key))  # type: ignore[misc]
            await timed(name, lambda: pilot.press("e"))
            if isinstance(app.screen, EditField):
                edited += 1
                await timed(name, lambda: pilot.press("down", "x"))
                await timed(name, lambda: pilot.press("escape", "escape"))
                await until(pilot, lambda: not isinstance(app.screen, EditField), "the field gone")
            await timed(name, lambda: pilot.press("down"))
        assert answered > len(names) // 3
        assert edited > len(names) // 3
        assert answered + refused == len(names) + 1
    assert probe.passed == []


@pytest.mark.parametrize("names", [FEW, pytest.param(tuple(ATTACKS), marks=pytest.mark.slow)])
async def test_attacks_that_repeat_are_compared_mapped_and_looked_at_as_a_whole(
    watched: MakeApp, probe: Probe, tmp_path: Path, names: Sequence[str]
) -> None:
    path = attack_file(tmp_path, names, (b"", b" "))
    app = watched(data=(path,), recipe=put(Recipe(), "data.train", (str(path),)))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        assert members(app)
        groups = found_in(app).groups
        for number in range(len(groups.listed)):
            for key in ("v", "right"):
                await timed(f"cluster {number}", lambda key=key: pilot.press(key))  # type: ignore[misc]
        await pilot.press("escape")
        await timed("the mapping", lambda: pilot.press("M"))
        await until(pilot, lambda: isinstance(app.screen, MappingScreen), "the mapping")
        for key in ("down", "down", "escape"):
            await timed("the mapping", lambda key=key: pilot.press(key))  # type: ignore[misc]
        while not isinstance(app.screen, DataScreen):
            await pilot.press("escape")
        await pilot.press("O")
        await until(pilot, lambda: isinstance(app.screen, OverviewScreen), "the overview")
        await until(pilot, lambda: "kinds of input" in shown(app), "the facts")
        assert not is_hostile(shown(app))
        for _ in range(2):
            await timed("the overview", lambda: pilot.press("pagedown"))
        assert text_of(app.screen.query_one(TextView))
    assert probe.passed == []

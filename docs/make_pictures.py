"""Draws the program's screens as SVG, from real runs on the sample data.

`make pictures` draws those of `docs/pictures`: every screen at each size in the dark theme. Others are drawn by:

    python -m docs.make_pictures --all /tmp/pictures
    python -m docs.make_pictures --all /tmp/pictures --size 80x24 --theme light --only data recipe --png

The GPU readings are those of a stand-in for NVIDIA's driver, and the pictures say so: see `tests/kit/nvml`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

from textual.pilot import Pilot

from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.paths import ROOT, SAMPLE_DATA
from core.recipe.recipe import Recipe
from core.recipe.yamlfile import load
from core.runs.start import start_run
from tests.kit import nvml
from tui.app import TunedeckApp
from tui.session import Session

PICTURES = ROOT / "docs" / "pictures"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "160x45": (160, 45)}
THEMES = ("dark", "light", "terminal", "no-color")
COMMITTED = ("dark",)
"""Themes of the pictures that `docs/pictures` holds."""

BEFORE, LIVE, ENDED = "before any run", "while a run trains", "after it"
QUIET, LONGEST = 0.7, 12.0
"""Seconds in which nothing changes, after which a screen is taken to be done; and after which it is drawn anyway."""

GIB = 2**30
STAND_IN = "GPU readings from a stand-in driver"
Draw = Callable[[Pilot[int]], Awaitable[None]]


def shown(pilot: Pilot[int]) -> str:
    """The text on the screen."""
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips())


async def rest(pilot: Pilot[int], quiet: float = QUIET) -> None:
    """Wait until the screen has not changed for a while, clocks aside."""
    ends = time.monotonic() + LONGEST
    since, before = time.monotonic(), ""
    while time.monotonic() < min(since + quiet, ends):
        await pilot.pause(0.05)
        now = "".join(char for char in shown(pilot) if not char.isdigit())
        if now != before:
            since, before = time.monotonic(), now


def keys(*presses: str) -> Draw:
    """Press keys one after the other, each on a screen that is done with the one before."""

    async def press(pilot: Pilot[int]) -> None:
        for key in presses:
            await pilot.press(key)
            await rest(pilot)

    return press


NOTHING = keys()


async def overview(pilot: Pilot[int]) -> None:
    """Open the overview, and wait for its figures."""
    await pilot.press("O")
    await until(lambda: len(shown(pilot).split()) > 100 and "being counted" not in shown(pilot))
    await rest(pilot)


async def duplicates(pilot: Pilot[int]) -> None:
    """Open the duplicates, search if nobody has yet, and go to a cluster of rows that are not the same."""
    from tui.duplicates.screen import DuplicatesScreen

    await pilot.press("r")
    await rest(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, DuplicatesScreen)
    if screen.found is None:
        screen.search.action_search()
        await until(lambda: screen.found is not None)
    await pilot.press("right", "right")
    await rest(pilot)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a screen.

    Attributes:
        name: of its file.
        when: the stage of the walk at which it is drawn.
        step: the screen that the app starts on.
        draw: what is done there first.
        gpu: whether it shows GPU readings.
    """

    name: str
    when: str
    step: str
    draw: Draw = NOTHING
    gpu: bool = False


SCREENS = (
    Picture("data", BEFORE, "data"),
    Picture("sample", BEFORE, "data", keys("enter")),
    Picture("audit", BEFORE, "data", keys("A", "enter")),
    Picture("mapping", BEFORE, "data", keys("M")),
    Picture("overview", BEFORE, "data", overview),
    Picture("duplicates", BEFORE, "data", duplicates),
    Picture("menu", BEFORE, "data", keys("F")),
    Picture("help", BEFORE, "data", keys("question_mark")),
    Picture("palette", BEFORE, "data", keys("ctrl+p")),
    Picture("recipe", BEFORE, "recipe"),
    Picture("recipe-yaml", BEFORE, "recipe", keys("ctrl+y")),
    Picture("train-gpus", LIVE, "train", gpu=True),
    Picture("stop", LIVE, "train", keys("s"), gpu=True),
    Picture("train-ended", ENDED, "train", gpu=True),
    Picture("run-details", ENDED, "train", keys("i")),
    Picture("samples", ENDED, "train", keys("t")),
    Picture("evaluate", ENDED, "evaluate"),
    Picture("export", ENDED, "export"),
    Picture("runs", ENDED, "runs"),
    Picture("compare", ENDED, "runs", keys("space", "down", "space", "v")),
)


@contextmanager
def variables(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for a while."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True, slots=True)
class Easel:
    """Where pictures go, and which are drawn."""

    folder: Path
    sizes: tuple[str, ...]
    themes: tuple[str, ...]
    names: frozenset[str]
    png: bool
    workspace: Path

    def of(self, when: str) -> list[Picture]:
        """The pictures of a stage of the walk."""
        return [each for each in SCREENS if each.when == when and each.name in self.names]

    async def draw(self, when: str, session: Callable[[], Session]) -> None:
        """Draw the screens of a stage of the walk."""
        for picture in self.of(when):
            for size in self.sizes:
                for theme in self.themes:
                    await self._draw(picture, session(), size, theme)

    async def _draw(self, picture: Picture, session: Session, size: str, theme: str) -> None:
        plain = theme == "no-color"
        with variables({"NO_COLOR": "1"} if plain else {}):
            app = TunedeckApp(session, start=picture.step, theme="terminal" if plain else theme)
            async with app.run_test(size=SIZES[size]) as pilot:
                if picture.step == "data":
                    await until(lambda: "scanned" in shown(pilot))
                await rest(pilot)
                await picture.draw(pilot)
                title = f"tunedeck {session.workspace.name}" + (f" ({STAND_IN})" if picture.gpu else "")
                drawn = app.export_screenshot(title=title)
        name = f"{size}/{picture.name}" if self.folder == PICTURES else f"{picture.name}-{size}-{theme}"
        target = self.folder / f"{name}.svg"
        target.parent.mkdir(exist_ok=True)
        target.write_text(drawn, encoding="utf-8")
        print(target.name, flush=True)
        if self.png:
            write_png(drawn, target.with_suffix(".png"))


def write_png(svg: str, target: Path) -> None:
    """Turn a picture into pixels; needs `pip install resvg-py` and the fonts of DejaVu."""
    import resvg_py

    font = "DejaVu Sans Mono"
    svg = svg.replace("Fira Code", font).replace("font-family: arial", f"font-family: {font}")
    data = resvg_py.svg_to_bytes(svg_string=svg, monospace_family=font, font_family=font)
    target.write_bytes(bytes(data))


class StandIn:
    """Two GPUs of the stand-in driver, of which a run uses the first; its readings move as a real one's do."""

    def __init__(self, folder: Path) -> None:
        cc = nvml.compiler()
        if cc is None:
            raise SystemExit("No C compiler for the stand-in driver. Run `make setup`, which installs one.")
        self._readings = folder / "readings"
        self._write(0, 0)
        self.environment = nvml.environment(nvml.build(folder, cc), self._readings)
        self._ended = Event()

    @contextmanager
    def run(self, folder: JobFolder) -> Iterator[None]:
        """Let the readings move while a run trains."""
        moving = Thread(target=self._move, args=(folder,), daemon=True)
        moving.start()
        try:
            yield
        finally:
            self._ended.set()
            moving.join()

    def _move(self, folder: JobFolder) -> None:
        second = 0
        while not self._ended.wait(0.1):
            second += 1
            worker = folder.read_status().worker
            runs = worker is not None and os.path.exists(f"/proc/{worker.pid}")
            self._write(second // 10, worker.pid if worker is not None and runs else 0)

    def _write(self, second: int, pid: int) -> None:
        lines = ["driver gpus 2"]
        for number in (0, 1):
            ours = number == 0 and pid
            busy = int(94 + 4 * math.sin(second)) if ours else 0
            held = int((41 + 0.4 * math.sin(second / 9)) * GIB) if ours else int(0.6 * GIB)
            values = {
                "uuid": f"GPU-{number}",
                "name": "NVIDIA H100 80GB HBM3",
                "memory": f"{80 * GIB} {held}",
                "utilization": busy,
                "temperature": 64 + second % 3 if ours else 33,
                "power": 1000 * (70 + 6 * busy),
                "limit": 700_000,
                "throttle": 0,
            }
            lines += [f"{number} {key} {value}" for key, value in values.items()]
            if ours:
                lines.append(f"{number} process {pid} {held - GIB}")
        written = self._readings.with_suffix(".new")
        written.write_text("\n".join(lines) + "\n")
        os.replace(written, self._readings)


async def walk(easel: Easel, workspace: Path) -> None:
    """Take the walk on the sample data, and draw what is seen on it."""
    recipe_file = workspace / "recipe.yaml"
    recipe = load(recipe_file)

    def session(run: Path | None = None) -> Session:
        data = tuple(Path(path) for path in recipe.data.train)
        held_out = tuple(Path(path) for path in recipe.data.eval)
        return Session(workspace, data, held_out, recipe_path=recipe_file, run=run)

    await easel.draw(BEFORE, session)
    if not (easel.of(LIVE) or easel.of(ENDED)):
        return
    with tempfile.TemporaryDirectory() as name:
        driver = StandIn(Path(name))
        folder = start(recipe, workspace, driver)
        with driver.run(folder):
            await until(lambda: (standing(folder).status.step or 0) >= 60 or standing(folder).over)
            await easel.draw(LIVE, lambda: session(folder.path))
            other = start(other_recipe(recipe), workspace, driver)
            await until(lambda: standing(folder).over)
        await until(lambda: standing(other).over)
    await easel.draw(ENDED, lambda: session(folder.path))


def start(recipe: Recipe, workspace: Path, driver: StandIn) -> JobFolder:
    """Start a run whose GPUs are the stand-in driver's."""
    with variables(driver.environment):
        return start_run(recipe, workspace)


def other_recipe(recipe: Recipe) -> Recipe:
    """A shorter run, to compare the first with."""
    training = replace(recipe.training, max_steps=60, learning_rate=2e-3)
    return replace(
        recipe,
        training=training,
        evaluation=replace(recipe.evaluation, after_training=False),
        samples=replace(recipe.samples, every=0.0),
    )


async def until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.1)


def arguments() -> Easel:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="draw every size and theme, into this folder")
    parser.add_argument("--size", nargs="+", choices=SIZES, help="only these sizes")
    parser.add_argument("--theme", nargs="+", choices=THEMES, help="only these themes")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in SCREENS], default=[], help="only these")
    parser.add_argument("--png", action="store_true", help="write PNG files too (pip install resvg-py)")
    parser.add_argument(
        "--workspace", type=Path, help="folder to make, draw in and remove: its path is in the pictures"
    )
    said = parser.parse_args()
    themes = THEMES if said.all else COMMITTED
    names = said.only or [each.name for each in SCREENS]
    return Easel(
        said.all or PICTURES,
        tuple(said.size or SIZES),
        tuple(said.theme or themes),
        frozenset(names),
        said.png,
        said.workspace or Path(tempfile.gettempdir()) / "tunedeck" / "support-desk",
    )


def main() -> int:
    """Draw the pictures that are asked for."""
    easel = arguments()
    easel.folder.mkdir(parents=True, exist_ok=True)
    workspace = easel.workspace
    if workspace.exists():
        raise SystemExit(f"{workspace} exists already. Remove it, or name another folder with --workspace.")
    shutil.copytree(SAMPLE_DATA, workspace)
    settings = tempfile.mkdtemp()
    try:
        with variables({"XDG_CONFIG_HOME": settings, "XDG_STATE_HOME": settings}):
            asyncio.run(walk(easel, workspace))
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
        shutil.rmtree(settings, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

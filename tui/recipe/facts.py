"""What the recipe screen looks up: the model's shape, free memory, the preflight. Runs in a thread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.clean import clean_line
from core.dataset.mapping import Chosen
from core.errors import BadInput
from core.gpu.nvml import GpuReader
from core.gpu.selection import label_of
from core.paths import hidden_dir
from core.recipe.adapters import adapter_of
from core.recipe.declare import Problem
from core.recipe.memory import Forecast, forecast
from core.recipe.model_files import NotDownloaded
from core.recipe.model_shape import ModelShape, read_shape
from core.recipe.precision import DeviceType
from core.recipe.recipe import KNOBS, Recipe, put
from core.recipe.rules.validate import validate
from core.recipe.torch_reach import PROBE
from core.runs import preflight
from core.runs.known_memory import KnownMemory, known_memory, longest_samples
from core.runs.placement import Placement, placement_of
from core.runs.precision import choose_precision, with_precision
from core.runs.preflight.slow import asking
from core.runs.preflight.table import GROUPS
from core.runs.suggestions import CutSamples, cut_samples
from core.units import gib
from tui.widgets.check_list import ChecklistItem
from tui.widgets.memory_bar import BarSegment

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

_COUNTING = 1.5
"""Seconds that counting the rows may take; a larger dataset is not counted here."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where the run would be, and what is free there.

    Attributes:
        device: `cuda` or `cpu`.
        name: in words, `GPU 0`.
        free: bytes, None where that is not known.
        words: why it is not a GPU, or what cannot be read; may be "".
        total: bytes in all, None where that is not known.
    """

    device: DeviceType
    name: str
    free: int | None
    words: str = ""
    total: int | None = None

    @property
    def others(self) -> int:
        """Bytes that other programs hold."""
        return max(0, self.total - self.free) if self.total is not None and self.free is not None else 0


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """What is known of a recipe's surroundings.

    Attributes:
        shape: the model's, None where it cannot be read.
        model_words: why it cannot be read, a sentence, else "".
        room: where the run would be.
        forecast: the memory it would take, estimated part by part; None without a shape.
        samples: about how many would be trained on: the rows minus those held out, plus those mixed in, before flagged
            rows are dropped. None if they cannot be counted quickly.
        checks: the preflight, stops first.
        problems: what the preflight found at single fields, beyond the recipe's own rules.
        recipe: what was looked at.
        dtype: what `model.dtype: auto` comes to there; "" where it stays.
        hints: what is said beside single fields, a few words each.
        known: what is known of its memory beyond the estimate; None without a shape, and while a change is typed.
        factor: what measured runs say to multiply the estimate with, where `known` is None.
        cut: samples that the max length cuts, where their tokens are counted.
    """

    shape: ModelShape | None
    model_words: str
    room: Room
    forecast: Forecast | None
    samples: int | None = None
    checks: tuple[ChecklistItem, ...] = ()
    problems: tuple[Problem, ...] = ()
    recipe: Recipe | None = None
    dtype: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)
    known: KnownMemory | None = None
    factor: float = 1.0
    cut: CutSamples | None = None

    def while_typing(self, recipe: Recipe) -> RecipeFacts:
        """The facts with an estimate for a recipe that has just changed, until they are looked up again."""
        same_model = self.recipe is not None and self.recipe.model.path == recipe.model.path
        if self.shape is None or not same_model or recipe == self.recipe:
            return self
        longest = self.known.longest if self.known is not None and recipe.data == self.recipe.data else 0  # type: ignore[union-attr]
        taken = forecast(self.as_run(recipe), self.shape, self.room.device, longest=longest)
        return replace(self, forecast=taken, known=None, factor=1.0 if self.known is None else self.known.factor)

    @property
    def need(self) -> float:
        """Bytes that it needs, by the best that is known; 0 where nothing is."""
        if self.known is not None:
            return self.known.need
        return 0.0 if self.forecast is None else self.forecast.total * self.factor

    @property
    def figure(self) -> str:
        """The same in words: `8.06 GiB`, with `~` where it is an estimate."""
        return self.known.figure if self.known is not None else f"~{gib(self.need)}"

    def as_run(self, recipe: Recipe) -> Recipe:
        """The recipe as a run of it would be, as far as its precision is known."""
        known = self.recipe is not None and adapter_of(self.recipe) is adapter_of(recipe)
        if not known or not self.dtype or recipe.model.dtype != "auto":
            return recipe
        return put(recipe, "model.dtype", self.dtype)

    @property
    def fits(self) -> bool | None:
        """Whether the forecast fits into what is free; None where either is unknown."""
        if self.forecast is None or self.room.free is None:
            return None
        return self.need <= self.room.free


NOTHING_YET = RecipeFacts(None, "", Room("cuda", "the GPU", None), None)
"""Before the first look."""


class Surroundings:
    """Looks up the facts; the GPU driver's library is opened once, the rows of a file are counted once."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._reader: GpuReader | None = None
        self._counted: dict[tuple[object, ...], int | None] = {}

    def look(self, recipe: Recipe) -> RecipeFacts:
        """The facts for a recipe with absolute paths. Reads headers of files, asks the GPU; never raises for input."""
        machine = self._open_reader().inventory()
        place = placement_of(recipe, machine.gpus, machine.driver, problem=machine.problem, wait=False)
        room = _room(place, machine.problem)
        shape, words = _shape(recipe)
        choice = choose_precision(recipe, shape, place)
        trained = with_precision(recipe, choice, pure_bf16=True)
        dataset = self._dataset(recipe)
        lengths = longest_samples(recipe, self._workspace, dataset)
        known = known_memory(trained, shape, place, self._workspace, lengths=lengths) if shape else None
        cut = cut_samples(recipe, self._workspace, dataset)
        found = preflight.preflight(
            recipe,
            self._workspace,
            gpus=machine.gpus,
            gpu_problem=machine.problem,
            driver=machine.driver,
            wait=False,
        )
        checks = tuple(_shown(check) for check in sorted(found, key=_urgency))
        own = {problem.sentence for problem in validate(recipe, shape)}
        problems = tuple(
            Problem(check.path, check.sentence, "error" if check.verdict == "stop" else "warn", check.brief)
            for check in found
            if check.path and check.verdict in ("stop", "warn") and check.sentence not in own
        )
        hints = {check.path: check.brief for check in found if check.verdict == "ok" and check.path and check.brief}
        samples = self._samples(recipe)
        return RecipeFacts(
            shape,
            words,
            room,
            None if known is None else known.fast,
            samples,
            checks,
            problems,
            recipe,
            choice.dtype,
            hints,
            known,
            cut=cut,
        )

    def _dataset(self, recipe: Recipe) -> Dataset | None:
        """The training data, opened; None where nobody has counted tokens in this workspace, which is all it is for."""
        if not recipe.data.train or not (hidden_dir(self._workspace) / "tokens").is_dir():
            return None
        from core.dataset.dataset import Dataset

        data = recipe.data
        try:
            return Dataset.open(list(data.train), Chosen(data.format).named, dict(data.columns))
        except (BadInput, OSError):
            return None  # the preflight says what is wrong with it

    @property
    def unsettled(self) -> bool:
        """Whether torch or the Hub is being asked right now, so that another look in a moment tells more."""
        return PROBE.asking or asking()

    def _open_reader(self) -> GpuReader:
        if self._reader is None:
            self._reader = GpuReader()
            self._reader.open()
        return self._reader

    def _samples(self, recipe: Recipe) -> int | None:
        data = recipe.data
        try:
            stamps = tuple((path, Path(path).stat().st_mtime_ns, Path(path).stat().st_size) for path in data.train)
        except OSError:
            return None
        key = (stamps, data.format)
        if key not in self._counted:
            self._counted[key] = _count(data.train, data.format)
        rows = self._counted[key]
        held_out = 0.0 if data.eval else data.eval_fraction
        own = data.own_share
        return None if not rows or not own else max(1, math.ceil(rows * (1 - held_out) / own))


def _urgency(check: preflight.PreflightCheck) -> tuple[int, bool]:
    """What stops comes first, then that it does not fit: who reads two lines reads those."""
    return ("stop", "warn", "wait", "ok").index(check.verdict), check.name != "memory"


def _shown(check: preflight.PreflightCheck) -> ChecklistItem:
    """A check for people: what is found at a field names it."""
    about = KNOBS[check.path].title if check.path in KNOBS else check.name
    names = check.name == "recipe" and check.path and about.lower() not in check.sentence.lower()
    words = f"{about}: {check.sentence}" if names else check.sentence
    return ChecklistItem(check.verdict, clean_line(words, 600), about, check.path, check.name, GROUPS[check.name])


def checks_of(facts: RecipeFacts, wrong: Mapping[str, str]) -> tuple[ChecklistItem, ...]:
    """The checks, with what stands in the form and is no value.

    Args:
        facts: they judge the value that such a field had before, which is left out.
        wrong: field -> what is wrong with its text, a sentence.
    """
    now = tuple(
        ChecklistItem("stop", clean_line(words, 600), KNOBS[path].title, path, "recipe", "recipe")
        for path, words in wrong.items()
    )
    return now + tuple(check for check in facts.checks if check.key not in wrong)


def _count(paths: tuple[str, ...], form: str) -> int | None:
    """The rows of a dataset; None if there are none or counting them takes too long."""
    from core.dataset.dataset import Dataset

    if not paths:
        return None
    try:
        reader = Dataset.open(list(paths), None if form == "auto" else form).reader
        return reader.count if reader.extend(_COUNTING) else None
    except (BadInput, OSError):
        return None  # the preflight says what is wrong with it


def _room(place: Placement, problem: str) -> Room:
    devices = place.devices
    if place.cpu:
        if devices.fault:
            return Room("cuda", "the GPU", None, clean_line(devices.fault, 200))
        said = f"{place.unable}." if place.unable else devices.note or ("" if devices.cpu else problem)
        words = clean_line(said or "The recipe says cpu.", 400)
        return Room("cpu", "the CPU (RAM)", place.free, words, place.total)
    if devices.fault:
        return Room(place.device, "the GPU", None, clean_line(devices.fault, 200))
    name = ", ".join(label_of(gpu) for gpu in devices.gpus[:1]) or "the GPU"
    words = next((gpu.problem for gpu in devices.gpus if gpu.problem), "")
    if place.free is None:
        return Room(place.device, name, None, clean_line(words, 200) or "The driver does not report free memory.")
    return Room(place.device, name, place.free, clean_line(devices.gpus[0].name or "", 40), place.total)


def _shape(recipe: Recipe) -> tuple[ModelShape | None, str]:
    if not recipe.model.path:
        return None, "No model yet, so the memory is unknown."
    try:
        return read_shape(recipe.model.path, recipe.model.revision), ""
    except NotDownloaded:
        name = clean_line(recipe.model.path, 60)
        return (
            None,
            f"{name} is not on this machine yet. It is downloaded at the start; its memory is known after that.",
        )
    except BadInput as error:
        return None, clean_line(str(error), 400)
    except OSError as error:
        return None, f"Cannot read the model: {error.strerror}."


def memory_title(facts: RecipeFacts) -> str:
    """The heading of the memory bar: needed and free memory, and whether it fits."""
    room, taken = facts.room, facts.forecast
    name = "RAM" if room.device == "cpu" else f"{room.name} memory"
    if taken is None:
        return f"{name}: {gib(room.free)} free" if room.free is not None else f"{name}: unknown"
    if room.free is None:
        return f"{name}: {facts.figure} needed, free memory unknown"
    # The verdict is first and the rest short: half of a screen of 120 columns has room for 46 characters.
    need = facts.figure.removesuffix(" GiB")
    if facts.fits:
        return f"{name}: fits, {need} of {gib(room.free)} free"
    return f"{name}: DOES NOT FIT, {need} of {gib(room.free)}"


def in_brief(facts: RecipeFacts, checks: Sequence[ChecklistItem]) -> str:
    """Memory and preflight in a few words for a narrow screen."""
    room, taken = facts.room, facts.forecast
    if taken is None:
        memory = "memory: unknown"
    elif room.free is None:
        memory = f"memory: {facts.figure}"
    else:
        verdict = "fits" if facts.fits else "DOES NOT FIT"
        memory = f"memory: {verdict}, {facts.figure} of {gib(room.free)}"
    said = [
        f"{len(abouts)} {name}{'s' * (len(abouts) > 1)}: {', '.join(abouts[:2])}"
        for word, name in (("stop", "stop"), ("warn", "warning"))
        if (abouts := _of(checks, word))
    ]
    return f"{(said[0] if said else 'all checks ok') if checks else 'checking'} · {memory}"


def _of(checks: Sequence[ChecklistItem], standing: str) -> list[str]:
    return [check.about for check in checks if check.standing == standing]


def memory_parts(facts: RecipeFacts) -> list[BarSegment]:
    """The parts of the memory bar, those of other programs first; none where the model is not known."""
    if facts.forecast is None:
        return []
    names = {
        "head": "output layer",
        "copies": "16-bit copies",
        "context": "Python and torch" if facts.room.device == "cpu" else "CUDA context",
    }
    parts = facts.forecast.parts()
    # Weights and states are known exactly; what a better figure says differently is in the others.
    fixed = sum(size for name, size in parts.items() if name in _FIXED)
    rest = facts.forecast.total - fixed
    scale = max(0.0, facts.need - fixed) / rest if rest else 1.0
    sizes = {name: size if name in _FIXED else size * scale for name, size in parts.items()}
    found = [BarSegment("other programs", float(facts.room.others), f"{facts.room.others / 2**30:.2f}")]
    found += [BarSegment(names.get(name, name), size, f"{size / 2**30:.2f}") for name, size in sizes.items()]
    # A part that would show as 0.00 is omitted.
    return [part for part in found if part.amount >= 2**30 / 200]


_FIXED = ("weights", "adapter", "optimizer", "context")


def memory_limit(facts: RecipeFacts) -> float:
    """How long the bar is: all memory that there is; 0 where that is not known."""
    return float((facts.room.free or 0) + facts.room.others)


def memory_words(facts: RecipeFacts, forecasting: str = "") -> str:
    """The sentence below the memory bar, or in its place.

    Args:
        facts: the facts.
        forecasting: what becomes of the exact forecast, a sentence, or "".
    """
    if facts.forecast is None:
        return facts.model_words
    words = facts.known.words() if facts.known is not None else "Estimated from tensor shapes."
    said = [clean_line(words, 200), forecasting, "In GiB."]
    if facts.fits is False and facts.room.free is not None:
        said.insert(0, f"{gib(facts.need - facts.room.free)} too much: press m for changes that make it fit.")
    elif facts.fits:
        said.append("m: details and changes")
    return " ".join(filter(None, said))

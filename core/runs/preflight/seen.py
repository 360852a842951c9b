"""What the lines of the preflight look at: recipe, model, data, devices. Each is read once, when a line first asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BadInput
from core.gpu.readings import GpuSample
from core.recipe.generation import drop_flags
from core.recipe.model_shape import ModelShape, read_shape
from core.recipe.recipe import Recipe
from core.runs.known_memory import KnownMemory, known_memory, longest_samples
from core.runs.placement import Placement
from core.runs.precision import PrecisionChoice, choose_precision, with_precision

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.view.view import CuratedView


class BeforeStart:
    """The recipe and its surroundings.

    Attributes:
        recipe: with absolute paths, and the mapping that is kept for its data.
        workspace: where `runs/` will be.
        place: where it will compute.
        gpus: all that the driver lists.
        gpu_fault: why it lists none, or "".
        wait: whether to wait for answers that take seconds.
        later: whether the run will wait in a queue.
        view: the training set, where it is built; else None.
        model_fault: why the model cannot be read, None where it can.
        shape: of the model; None where there is none to read.
    """

    def __init__(
        self,
        recipe: Recipe,
        workspace: Path,
        place: Placement,
        gpus: Sequence[GpuSample] = (),
        gpu_fault: str = "",
        *,
        wait: bool = True,
        later: bool = False,
        view: CuratedView | None = None,
    ) -> None:
        self.view = view
        self.recipe, self.workspace, self.place = recipe, workspace, place
        self.gpus, self.gpu_fault, self.wait, self.later = tuple(gpus), gpu_fault, wait, later
        self.model_fault: BadInput | None = None
        self.shape: ModelShape | None = None
        if recipe.model.path:
            try:
                self.shape = read_shape(recipe.model.path, recipe.model.revision)
            except BadInput as error:
                self.model_fault = error

    @cached_property
    def choice(self) -> PrecisionChoice:
        """What its precision comes to."""
        return choose_precision(self.recipe, self.shape, self.place, later=self.later)

    @cached_property
    def as_run(self) -> Recipe:
        """The recipe as it will run: with what its precision comes to."""
        return with_precision(self.recipe, self.choice, pure_bf16=True)

    def known_memory(self, shape: ModelShape) -> KnownMemory:
        """What the run needs of the memory, by all that is known.

        Args:
            shape: the model's.
        """
        lengths = longest_samples(self.recipe, self.workspace, self.data.train)
        return known_memory(self.as_run, shape, self.place, self.workspace, lengths=lengths)

    @cached_property
    def data(self) -> OpenedData:
        """The datasets, opened."""
        return OpenedData(self.recipe)

    @cached_property
    def overview(self) -> Mapping[str, Any] | None:
        """What an overview of just this recipe has found (`core.runs.overview_job`); None where there is none."""
        from core.runs.overview_job import job_of, read_facts

        if not self.recipe.data.train or self.data.train is None:
            return None
        found = (read_facts(folder) for folder in job_of(self.workspace, self.recipe).folders())
        return next((facts for facts in found if facts is not None), None)

    @property
    def tokens(self) -> Mapping[str, Any] | None:
        """Counted tokens (`core.runs.overview.tokens_of`); None where nobody has counted them for this recipe."""
        found = (self.overview or {}).get("tokens") or {}
        return found if "trained" in found.get("train", {}) else None

    @cached_property
    def counted(self) -> CountedSamples | None:
        """The samples: of the training set where it is built, else by what the files hold; None where that is slow."""
        if self.view is not None:
            return CountedSamples(self.view.train_count, self.view.eval_count, exact=True)
        if self.overview is not None and (found := self.overview.get("samples")):
            return CountedSamples(int(found["train"]), int(found["eval"]), exact=True)
        from core.runs.known_rows import known_rows

        train, data = self.data.train, self.recipe.data
        if train is None or data.mix or (known := known_rows(train, self.recipe, self.workspace)) is None:
            return None
        rows, dropped = known
        staying = (
            rows["rows"]
            - rows["unreadable"]
            - rows["malformed"]
            - sum(dropped.get(n, 0) for n in drop_flags(self.recipe))
        )
        held = 0 if data.eval else round(staying * data.eval_fraction)
        return CountedSamples(max(0, staying - held), held, exact=False)

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of samples in the data; None where there is none that opens."""
        return self.data.kinds


@dataclass(frozen=True, slots=True)
class CountedSamples:
    """How many samples there are.

    Attributes:
        train: to train on.
        held: held out.
        exact: whether they were counted in the training set itself, rather than in the files.
    """

    train: int
    held: int
    exact: bool


class OpenedData:
    """The datasets of a recipe.

    Attributes:
        train: what is trained on, None where it cannot be opened.
        held: the eval files, None where there are none or they cannot be opened.
        opened: those that could be opened, each with its field.
        faults: why one cannot be opened, with the field to change.
        kinds: of their samples; None where none opens.
    """

    def __init__(self, recipe: Recipe) -> None:
        from core.dataset.dataset import Dataset
        from core.dataset.mapping import Chosen

        data = recipe.data
        said = Chosen(data.eval_format, data.eval_columns)
        self.train: Dataset | None = None
        self.held: Dataset | None = None
        self.opened: list[tuple[str, Dataset]] = []
        self.faults: list[tuple[str, BadInput]] = []
        for path, paths in (("data.train", data.train), ("data.eval", data.eval)):
            if not paths:
                continue
            try:
                if self.train is None:
                    dataset = self.train = Dataset.open(list(paths), Chosen(data.format).named, dict(data.columns))
                else:
                    dataset = self.held = self.train.open_eval(list(paths), said)
            except BadInput as error:
                if error.where == "columns":  # it is the mapping that names what the data has not
                    self.faults.append(("data.columns", BadInput(error.what, do=error.do)))
                else:
                    self.faults.append((path, error))
                continue
            self.opened.append((path, dataset))
        found = {kind for _, each in self.opened for one in each.recognitions.at_open() for kind in one.kinds}
        self.kinds: frozenset[str] | None = frozenset(found) if found else None

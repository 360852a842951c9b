"""What the screens share while the app runs. Nothing here matters when the app dies: it is all on disk as well."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tui.settings import UserSettings

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


_STAMP = len("2026-11-21-231204-")
"""Characters of date and time before a run's name in its id."""


@dataclass
class Session:
    """The state of one sitting at the terminal.

    Attributes:
        workspace: the folder that tunedeck was started in; `runs/` and `.tunedeck/` lie there.
        data: files or folders of the dataset that is open, none at the start.
        eval_data: the user's own eval files.
        format: the format that the user has chosen, or "auto".
        columns: the column mapping that the user has corrected.
        eval_format: the format of the eval files that the user has chosen, or "auto".
        eval_columns: the column mapping of the eval files that the user has named.
        recipe_path: the YAML file that the recipe was loaded from or saved to.
        passed_over: what was open when a recipe with data of its own was opened from another screen; see `opened`.
        run: the folder of the run that Train and Evaluate show.
        low_bandwidth: whether every byte to the terminal is dear.
        settings: what the user has set.
    """

    workspace: Path
    data: tuple[Path, ...] = ()
    eval_data: tuple[Path, ...] = ()
    format: str = "auto"
    columns: dict[str, str] = field(default_factory=dict)
    eval_format: str = "auto"
    eval_columns: dict[str, str] = field(default_factory=dict)
    recipe_path: Path | None = None
    passed_over: tuple[object, ...] = ()
    run: Path | None = None
    low_bandwidth: bool = False
    settings: UserSettings = field(default_factory=UserSettings)
    _recipe: Recipe | None = None

    @property
    def look_every(self) -> float:
        """Seconds between two looks at an active run: what was logged is seen within one and a half."""
        return 8.0 if self.low_bandwidth else 1.35

    @property
    def opened(self) -> tuple[object, ...]:
        """The dataset that is open, as something to compare: files, eval files, and how they are read."""
        data, eval_data = (tuple(path.absolute() for path in paths) for paths in (self.data, self.eval_data))
        return (data, eval_data, self.format, dict(self.columns), self.eval_format, dict(self.eval_columns))

    @property
    def recipe(self) -> Recipe:
        """The recipe as it stands in the form; read from `recipe_path` or the defaults at first use."""
        if self._recipe is None:
            from core.recipe.recipe import Recipe

            if self.recipe_path is not None:
                from core.recipe.yamlfile import load

                self._recipe = load(self.recipe_path)
            else:
                self._recipe = Recipe()
        return self._recipe

    @recipe.setter
    def recipe(self, recipe: Recipe) -> None:
        self._recipe = recipe

    @property
    def title(self) -> str:
        """What the header names: the run, else the dataset, else the folder."""
        if self.run is not None:
            return self.run.name[_STAMP:] if self.run.name[:4].isdigit() else self.run.name
        if self.data:
            more = f" +{len(self.data) - 1}" if len(self.data) > 1 else ""
            return self.data[0].absolute().name + more  # `.` has no name of its own
        return self.workspace.name

"""Facts in a row, label and value, that keep their places while the values change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.geometry import Size

from tui.charts.cells import Cells
from tui.widgets.painted import Painted

GAP = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """One value and what it is.

    Attributes:
        key: stays the same while the value changes.
        before: label before the value, or "".
        value: the value in words or digits.
        after: what follows it, such as `of 3,000`, or "".
        style: `value`, or `strong` for what matters most.
    """

    key: str
    before: str
    value: str
    after: str = ""
    style: str = "value"

    @property
    def width(self) -> int:
        """Cells that it takes."""
        parts = [part for part in (self.before, self.value, self.after) if part]
        return sum(cell_len(part) for part in parts) + len(parts) - 1


class FactLines(Painted):
    """A flow of facts over as few lines as they need; a fact that becomes shorter leaves its neighbours in place.

    Attributes:
        most_rows: rows that they take at most, so the last facts may be left out; None for as many as they need.
    """

    PREFIX = "facts"

    COMPONENT_CLASSES = {"facts--text", "facts--label", "facts--value", "facts--strong"}
    """
    | Class | Description |
    | :- | :- |
    | `facts--label` | What stands before and after a value. |
    | `facts--value`, `facts--strong` | A value; one that matters more. |
    """

    DEFAULT_CSS = """
    FactLines {
        height: auto;
        & > .facts--text { color: $foreground; }
        & > .facts--label { color: $text-muted; }
        & > .facts--value { color: $foreground; }
        & > .facts--strong { color: $foreground; text-style: bold; }
    }
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self.most_rows: int | None = None
        self._facts: list[Fact] = []
        self._widths: dict[str, int] = {}
        self._taken = 1
        """Rows that the facts take."""

    @property
    def plain(self) -> str:
        """The facts as text."""
        return "   ".join(" ".join(p for p in (f.before, f.value, f.after) if p) for f in self._facts)

    def show(self, facts: Sequence[Fact]) -> None:
        """Show these facts, in this order."""
        self._facts = list(facts)
        for fact in self._facts:
            self._widths[fact.key] = max(self._widths.get(fact.key, 0), fact.width)
        rows = self._rows(self.size.width)
        if rows != self._taken:
            self._taken = rows
            self.refresh(layout=True)
        self.repaint()

    def forget_widths(self) -> None:
        """Let every fact take its own width again: other facts, or another run, are to be shown."""
        self._widths.clear()

    def _rows(self, width: int) -> int:
        return max((y for y, _, _ in self._places(width)), default=0) + 1

    def _places(self, width: int) -> list[tuple[int, int, Fact]]:
        """Row and column of each fact."""
        places: list[tuple[int, int, Fact]] = []
        x = y = 0
        for fact in self._facts:
            needed = self._widths.get(fact.key, fact.width)
            if x and x + needed > width:
                x, y = 0, y + 1
                if y == self.most_rows:
                    break
            places.append((y, x, fact))
            x += needed + GAP
        return places

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as the facts need."""
        return self._rows(width)

    def paint(self, cells: Cells) -> None:
        """Each fact at its place."""
        for y, x, fact in self._places(cells.width):
            if fact.before:
                x = cells.put(x, y, fact.before + " ", "label")
            x = cells.put(x, y, fact.value, fact.style)
            if fact.after:
                cells.put(x, y, " " + fact.after, "label")

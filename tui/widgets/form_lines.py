"""Which lines a form shows, and on which of them its cursor is: a plain class that needs no app."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tui.widgets.form_field import FormField, Section


class FormLines:
    """Headings and fields from top to bottom, folded fields left out.

    Attributes:
        sections: all fields, in groups.
        lines: what is shown, headings included.
        at: the line of the cursor, always a field's.
        revealed: folded fields that are shown all the same.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        self.sections = tuple(sections)
        self.revealed: set[str] = set()
        self.lines: list[Section | FormField] = []
        self.at = 0
        self._order = [each.key for section in self.sections for each in section.fields]
        self.arrange(self._order[0], unfolded=False)

    @property
    def current(self) -> FormField:
        """The field that the cursor is on."""
        line = self.lines[self.at]
        assert isinstance(line, FormField)
        return line

    @property
    def places(self) -> dict[str, int]:
        """The line of each field that is shown, from top to bottom."""
        return {line.key: y for y, line in enumerate(self.lines) if isinstance(line, FormField)}

    def arrange(self, key: str, *, unfolded: bool) -> None:
        """Lay out the lines again, with the cursor on a field or the nearest one that is shown.

        Args:
            key: where the cursor should be.
            unfolded: whether folded fields are shown.
        """
        self.lines = []
        for section in self.sections:
            shown = [each for each in section.fields if not each.folded or unfolded or each.key in self.revealed]
            if shown:
                self.lines += [section, *shown]
        places, start = self.places, self._order.index(key)
        nearest = self._order[start:] + self._order[:start][::-1]
        self.at = next(places[each] for each in nearest if each in places)

    def reveal(self, keys: Collection[str]) -> bool:
        """Show some fields even if they are folded; whether that is new of any."""
        folded = {each.key for section in self.sections for each in section.fields if each.folded}
        new = (folded & set(keys)) - self.revealed
        self.revealed |= new
        return bool(new)

    def hidden(self, section: Section) -> int:
        """How many fields of a section are not shown."""
        places = self.places
        return sum(each.key not in places for each in section.fields)

    def step(self, by: int, *, around: bool) -> int:
        """The line so many fields on from the cursor; the ends hold, unless it goes around."""
        fields = list(self.places.values())
        place = fields.index(self.at) + by
        return fields[place % len(fields) if around else max(0, min(len(fields) - 1, place))]

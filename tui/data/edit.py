"""Editing one row as JSON, in the user's editor or in a field, and checking what comes back."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import SuspendNotSupported

from core.clean import clean, clean_line
from core.dataset.records import Unreadable, parse_object
from core.paths import hidden_dir
from core.units import count, size

if TYPE_CHECKING:
    from tui.data.desk import OpenDataset
    from tui.screens.pane import Pane

Edited = Callable[[int, "dict[str, object] | str"], None]

_MOST = 2 * 2**20
"""Bytes of a row that is edited by hand."""


@dataclass(frozen=True, slots=True)
class RowEdit:
    """One row that is being edited.

    The text lies in a file of the workspace until an edit was taken, so that a refused one is not lost.

    Attributes:
        entry: the row's entry.
        number: as people count rows, from 1.
        desk: whose dataset it is.
        path: the file.
        before: the text as it would be without the edit.
    """

    entry: int
    number: int
    desk: OpenDataset
    path: Path
    before: str

    @classmethod
    def of(cls, desk: OpenDataset, entry: int, workspace: Path) -> RowEdit | str:
        """Begins an edit, or says why there is none."""
        row, number, key = desk.rows.read(entry), desk.rows.row_of(entry), desk.key_of(entry)
        if row.value is None or number is None:
            return f"This line is malformed and cannot be edited: {clean_line(row.error, 400)}."
        if key is None:
            return "The scan has not reached this row yet. Try again in a moment."
        if desk.rows.dataset.reader.size(entry) > _MOST:
            return f"This row is too long to edit (over {size(_MOST)})."
        mark = desk.rows.mark(entry)
        value = row.value
        if mark is not None and mark.edit is not None:
            value = mark.edit.get("row") or dict(mark.edit)
        path = hidden_dir(workspace) / "edits" / f"{key.replace(':', '-')}.json"
        return cls(entry, number + 1, desk, path, as_text(value))

    def open(self, pane: Pane, edited: Edited) -> None:
        """Let the user edit, then report the result.

        Args:
            pane: the pane whose row it is; its app gives the terminal to the editor meanwhile.
            edited: called with the entry, and the decision's payload or a sentence on why there is none.
        """
        editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
        try:
            text = self._kept() or self.before
            self._keep(text)
            if editor:
                edited(self.entry, self._in_editor(pane, editor))
                return
        except SuspendNotSupported:
            pass
        except OSError as fault:
            edited(self.entry, f"Cannot edit the row: {fault.strerror}: {clean_line(str(fault.filename), 200)}.")
            return
        self._in_field(pane, text, edited)

    def _in_editor(self, pane: Pane, editor: list[str]) -> dict[str, object] | str:
        with pane.app.suspend():
            code = subprocess.run([*editor, str(self.path)], check=False).returncode
        pane.deck.action_redraw()
        if code:
            return f"{clean_line(editor[0], 80)} exited with {code}; the row is unchanged. Press e to reopen your text."
        return self.check(self.path.read_text(encoding="utf-8", errors="replace"))

    def _in_field(self, pane: Pane, text: str, edited: Edited) -> None:
        from tui.data.edit_field import EditField

        def closed(text: str | None) -> None:
            if text is None:
                edited(self.entry, "The row is unchanged.")
                self.path.unlink(missing_ok=True)
            else:
                self._keep(text)
                edited(self.entry, self.check(text))

        pane.app.push_screen(EditField(f"edit row {count(self.number)}", text), closed)

    def check(self, text: str) -> dict[str, object] | str:
        """The payload of the edit if the text is a row of this dataset's format; else why it is refused."""
        if text.strip() == self.before.strip():
            self.path.unlink(missing_ok=True)
            return "No changes."
        try:
            value, nonstandard = parse_object(text.rstrip().encode("utf-8", "surrogatepass"))
            if nonstandard:
                raise Unreadable(nonstandard)
            sample = self.desk.rows.dataset.sample_like(self.entry, value)
        except Unreadable as fault:
            return f"Edit not saved: {clean(str(fault))}. Your text is kept: press e to reopen it."
        self.path.unlink(missing_ok=True)
        return {"sample": {**sample.to_json(), "row": value}}

    def _kept(self) -> str:
        """The text of an edit that was refused before, or ""."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _keep(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(text, encoding="utf-8")


def swapped(desk: OpenDataset, entry: int) -> dict[str, object] | str:
    """The payload of the edit that swaps the chosen and the rejected answer of a row; else why there is none."""
    rows = desk.rows
    row, mark = rows.read(entry), rows.mark(entry)
    try:
        sample = rows.sample(row)
    except Unreadable as fault:
        return f"This row is unreadable, so its answers cannot be swapped: {clean_line(str(fault), 400)}."
    if sample.kind != "preference":
        return "Only preference pairs have a chosen and a rejected answer to swap."
    after = replace(sample, chosen=sample.rejected, rejected=sample.chosen)
    value = (mark.edit.get("row") if mark is not None and mark.edit is not None else None) or row.value
    found = after.to_json()
    # The row as it would stand in the file goes along, so that `edit` can open it again.
    for each in rows.dataset.recognitions.of(row.source).first:
        one, other = each.columns.get("chosen", ""), each.columns.get("rejected", "")
        if isinstance(value, dict) and one in value and other in value:
            there = {**value, one: value[other], other: value[one]}
            with suppress(Unreadable):
                if rows.dataset.sample_like(entry, there) == after:
                    found["row"] = there
    return {"sample": found}


def as_text(value: Any) -> str:
    r"""A row as JSON that is safe to show in any editor: what a terminal would obey is written as `\uXXXX`."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return _DOUBTFUL.sub(_escaped, text) + "\n"


_DOUBTFUL = re.compile("[^\n -~]")


def _escaped(match: re.Match[str]) -> str:
    letter = match.group()
    return letter if clean(letter) == letter else json.dumps(letter)[1:-1]

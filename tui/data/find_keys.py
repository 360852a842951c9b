"""Keys that find rows: filters, lists and orders, lengths, search, and going to a number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from core.clean import clean_line
from core.units import count
from tui.data.list_names import FILTERS, FLAG, SOURCE
from tui.data.token_keys import TokenKeys
from tui.data.typed import TypedLine

if TYPE_CHECKING:
    from tui.data.find import Unit
    from tui.data.news import Found, Sorted

Choice = tuple[str, str, Callable[[], None]]
"""A line of a menu: its name, what it means, what it does."""

_MOST_FILES = 200
_MOST_COUNTED = 5_000
"""Rows of a list up to which it is counted how many of them others hold: more would hold up the keys."""


class FindKeys(TokenKeys):
    """What the keys do to find rows."""

    # -- lists and orders -----------------------------------------------------------------------------------

    def action_next_filter(self) -> None:
        """List other rows, with the cursor on the same row where it is among them."""
        assert self._desk is not None
        name = self._desk.rows.filter
        self._list_again(FILTERS[(FILTERS.index(name) + 1) % len(FILTERS)] if name in FILTERS else "all", also=())

    def action_lists(self) -> None:
        """Choose a list, or an order, from a menu."""
        from tui.data.find import ORDERS

        assert self._desk is not None
        rows, finder = self._desk.rows, self._desk.finder
        choices = self._lists(lambda name: self._list_again(name, also=()))
        for unit in self._units():
            choices.append((f"by {unit}", "of a length that you type", partial(self._ask_length, unit)))
        for order, counted in ORDERS.items():
            if "tokens" not in order or rows.tokens.standing == "known":
                choices.append((f"{order} first", f"sorts these rows by {counted}", partial(finder.sort, order)))
        if rows.order:
            choices.append(("in their order", "lists these rows as in the files", self._in_order))
        self._choose("list", choices)

    def _lists(
        self,
        listing: Callable[[str], None],
        without: Collection[str] = (),
        within: Mapping[str, int] | None = None,
    ) -> list[Choice]:
        """A choice for each list, with how many rows it has.

        Args:
            listing: called with the name of the chosen one.
            without: names of lists that are not offered.
            within: how many of the rows that count each list has; None counts all rows.
        """
        from core.dataset.checks import TITLES

        assert self._desk is not None
        rows = self._desk.rows
        counts = rows.counts()
        told = [(name, name, count(counts[name])) for name in FILTERS]
        told.append(("marked", "marked", f"{count(len(rows.marks))}  edited, noted or flagged by hand"))
        told += [(FLAG + name, TITLES.get(name, name), count(number)) for name, number in rows.flag_counts().items()]
        sources = rows.sources()
        for number, (path, start, end) in enumerate(sources[:_MOST_FILES] if len(sources) > 1 else ()):
            told.append((f"{SOURCE}{number}", f"file {clean_line(path.name, 40)}", count(end - start)))
        if within is not None:
            told = [(name, title, count(within[name])) for name, title, _ in told if within.get(name)]
        return [(title, words, partial(listing, name)) for name, title, words in told if name not in without]

    def _units(self) -> tuple[Unit, ...]:
        assert self._desk is not None
        return ("characters", "tokens") if self._desk.rows.tokens.standing == "known" else ("characters",)

    def action_narrow(self) -> None:
        """List only those of the listed rows that another list holds as well, or all that only one of these holds."""
        from tui.data.listing import counts_within
        from tui.data.words import condition

        assert self._desk is not None
        rows = self._desk.rows
        names = tuple(name for name in rows.names if name != "all")
        others = tuple(name for name in names if name != "found")  # there is one search at a time
        choices: list[Choice] = []
        if names:
            for name in reversed(names):
                rest = tuple(each for each in names if each != name) or ("all",)
                leave = partial(self._list_again, rest[0], also=rest[1:])
                choices.append((f"no longer: {condition(rows, name)}", "", leave))

        def narrow(name: str) -> None:
            self._list_again(name, also=tuple(each for each in names if each != name))

        few = rows.count <= _MOST_COUNTED
        within = counts_within(rows, rows.listed()) if few else None
        choices += self._lists(narrow, ("all", *names), within)
        for unit in self._units():
            choices.append((f"by {unit}", "of a length that you type", partial(self._ask_length, unit, others)))
        choices.append(("with a text", "that you type", partial(self._ask_text, others)))
        whose = "" if few else " (the numbers are those of all rows)"
        self._choose(f"only those of these {count(rows.count)} rows that are also{whose}", choices, len(names))

    def _widen(self) -> None:
        """List more rows again: without the last condition, at last all."""
        if self._desk is None:
            return
        rows = self._desk.rows
        if rows.filter == "found":
            self._desk.finder.end()
            self._held = ""
        if rows.also:
            self._list_again(rows.also[0], also=rows.also[1:])
        elif rows.filter in ("found", "audit"):
            audited = rows.filter == "audit"
            self._list_again("all")
            if audited:
                self.tell("All rows are listed; a goes on with the audit.")

    def _choose(self, title: str, choices: list[Choice], at: int = 0) -> None:
        from tui.widgets.choice_menu import ChoiceMenu

        def chosen(number: int | None) -> None:
            if number is not None:
                choices[number][2]()

        self.app.push_screen(ChoiceMenu(title, [choice[:2] for choice in choices], chosen=at), chosen)

    def _in_order(self) -> None:
        assert self._desk is not None
        self._list_again(self._desk.rows.filter)

    def _take_order(self, news: Sorted) -> None:
        assert self._desk is not None
        rows = self._desk.rows
        if news.names == rows.names:
            rows.use_order(news.order, news.entries)
            self.rows_list.reset(rows.count)
            self._show_facts()

    # -- a row's number -------------------------------------------------------------------------------------

    def _typing_keys(self) -> dict[str, Callable[[], None]]:
        return {**super()._typing_keys(), "g": self.action_go_to, "slash": self.action_search}

    def action_go_to(self) -> None:
        """Take a row's number from the keys that follow, up to enter."""
        assert self._desk is not None
        help = f"1 to {count(self._desk.rows.good)}; enter goes there, esc does not"
        self._type(TypedLine("go to row", help, self._go_to, digits=True))

    def _go_to(self, digits: str) -> None:
        if self._desk is None or not digits:
            return
        rows = self._desk.rows
        number = int(digits[:18])
        entry = rows.entry_of(number - 1)
        if not 1 <= number <= rows.good:
            so_far = " so far" if not rows.dataset.reader.complete else ""
            self.tell(f"There is no row {count(number)}: the last one is {count(rows.good)}{so_far}.", entry=entry)
        elif not rows.lists(entry):
            shown = clean_line(self._list_words(), 60)
            self.tell(f"Row {count(number)} is not in this list ({shown}), so all rows are listed.", entry=entry)
        if not rows.lists(entry):
            self._list_again("all", entry)
        else:
            self.rows_list.go_to(rows.position_of(entry))

    def _list_words(self) -> str:
        assert self._desk is not None
        rows = self._desk.rows
        from tui.data.words import condition

        words = " + ".join(condition(rows, name) for name in reversed(rows.names))
        return f"rows {words}" if rows.filter == "found" else words

    # -- search and lengths ---------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Take the text to look for from the keys that follow."""
        self._ask_text()

    def _ask_text(self, also: tuple[str, ...] = ()) -> None:
        help = "enter lists the rows that hold it, esc does not"
        self._type(TypedLine("search", help, partial(self._search, also=also)))

    def _search(self, query: str, also: tuple[str, ...] = ()) -> None:
        if query.strip():
            assert self._desk is not None
            self._list_found(query, f"with “{clean_line(query, 60)}”", query, also)
            self._desk.finder.search(query)

    def _ask_length(self, unit: Unit, also: tuple[str, ...] = ()) -> None:
        help = "such as 100-500, >500, <20; enter lists them"
        self._type(TypedLine(f"rows of how many {unit}", help, partial(self._by_length, unit, also=also)))

    def _by_length(self, unit: Unit, text: str, also: tuple[str, ...] = ()) -> None:
        from tui.data.find import Lengths

        wanted = Lengths.read(text, unit)
        if wanted is None:
            self.tell(f"“{clean_line(text, 40)}” is no length: type 100-500, >500 or <20.")
            return
        assert self._desk is not None
        self._list_found(wanted.words, wanted.words, "", also)
        self._desk.finder.by_length(wanted)

    def _list_found(self, key: str, words: str, query: str, also: tuple[str, ...]) -> None:
        """List what will be found: at first nothing."""
        assert self._desk is not None
        rows = self._desk.rows
        self._sought = key
        rows.hits, rows.query, rows.sought = [], query, words
        self._list_again("found", also=also)

    def _take_hits(self, news: Found) -> None:
        assert self._desk is not None
        rows = self._desk.rows
        if news.sought != self._sought or "found" not in rows.names:
            return
        first = not rows.count
        rows.find_more(news.entries)
        if first and rows.count:
            self.rows_list.reset(rows.count)
        elif not rows.order:
            self.rows_list.grow(rows.count)
        found = f"{count(rows.count)} row{'s' * (rows.count != 1)} {rows.sought}"
        esc = "esc lists more rows" if rows.also else "esc lists all rows"
        self.tell(f"{found} · {esc if news.complete else f'searching, {count(news.done)} rows read …'}")

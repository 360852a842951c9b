"""Rows of Arrow data as Python values, weighed before they are made.

In Arrow a value may stand many times and take room once: entries of a dictionary, views of one text, lists of nothing.
As Python objects each takes its own, and a second for some hundred thousand of them.

Arrow gives every struct of a column the same members, and pads those that a row did not have with null. The rule here:
inside a column, a null member of a struct is not there, at any depth; so a tool call keeps only the arguments that its
row had. A null column stays null, and so do null elements of lists and null values of maps, which are never padding. A
member whose null was meant cannot be told from padding and goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.dataset.records import MAX_ROW_BYTES
from core.units import count

MOST_VALUES = 200_000
"""Values that a row may hold."""


class TooLarge(ValueError):
    """A row that is not made; its text is the reason."""


class Weighed:
    """The rows of a record batch.

    Args:
        batch: pyarrow's record batch, valid.
    """

    def __init__(self, batch: Any) -> None:
        self.batch = batch
        self._light: bool | None = None
        self._unpad: dict[str, _Unpad] | None = None

    def row(self, number: int) -> dict[str, Any]:
        """One row as column name to value, without the nulls that pad its structs.

        Raises:
            TooLarge: it holds too much, or a type that cannot be weighed.
        """
        if self._light is None:  # most batches are lighter than one row may be: then no row is weighed for itself
            try:
                self._light = self._weigh(self.batch)
            except TooLarge:
                self._light = False
        row = self.batch.slice(number, 1)
        if not self._light:
            self._weigh(row)
        value: dict[str, Any] = row.to_pylist()[0]
        if self._unpad is None:
            found = ((column.name, _unpadding(column.type)) for column in self.batch.schema)
            self._unpad = {name: unpad for name, unpad in found if unpad is not None}
        for name, unpad in self._unpad.items():
            if value[name] is not None:
                value[name] = unpad(value[name])
        return value

    def _weigh(self, rows: Any) -> bool:
        scale = _Scale()
        for column in rows.columns:
            scale.put(column)
        return True


_Unpad = Callable[[Any], Any]
"""Takes the padding out of a value that is not null."""


def _unpadding(kind: Any) -> _Unpad | None:
    """What takes the padding out of values of a type; None where they have none."""
    import pyarrow

    types = pyarrow.types
    if types.is_struct(kind):
        inner = {field.name: unpad for field in kind if (unpad := _unpadding(field.type)) is not None}

        def of_struct(value: Any) -> Any:
            if not isinstance(value, dict):  # an extension type's own object
                return value
            return {
                name: inner[name](member) if name in inner else member
                for name, member in value.items()
                if member is not None
            }

        return of_struct
    if types.is_map(kind):
        of_item = _unpadding(kind.item_type)

        def of_map(value: Any) -> Any:
            pairs = [(key, of_item(item) if of_item and item is not None else item) for key, item in value]
            named = dict(pairs) if all(isinstance(key, str) for key, _ in pairs) else {}
            return named if len(named) == len(pairs) else pairs

        return of_map
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        of_element = _unpadding(kind.value_type)
        if of_element is None:
            return None
        return lambda value: [None if element is None else of_element(element) for element in value]
    return None


class _Scale:
    """Adds up values and bytes."""

    def __init__(self) -> None:
        import pyarrow

        self._types = pyarrow.types
        self._extension = pyarrow.BaseExtensionType
        self._values = 0
        self._bytes = 0

    def put(self, array: Any) -> None:
        """A further array.

        Raises:
            TooLarge: it is too much by now.
        """
        types, kind = self._types, array.type
        if isinstance(kind, self._extension):
            self.put(array.storage)
        elif types.is_struct(kind):
            for number in range(kind.num_fields):
                self.put(array.field(number))
        elif types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
            self._put_inner(array, array.offsets[0].as_py(), array.offsets[len(array)].as_py())
        elif types.is_fixed_size_list(kind):
            self._put_inner(array, array.offset * kind.list_size, (array.offset + len(array)) * kind.list_size)
        elif types.is_dictionary(kind):
            self._put_entries(array)
        elif types.is_string_view(kind) or types.is_binary_view(kind):
            self._add(len(array), 0)
            self._add(0, _viewed(array))
        elif types.is_null(kind) or _strings(types, kind) or _fixed(types, kind):
            self._add(len(array), array.nbytes)
        else:
            raise TooLarge(f"columns of type {str(kind)[:60]} are not supported")

    def _put_inner(self, array: Any, start: int, end: int) -> None:
        self._add(len(array), 0)
        self._fits(end - start)
        children = (array.keys, array.items) if self._types.is_map(array.type) else (array.values,)
        for child in children:
            self.put(child.slice(start, end - start))

    def _put_entries(self, array: Any) -> None:
        entries = array.dictionary
        self._add(len(array), 0)
        if _fixed(self._types, entries.type):
            return
        if not _strings(self._types, entries.type):
            raise TooLarge(f"dictionaries of type {str(entries.type)[:60]} are not supported")
        if len(array) * entries.nbytes > MAX_ROW_BYTES:  # else not even its longest entry in each place is too much
            from pyarrow import compute

            self._add(0, compute.sum(compute.binary_length(entries).take(array.indices)).as_py() or 0)

    def _fits(self, values: int) -> None:
        self._add(values, 0)
        self._values -= values

    def _add(self, values: int, length: int) -> None:
        self._values += values
        self._bytes += length
        if self._values > MOST_VALUES:
            raise TooLarge(f"a row with more than {count(MOST_VALUES)} values")
        if self._bytes > MAX_ROW_BYTES:
            raise TooLarge(f"longer than {MAX_ROW_BYTES >> 20} MiB")


def _strings(types: Any, kind: Any) -> bool:
    """Whether values of a type are strings or bytes."""
    small, large = types.is_string(kind) or types.is_binary(kind), types.is_large_string(kind)
    return bool(small or large or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _fixed(types: Any, kind: Any) -> bool:
    """Whether values of a type are numbers or times of a few bytes."""
    return bool(types.is_primitive(kind) or types.is_decimal(kind) or types.is_temporal(kind))


def _viewed(array: Any) -> int:
    """Bytes of the strings of an array of views: each view is 16 bytes, of which the first four are its length."""
    views = memoryview(array.buffers()[1] or b"")
    views = views[: len(views) // 16 * 16].cast("i")
    return sum(max(0, each) for each in views[4 * array.offset : 4 * (array.offset + len(array)) : 4])


def viewed(array: Any) -> int:
    """Bytes of all strings of an array, and of those in it, that are views; valid or not."""
    import pyarrow

    types, kind = pyarrow.types, array.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        return viewed(array.storage)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return _viewed(array)
    if types.is_struct(kind):
        return sum(viewed(array.field(number)) for number in range(kind.num_fields))
    if types.is_map(kind):
        return viewed(array.keys) + viewed(array.items)
    if types.is_dictionary(kind):
        return viewed(array.dictionary)
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return viewed(array.values) if lists else 0

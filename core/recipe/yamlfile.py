"""Recipes as YAML files: reading reports what is wrong and in which line, writing adds what each field means.

PyYAML is imported when a file is read; writing needs only the standard library.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import __version__
from core.clean import clean_line
from core.errors import BadInput
from core.nearest import nearest_file
from core.paths import RECIPE_SUFFIXES
from core.recipe.declare import Knob, Problem
from core.recipe.paths import absolute, relative
from core.recipe.recipe import KNOBS, SECTIONS, Recipe, get, is_shown, plain, read, why_without_effect
from core.recipe.values import number_text

if TYPE_CHECKING:
    import yaml

_LIMIT = 1_000_000
"""Bytes: no recipe is longer."""

_MOST_VALUES = 100_000
"""Values of a recipe, aliases written out."""
_COLUMN = 40
"""Where the comments begin, in characters from the left."""

_DATA = frozenset((".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".txt"))
"""What the names of data files end with."""

_PLAIN = re.compile(r"(?:\.\.?/)*[A-Za-z/][\w./+-]*(?: [A-Za-z][\w./+-]*)*", re.ASCII)
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
_ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')
_TOP_KEY = re.compile(rb"^([a-z_]+)\s*:", re.M)
VERSION_KEY = "tunedeck"
"""The key that says which version wrote the file."""


def load(path: Path) -> Recipe:
    """The recipe in a file; its relative paths start from the file's folder and become absolute.

    Raises:
        BadInput: it cannot be read or a field is wrong, with file and line; or it is a data file.
    """
    _refuse_data(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
    except OSError as error:
        near = nearest_file(path) if isinstance(error, FileNotFoundError) else ""
        do = f"Did you mean `{near}`?" if near else ""
        raise BadInput(f"Cannot read the recipe: {error.strerror}", where=str(path), do=do) from error
    if len(raw) > _LIMIT:
        raise BadInput("is too large for a recipe", where=str(path), do="Give a recipe, not a data file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("is not UTF-8 text", where=str(path), do="Give a recipe in YAML") from error
    return absolute(loads(text, where=str(path)), path.absolute().parent)


def is_recipe(path: Path) -> bool:
    """Whether a file is a recipe by its name and by a field of recipes at its top; YAML may as well hold rows."""
    if path.suffix.lower() not in RECIPE_SUFFIXES or not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            head = stream.read(65_536)
    except OSError:
        return True  # whoever reads it says why it cannot be read
    keys = {key.decode() for key in _TOP_KEY.findall(head)}
    return not head.strip() or bool(keys & {VERSION_KEY, *(each.name for each in fields(Recipe))})


def _refuse_data(path: Path) -> None:
    """Say of a data file what it is: as YAML it would be refused by a line that helps nobody.

    Raises:
        BadInput: it is named like data, or begins like rows.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] in ([".gz"], [".zst"]):
        suffixes.pop()
    is_data = bool(suffixes) and suffixes[-1] in _DATA
    if not is_data and not (suffixes and suffixes[-1] in RECIPE_SUFFIXES):
        try:
            with path.open("rb") as stream:
                is_data = stream.read(4_096).lstrip().startswith((b'{"', b'[{"', b"PAR1", b"ARROW1", b"\x1f\x8b"))
        except OSError:
            return  # `load` says why it cannot be read
    if is_data and path.exists():
        name = shlex.quote(str(path))
        raise BadInput(
            f"{path.name} is data, not a recipe",
            do=f"`tunedeck init recipe.yaml {name}` writes a recipe for it. Open it with: tunedeck {name}",
        )


def loads(text: str, *, where: str = "recipe") -> Recipe:
    """The recipe in a YAML text, with its paths as written.

    Raises:
        BadInput: the first problem, with its line.
    """
    recipe, problems = check(text)
    if problems:
        line, problem = problems[0]
        more = (
            f"{len(problems) - 1} more {'problem follows' if len(problems) == 2 else 'problems follow'}"
            if len(problems) > 1
            else ""
        )
        raise BadInput(problem.sentence, where=f"{where}, line {line}" if line else where, do=more)
    return recipe


def check(text: str) -> tuple[Recipe, list[tuple[int, Problem]]]:
    """What can be read of a YAML text, and what is wrong with the rest: (line from 1 or 0, problem), by line."""
    import yaml

    loader = yaml.SafeLoader(_printable(text))
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        return Recipe(), [(line, Problem("", f"Not valid YAML: {clean_line(error.problem or '', 200)}."))]
    except (yaml.YAMLError, RecursionError) as error:
        return Recipe(), [(0, Problem("", f"Not valid YAML: {clean_line(str(error), 200)}."))]
    finally:
        loader.dispose()
    if root is None:
        return Recipe(), []
    if _values(root, {}) > _MOST_VALUES:
        return Recipe(), [(1, Problem("", "Not valid YAML: an alias (*) repeats too much."))]
    if not isinstance(root, yaml.MappingNode):
        got = "a list; rows of data are not read from YAML" if isinstance(root, yaml.SequenceNode) else "a single value"
        return Recipe(), [(1, Problem("", f"Expected recipe fields such as `model:`, got {got}."))]
    lines: dict[str, int] = {}
    problems: list[tuple[int, Problem]] = []
    plain = _plain_mapping(root, "", lines, problems)
    written_by = plain.pop(VERSION_KEY, __version__)
    recipe, wrong = read(plain)
    problems += [(lines.get(problem.path, 0), problem) for problem in wrong]
    if wrong and written_by != __version__:
        note = f"The file was written by tunedeck {clean_line(str(written_by), 20)}; this is {__version__}."
        problems.append((lines.get(VERSION_KEY, 0), Problem(VERSION_KEY, note, "note")))
        return recipe, problems
    return recipe, sorted(problems, key=lambda found: found[0])


def dumps(recipe: Recipe, *, file_name: str = "recipe.yaml", about: str = "") -> str:
    """The recipe as YAML: every field that applies, with what it does beside it; `loads(dumps(r)) == r`.

    A field that was set but has no effect is included and says so.

    Args:
        recipe: paths as they should be written.
        file_name: the file's name, for the command in its first line.
        about: what the first line says instead; "" for the command that trains it.
    """
    about = about or f"A tunedeck recipe. Train it with: tunedeck train {shlex.quote(file_name)}"
    lines = [
        f"# {clean_line(about, 4_096)}",
        f"{VERSION_KEY}: {__version__}",
    ]
    section = ""
    for path, knob in KNOBS.items():
        if not is_shown(recipe, path):
            continue
        if knob.section != section:
            section = knob.section
            lines += ["", f"# {_first_sentence(SECTIONS[section].__doc__ or '')}", f"{section}:"]
        entry = f"{'  ' if section else ''}{knob.name}: {value_text(plain(get(recipe, path)))}"
        why = why_without_effect(recipe, path)
        lines.append(f"{entry:<{_COLUMN}}  # {f'No effect: {why}.' if why else _comment(knob)}")
    return "\n".join(lines) + "\n"


def save(recipe: Recipe, path: Path, *, portable: bool = True, about: str = "") -> None:
    """Writes the recipe to a file, whole or not at all.

    Args:
        recipe: with absolute paths, as `load` returns it.
        path: the file; it is replaced.
        portable: write paths inside the file's folder relative to it, so that the folder can be moved.
        about: the file's first line; "" for the command that trains it.

    Raises:
        BadInput: the file cannot be written.
    """
    written = relative(recipe, path.absolute().parent) if portable else recipe
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(dumps(written, file_name=path.name, about=about).encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(
            f"Cannot write the recipe: {error.strerror}", where=str(path), do="Save it in a folder you can write to"
        ) from error


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node has once its aliases are written out; more than enough where one repeats itself."""
    if (found := known.get(id(node))) is not None:
        return found
    known[id(node)] = _MOST_VALUES + 1  # of a node within itself
    inner = node.value if isinstance(node.value, list) else []
    parts = [part for each in inner for part in (each if isinstance(each, tuple) else (each,))]
    known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def _plain_mapping(
    node: yaml.MappingNode, prefix: str, lines: dict[str, int], problems: list[tuple[int, Problem]]
) -> dict[str, Any]:
    """A mapping node as a dict of plain values; notes each key's line and keys that appear twice."""
    import yaml

    plain: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append((line, Problem(prefix, "A field name must be a word.")))
            continue
        path = f"{prefix}.{key_node.value}" if prefix else key_node.value
        if key_node.value in plain:
            sentence = f"{clean_line(path, 80)} appears twice; the first is on line {lines[path]}."
            problems.append((line, Problem(path, sentence)))
            continue
        lines[path] = line
        if not prefix and key_node.value in SECTIONS and isinstance(value_node, yaml.MappingNode):
            plain[key_node.value] = _plain_mapping(value_node, path, lines, problems)
        else:
            plain[key_node.value] = _plain_value(value_node, KNOBS.get(path))
    return plain


def _plain_value(node: yaml.Node, knob: Knob | None) -> object:
    """A node's value; text stays as it is written, so that a name like 2026-01-01 or 007 is not taken for a number."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return [_plain_value(item, knob) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        columns = {column.name: column for column in knob.columns} if knob is not None else {}
        return {str(key.value): _plain_value(value, columns.get(str(key.value))) for key, value in node.value}
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag == "tag:yaml.org,2002:bool" and knob is not None and knob.kind == "switch":
        return node.value.lower() in ("true", "yes", "on")
    if knob is not None and knob.kind in ("whole", "number") and node.tag == "tag:yaml.org,2002:bool":
        return node.value.lower() in ("true", "yes", "on")
    return node.value


def _printable(text: str) -> str:
    """The text with characters that YAML forbids replaced, so that the rest of the file can still be read."""
    return re.sub(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def _comment(knob: Knob) -> str:
    said = knob.consequence or _first_sentence(knob.help)
    if len(knob.choices) > 1:
        return f"{' | '.join(knob.choices)}. {said}"
    return said


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text.strip(), maxsplit=1)[0]


def value_text(value: Any) -> str:
    """A field's plain value as YAML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list):
        return f"[{', '.join(value_text(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {value_text(item)}" for key, item in value.items()) + "}"
    return _scalar(value)


def _number(value: float) -> str:
    """A number that YAML 1.1 readers take for one, too: they want a point and a sign in `2.0e-4`."""
    mantissa, mark, exponent = number_text(value).partition("e")
    if not mark:
        return mantissa
    point = "" if "." in mantissa else ".0"
    return f"{mantissa}{point}e{int(exponent):+d}"


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + _ESCAPED.sub(lambda found: _escape(found.group()), text) + '"'


def _escape(char: str) -> str:
    return f"\\{char}" if char in '"\\' else f"\\u{ord(char):04x}"

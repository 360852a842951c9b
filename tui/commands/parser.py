"""The parser behind every command line: help that fits 80 columns, and errors that say what was probably meant."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from core.errors import BadInput
from core.nearest import nearest
from tui.commands.table import COMMANDS, CommandInfo

_WIDTH = 80
_INDENT, _MIDDLE, _NARROW = 26, 16, 8
_FAULTS: tuple[tuple[str, str], ...] = (
    (r"the following arguments are required: (.+)", r"Missing: \1"),
    (r"argument (\S+): expected (?:one argument|at least one argument)", r"\1 needs a value"),
    (r"argument (\S+): invalid (?:float|int) value: (.+)", r"\1: expected a number, got \2"),
    (r"argument (\S+): not allowed with argument (\S+)", r"\1 and \2 cannot be combined"),
    (r"argument (\S+): ignored explicit argument (.+)", r"\1 takes no value, got \2"),
    (r"ambiguous option: (\S+) could match (.+)", r"\1 is ambiguous: \2"),
)
"""What argparse says of a fault, and what is said in its place."""
_CHOICE = re.compile(r"argument (?P<name>[^:]+): invalid choice: '(?P<word>.*)' \(choose from (?P<all>.+)\)")


class HelpText(argparse.HelpFormatter):
    """Help in at most 80 columns: headings, paragraphs that wrap, indented lines that do not."""

    def __init__(self, prog: str) -> None:
        width = min(_WIDTH, shutil.get_terminal_size().columns)
        super().__init__(prog, max_help_position=_INDENT, width=max(width, 40))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = text.strip("\n").split("\n\n")
        return "\n\n".join(
            part if re.search(r"^ ", part, re.MULTILINE) else textwrap.fill(part, width) for part in parts
        )

    def start_section(self, heading: str | None) -> None:
        """Begin a group; its heading is capitalized as a sentence is."""
        named = "arguments" if heading == "positional arguments" else heading
        super().start_section(named and named[0].upper() + named[1:])


class Parser(argparse.ArgumentParser):
    """A parser whose faults are `BadInput` with a hint.

    Args:
        info: what the help says beside the options; None for the program itself.
        **options: of `argparse.ArgumentParser`.
    """

    def __init__(self, *, info: CommandInfo | None = None, **options: Any) -> None:
        super().__init__(add_help=False, formatter_class=HelpText, **options)
        self._info = info
        self.add_argument("-h", "--help", action="help", help="Show this help and exit.")

    def format_help(self) -> str:
        """The whole help; what comes after the options is put together only now."""
        self.epilog = program_epilog() if self._info is None else command_epilog(self._info)
        return super().format_help()

    def print_help(self, file: Any = None) -> None:
        """Write the help; unlike argparse's, a reader that has left is not passed over."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line.

        Raises:
            BadInput: always.
        """
        help_line = f"See `{self.prog} --help`"
        if choice := _CHOICE.fullmatch(message):
            choices = re.findall(r"[\w.-]+", choice["all"])
            near = nearest(choice["word"], choices)
            what = f"{choice['name']}: expected one of {', '.join(choices)}, got {choice['word']!r}"
            raise BadInput(what, do=f"Did you mean `{near}`?" if near else help_line)
        for pattern, sentence in _FAULTS:
            if found := re.fullmatch(pattern, message):
                raise BadInput(found.expand(sentence), do=help_line)
        raise BadInput(message[0].upper() + message[1:], do=help_line)

    @property
    def options(self) -> list[str]:
        """Every option that it knows, `--json`, in the order of declaration."""
        return [name for action in self._actions for name in action.option_strings]

    def command(self, name: str) -> Parser:
        """The parser of one of the commands that were added to this one."""
        found: Parser = self._commands.choices[name]
        return found

    def add_subparsers(self, **options: Any) -> Any:
        """Let commands be added; the arguments are those of `argparse`."""
        self._commands = super().add_subparsers(**options)
        return self._commands

    def refuse_unknown_options(self, words: Sequence[str]) -> None:
        """Look for options that do not exist before anything else is wrong with the command line.

        Args:
            words: what follows the command's name.

        Raises:
            BadInput: naming the option, and the one that was probably meant.
        """
        for place, word in enumerate(words):
            if word == "--":
                return
            name = word.partition("=")[0]
            if re.fullmatch(r"--?[A-Za-z][\w.-]*", name) and not any(known.startswith(name) for known in self.options):
                raise BadInput(f"Unknown option {name}", do=self._meant(name, words[place:]))

    def _meant(self, name: str, words: Sequence[str]) -> str:
        if "--set" in self.options:
            from core.recipe.field_names import nearest_field
            from core.recipe.recipe import KNOBS

            if path := nearest_field(name.lstrip("-"), KNOBS):
                return f"Did you mean `--set {path}={_value_of(words)}`?"
        near = nearest(name, self.options)
        return f"Did you mean `{near}`?" if near else f"See `{self.prog} --help`"


def _value_of(words: Sequence[str]) -> str:
    """The value that was given with an option, as far as it can be told from the next argument; else VALUE."""
    _, mark, value = words[0].partition("=")
    if mark:
        return value or "VALUE"
    following = words[1] if len(words) > 1 else ""
    return following if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?|true|false|yes|no", following, re.IGNORECASE) else "VALUE"


def command_epilog(info: CommandInfo) -> str:
    """What a command's help says after its options: examples, exit codes, variables, settings."""
    from tui.commands.environment import FILES, variables_of
    from tui.commands.exit_codes import EXIT_CODES

    parts = ["Examples:\n" + "\n".join(f"  tunedeck {words}" for words in info.examples)] if info.examples else []
    parts.append(_table("Exit codes:", [(str(code), meaning) for code, meaning in EXIT_CODES.items()], _NARROW))
    if names := variables_of(info.reads):
        listed = textwrap.wrap(", ".join(names), _WIDTH, initial_indent="  ", subsequent_indent="  ")
        parts.append("\n".join(["Environment variables (`tunedeck --help` explains them):", *listed]))
    parts.append(f"Settings:\n  {FILES[0][0]}")
    return "\n\n".join(parts)


def program_epilog() -> str:
    """What `tunedeck --help` says after its options: the commands, exit codes, variables and files."""
    from tui.commands.environment import FILES, VARIABLES
    from tui.commands.exit_codes import EXIT_CODES

    parts = []
    for group in dict.fromkeys(info.group for info in COMMANDS.values()):
        rows = [(name, info.summary) for name, info in COMMANDS.items() if info.group == group]
        parts.append(_table(f"{group}:", rows, _MIDDLE))
    parts.append("`tunedeck COMMAND --help` shows the options of a command. In the app, press ?.")
    parts.append(_table("Exit codes:", [(str(code), meaning) for code, meaning in EXIT_CODES.items()], _NARROW))
    parts.append(_table("Environment variables:", [(variable.name, variable.help) for variable in VARIABLES]))
    parts.append(_table("Settings and results:", list(FILES)))
    return "\n\n".join(parts)


def _table(heading: str, rows: Sequence[tuple[str, str]], indent: int = _INDENT) -> str:
    """A heading and lines of a name and a sentence about it, which begins at a column of its own."""
    lines = [heading]
    for name, text in rows:
        lead = f"  {name}".ljust(indent)
        if not lead.endswith("  "):  # as argparse does: a long name has a line of its own
            lines.append(lead.rstrip())
            lead = ""
        lines += textwrap.wrap(
            f"{text[0].upper()}{text[1:]}.",
            _WIDTH,
            initial_indent=lead.ljust(indent),
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )
    return "\n".join(lines)

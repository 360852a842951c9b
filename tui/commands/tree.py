"""The one parser, put together: the options of the app, and every headless command with its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from core import __version__
from tui.commands.table import COMMANDS

if TYPE_CHECKING:
    from tui.commands.parser import Parser

_VERSION_HELP = "Print the version and exit."


def parser(name: str = "") -> Parser:
    """The one parser: the options of the app, and every headless command.

    Args:
        name: the only command whose arguments are declared, since each module costs its import; "" for all of them.
    """
    from tui.commands.parser import Parser

    found = program()
    commands = found.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog=found.prog, parser_class=Parser
    )
    for each, info in COMMANDS.items():
        module = import_module(f"tui.commands.{each.replace('-', '_')}") if name in ("", each) else None
        said = module.__doc__ if module else info.summary
        command = commands.add_parser(each, help=info.summary, description=said, info=info)
        if module is not None:
            module.add_arguments(command)
            command.set_defaults(handler=module.run)
    return found


def program() -> Parser:
    """The parser of `tunedeck` without a command, which opens the app; its help lists the commands."""
    from tui.commands import open as opening
    from tui.commands.parser import Parser

    found = Parser(
        prog="tunedeck",
        usage="tunedeck [FILE ...] [options]\n       tunedeck COMMAND [options]",
        description=opening.__doc__,
    )
    opening.add_options(found)
    found.add_argument("-V", "--version", action="version", version=f"tunedeck {__version__}", help=_VERSION_HELP)
    return found

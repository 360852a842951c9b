"""Print a completion script: with it, the tab key completes commands, options, files and runs.

Save it once where your shell looks for completions, then open a new shell:

  bash  d=~/.local/share/bash-completion/completions; mkdir -p $d
        tunedeck completion bash > $d/tunedeck
  zsh   tunedeck completion zsh > "${fpath[1]}/_tunedeck"
  fish  tunedeck completion fish > ~/.config/fish/completions/tunedeck.fish

Without the package bash-completion, put this into ~/.bashrc:

  eval "$(tunedeck completion bash)"
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from core.errors import TunedeckError
from tui.commands.output import say
from tui.commands.table import COMMANDS

SHELLS = ("bash", "zsh", "fish")
_RUNS = "command ls -1 runs 2>/dev/null"
"""Run names of the current folder, newest last."""
_KINDS = (("FOLDER", "directory"), ("FILE", "file"), ("RECIPE", "file"), ("PATH", "file"), ("RUN", "run"))
"""What the tab key offers for an argument, by a word in what the help calls it; the first that fits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="Your shell: bash, zsh or fish.")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    from tui.commands.tree import parser

    try:
        import shtab
    except ImportError:
        raise TunedeckError("The package shtab is not installed", do="Install it with `pip install shtab`") from None
    offers: dict[str, Any] = {"file": shtab.FILE, "directory": shtab.DIRECTORY, "run": shtab.cmd(_RUNS)}
    whole = parser()
    for name, info in COMMANDS.items():
        whole.command(name).description = info.summary  # zsh and fish show it beside the command, on one line
    for action in _values(whole):
        named = str(action.metavar or "")
        kind = next((kind for word, kind in _KINDS if word in named and "=" not in named), None)
        if kind is not None and not action.choices:
            action.complete = offers[kind]  # type: ignore[attr-defined]  # where shtab looks for it
    say(_with_files(shtab.complete(whole, arguments.shell), arguments.shell).rstrip("\n"))
    return 0


def _values(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every action of a parser and of its commands that takes a value."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _values(each)
        elif action.nargs != 0:
            yield action


def _with_files(script: str, shell: str) -> str:
    """The script, so that it offers files beside the commands: `tunedeck FILE` opens the app."""
    if shell == "bash":
        return script.replace("complete -o bashdefault -F", "complete -o bashdefault -o default -F")
    if shell == "zsh":
        return script.replace("commands' _commands\n", "commands' _commands\n  _files\n", 1)
    return f"{script}\ncomplete -c tunedeck -n 'test (count (commandline -opc)) -eq 1' -F\n"

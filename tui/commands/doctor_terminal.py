"""What `tunedeck doctor` says of the terminal: its type, colors, character set and size, and tmux in between."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from core.clean import clean_line
from tui.commands.doctor_finding import DoctorFinding
from tui.commands.open import NO_SCREEN

_TRUE_COLOR = 1 << 24
_FEW_COLORS = 256
_SMALL = (80, 24)
_TMUX_FORMAT = "\t".join(
    f"#{{{name}}}" for name in ("version", "allow-passthrough", "set-clipboard", "client_termfeatures")
)


def examine_terminal(
    environment: Mapping[str, str],
    *,
    size: tuple[int, int] | None,
    codeset: str,
    ask_tmux: Callable[[], str] | None = None,
) -> tuple[dict[str, Any], list[DoctorFinding]]:
    """What the terminal can show, and what to set where it shows less than it could.

    Args:
        environment: the variables.
        size: columns and rows; None where there is no terminal, and nothing is found wrong with it.
        codeset: of the terminal, as `tui.terminal.codeset.terminal_codeset` names it.
        ask_tmux: gives `_TMUX_FORMAT` as the tmux around it fills it in, "" where it does not answer.

    Returns:
        `{"term", "colors", "codeset", "size", "tmux"}`, and the findings.
    """
    term = environment.get("TERM", "")
    colors = _colors(environment)
    tmux = (ask_tmux or _ask_tmux)() if environment.get("TMUX") else ""
    version, passthrough, clipboard, features = (tmux.split("\t") + [""] * 4)[:4]
    facts: dict[str, Any] = {
        "term": term,
        "colors": colors,
        "codeset": codeset,
        "size": list(size) if size else None,
        "tmux": clean_line(version, 40) if environment.get("TMUX") else None,
    }
    good_term = f"export TERM={'tmux' if environment.get('TMUX') else 'xterm'}-256color"
    found: list[DoctorFinding] = []

    def note(message: str, fix: str = "") -> None:
        found.append(DoctorFinding("note", "terminal", message, fix))

    if size is None:
        return facts, found
    if term in NO_SCREEN:
        note(f"TERM is {term or 'not set'}: the app cannot open on such a terminal.", good_term)
    elif colors < _FEW_COLORS and not environment.get("NO_COLOR"):
        note(f"Only {colors} colors with TERM={clean_line(term, 40)}.", good_term)
    if codeset != "utf-8":
        note(f"The locale is not UTF-8 ({codeset}): frames and charts are drawn in ASCII.", "export LANG=C.UTF-8")
    if size[0] < _SMALL[0] or size[1] < _SMALL[1]:
        note(f"The terminal is {size[0]}x{size[1]}: make it at least {_SMALL[0]}x{_SMALL[1]} to see whole screens.")
    if tmux:
        if passthrough in ("off", "0"):  # as tmux 3.4 and 3.3 say it
            note(
                "tmux drops the notification at the end of a run (allow-passthrough is off).",
                _set("-g", "allow-passthrough on"),
            )
        if clipboard in ("off", "external"):
            note(
                "tmux does not pass copied text to your clipboard (set-clipboard is not on).",
                _set("-s", "set-clipboard on"),
            )
        if colors == _TRUE_COLOR and "RGB" not in features.split(","):
            note("tmux shows 256 colors instead of true color.", _set("-as", "terminal-features ',*:RGB'"))
    elif environment.get("STY"):
        note("GNU screen drops notifications and copied text; tmux passes them on.")
    return facts, found


def _set(scope: str, option: str) -> str:
    return f"tmux set {scope} {option}"


def _colors(environment: Mapping[str, str]) -> int:
    """How many colors the app uses: as Textual finds out, by COLORTERM and the end of TERM."""
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return _TRUE_COLOR
    return _FEW_COLORS if environment.get("TERM", "").endswith(("-256color", "-kitty")) else 16


def _ask_tmux() -> str:
    try:
        done = subprocess.run(
            ["tmux", "display-message", "-p", _TMUX_FORMAT], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.rstrip("\n")

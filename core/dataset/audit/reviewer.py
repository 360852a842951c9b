"""Who reviews: the name that decisions are saved under."""

from __future__ import annotations

import getpass
import os

from core.clean import clean_line
from core.paths import config_dir

VARIABLE = "TUNEDECK_USER"
SETTING = "user"
"""The name in `settings.toml`."""

_MOST = 60


def reviewer_name() -> str:
    """The reviewer's name: from `TUNEDECK_USER`, else `user` in `settings.toml`, else the login name. Never raises."""
    for name in (os.environ.get(VARIABLE, ""), _from_settings()):
        if found := clean_line(name, _MOST).strip():
            return found
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _from_settings() -> str:
    try:
        text = (config_dir() / "settings.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    if SETTING not in text:
        return ""
    import tomllib  # most name nobody

    try:
        name = tomllib.loads(text).get(SETTING)
    except ValueError:  # the app says so when it starts
        return ""
    return name if isinstance(name, str) else ""

"""Whether this machine ends a user's processes at logout, which a session of their own is no help against."""

from __future__ import annotations

from pathlib import Path

_PLACES = ("usr/lib/systemd", "run/systemd", "etc/systemd")
"""Where systemd-logind is set up; of files with one name, the last place's counts."""


def ends_processes(user: str, root: str = "/") -> bool:
    """Whether systemd-logind ends what this user leaves behind at logout, an SSH connection that is lost included.

    From `KillUserProcesses`, `KillOnlyUsers` and `KillExcludeUsers` (logind.conf(5)), and from whether this process
    belongs to a login session at all.

    Args:
        user: a login name.
        root: the folder that holds `etc`, `proc` and so on, with a slash at its end.
    """
    try:
        in_session = "/session-" in Path(f"{root}proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:
        return False
    said = _settings(root)
    if not in_session or said.get("KillUserProcesses", "no").lower() not in ("yes", "true", "on", "1"):
        return False
    only = said.get("KillOnlyUsers", "").split()
    return user in only if only else user not in said.get("KillExcludeUsers", "root").split()


def _settings(root: str) -> dict[str, str]:
    main = [path for place in _PLACES if (path := Path(root, place, "logind.conf")).is_file()][-1:]
    parts = {path.name: path for place in _PLACES for path in Path(root, place, "logind.conf.d").glob("*.conf")}
    found: dict[str, str] = {}
    for path in (*main, *(parts[name] for name in sorted(parts))):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith(("#", ";")))
        found |= {name.strip(): value.strip() for name, value in pairs}
    return found

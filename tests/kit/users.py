"""Code in a process of another user, or with another umask: what a group does in one workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

_PREAMBLE = """
import os, sys
sys.path.insert(0, sys.argv[1])
uid, gid, umask = (int(word) for word in sys.argv[2:5])
{imports}
import encodings.ascii, encodings.latin_1, pwd
os.umask(umask)
if uid >= 0:
    os.setgroups([gid])
    os.setegid(gid)
    os.seteuid(uid)
arguments = sys.argv[5:]
"""


def run_as(code: str, *arguments: str | Path, imports: str, umask: int, uid: int = -1, gid: int = -1) -> str:
    """What a piece of code prints.

    Args:
        code: Python; `arguments` is the list of its arguments.
        *arguments: for it.
        imports: done while the process is still this user's, who can read this checkout.
        umask: of the process.
        uid: effective user ID; -1 for this one. Another one is for root alone.
        gid: effective group ID, likewise.
    """
    command = [sys.executable, "-c", _PREAMBLE.format(imports=imports) + code]
    words = [str(ROOT), str(uid), str(gid), str(umask), *map(str, arguments)]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout

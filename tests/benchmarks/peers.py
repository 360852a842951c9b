"""Programs that we are held against, each in a virtual environment of its own under `.venv-peers`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-peers"


class NoPeer(Exception):
    """A peer cannot be had here; the text says why."""


def peer(name: str, *requirements: str) -> Path:
    """The `bin` folder of a venv that holds a peer, made at first use with byte code compiled.

    Args:
        name: the venv's name.
        requirements: what pip installs there.

    Raises:
        NoPeer: pip could not install it.
    """
    folder = PEERS / name
    done = folder / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--compile", *requirements]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=420)
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise NoPeer(f"{' '.join(requirements)}: {reason}") from error
        except subprocess.TimeoutExpired as error:
            raise NoPeer(f"{' '.join(requirements)}: pip took more than seven minutes") from error
        done.touch()
    return folder / "bin"

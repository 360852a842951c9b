"""Builds the wheel, installs it into an empty venv of each Python that is here and runs it: `make wheel-check`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "tui", "themes", "sample_data")
VERSIONS = ("3.11", "3.12", "3.13")
"""Of Python, under which the light install must work."""


def main() -> int:
    """Check the wheel; 0 if it holds all files and works on its own under each Python that was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
        wheel = next(folder.glob("*.whl"))
        missing = tracked_files() - set(zipfile.ZipFile(wheel).namelist())
        if missing:
            print(f"wheel check: {wheel.name} lacks {len(missing)} files: {', '.join(sorted(missing))}")
            return 1
        print(f"wheel check: {wheel.name} ({wheel.stat().st_size / 2**20:.1f} MiB) holds every file")
        pythons = {version: python for version in VERSIONS if (python := interpreter(version))}
        with ThreadPoolExecutor() as threads:  # pip waits for the network most of the time
            codes = threads.map(lambda found: check_install(wheel, folder / found[0], found[1]), pythons.items())
            failed = sum(codes)
        if absent := [version for version in VERSIONS if version not in pythons]:
            print(f"wheel check: not tried, not on PATH: Python {', '.join(absent)}")
        return 1 if failed or not pythons else 0


def interpreter(version: str) -> str:
    """A Python of this version: the one that runs this, or one on PATH that starts; "" where there is none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(f"python{version}")
    return found if found and starts(found, version) else ""


def starts(python: str, version: str) -> bool:
    """Whether an interpreter starts (a shim of pyenv may not), is of this version, and has the module venv."""
    ask = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    asked = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    return asked.returncode == 0 and asked.stdout.strip() == version


def tracked_files() -> set[str]:
    """The files of the packages that git tracks."""
    listed = run("git", "-C", str(ROOT), "ls-files", "-z", *PACKAGES)
    return {path for path in listed.split("\0") if path}


def check_install(wheel: Path, folder: Path, python: str) -> int:
    """Install the wheel alone (the light install) and ask it how it is, from an empty folder; 0 if all is well."""
    began = time.monotonic()
    run(python, "-m", "venv", "--without-pip", str(folder / "venv"))
    binaries = folder / "venv" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", str(binaries / "python"), "--disable-pip-version-check")
    constraints = str(ROOT / "constraints.txt")
    run(*pip, "install", "--quiet", "--no-compile", "-c", constraints, str(wheel))
    empty = folder / "empty"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    facts = json.loads(run(str(binaries / "tunedeck"), "doctor", "--json", cwd=empty, env=environment))
    if not facts["ok"] or not Path(facts["installed_in"]).is_relative_to(folder.resolve()):
        print(f"wheel check: the installed program is not whole: {json.dumps(facts, indent=2)}")
        return 1
    if facts["packages"]["torch"] is not None:
        print("wheel check: the light install has pulled torch in")
        return 1
    rows = json.loads(
        run(
            str(binaries / "tunedeck"),
            "scan",
            "--json",
            facts["installed_in"] + "/sample_data/support_train.jsonl",
            cwd=empty,
        )
    )["rows"]
    seconds = time.monotonic() - began
    print(
        f"wheel check: Python {facts['python']}: installed alone, doctor says ok, scan reads {rows} rows of the sample "
        f"data ({seconds:.0f} s)",
        flush=True,
    )
    return 0


def run(*argv: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return what it prints; its own words on failure."""
    done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, env=env)
    if done.returncode:
        raise SystemExit(f"wheel check: {' '.join(argv)} failed\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

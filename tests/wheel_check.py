"""Builds the wheel, installs it into an empty venv and runs it: `make wheel-check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "tui", "themes", "sample_data")


def main() -> int:
    """Check the wheel; 0 if it holds all files and works on its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
        wheel = next(folder.glob("*.whl"))
        missing = tracked_files() - set(zipfile.ZipFile(wheel).namelist())
        if missing:
            print(f"wheel check: {wheel.name} lacks {len(missing)} files: {', '.join(sorted(missing))}")
            return 1
        print(f"wheel check: {wheel.name} ({wheel.stat().st_size / 2**20:.1f} MiB) holds every file")
        return check_install(wheel, folder)


def tracked_files() -> set[str]:
    """The files of the packages that git tracks."""
    listed = run("git", "-C", str(ROOT), "ls-files", "-z", *PACKAGES)
    return {path for path in listed.split("\0") if path}


def check_install(wheel: Path, folder: Path) -> int:
    """Install the wheel alone (the light install) and ask it how it is, from an empty folder."""
    venv.create(folder / "venv", with_pip=True)
    binaries = folder / "venv" / "bin"
    constraints = str(ROOT / "constraints.txt")
    run(str(binaries / "python"), "-m", "pip", "install", "--quiet", "-c", constraints, str(wheel))
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
    print(f"wheel check: installed alone, doctor says ok, scan reads {rows} rows of the sample data")
    return 0


def run(*argv: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return what it prints; its own words on failure."""
    done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, env=env)
    if done.returncode:
        raise SystemExit(f"wheel check: {' '.join(argv)} failed\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

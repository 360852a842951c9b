"""Which data files lie in and just below a folder, to choose from."""

from __future__ import annotations

import os
from pathlib import Path

from core import paths
from core.clean import clean_line
from core.units import size
from tui.data.opened import last_opened
from tui.widgets.file_picker import FileChoice

_MOST_LOOKED_AT = 3_000
_MOST_OFFERED = 200
_SKIPPED = frozenset(("runs", "node_modules", "__pycache__"))
_MODEL_NAMES = frozenset(("adapter_config.json", "tokenizer_config.json"))
_MODEL_SUFFIXES = (".safetensors", ".gguf", ".bin")
_MODEL_FILES = (".json", ".txt")
"""How the names of a model's own files end, which are no data beside its weights: settings, tokenizer, merges."""


def data_files(folder: Path) -> list[FileChoice]:
    """The data files of a folder and of the folders in it, by name; never raises.

    Leaves out runs, and what belongs to a model or an adapter.
    Looks at a few thousand names at most, so that a home directory on a network disk does not take minutes.
    """
    from core.dataset.files.sources import DATA_SUFFIXES, PACKED_SUFFIXES

    found: list[FileChoice] = []
    looked_at = 0
    folders, suffixes = [folder], (*DATA_SUFFIXES, *PACKED_SUFFIXES)
    for place in folders:
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            continue
        names = {entry.name for entry in entries}
        if "job.json" in names:
            continue
        model = not names.isdisjoint(_MODEL_NAMES) or any(name.endswith(_MODEL_SUFFIXES) for name in names)
        for entry in entries:
            looked_at += 1
            if looked_at > _MOST_LOOKED_AT or len(found) >= _MOST_OFFERED:
                return found
            if entry.name.startswith((".", "_")) or entry.name in _SKIPPED:
                continue
            if model and entry.name.endswith(_MODEL_FILES):
                continue
            try:
                if place == folder and entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.name.lower().removesuffix(".gz").removesuffix(".zst").endswith(suffixes) and entry.is_file():
                    name = os.path.relpath(entry.path, folder)
                    found.append(FileChoice(Path(entry.path), clean_line(name, 200), size(entry.stat().st_size)))
            except OSError:
                continue
    return found


def sample_data() -> list[FileChoice]:
    """The dataset that comes with the program, if this installation has it."""
    found = sorted(paths.SAMPLE_DATA.glob("*.jsonl"), key=lambda path: ("train" not in path.name, path.name))
    return [FileChoice(path, f"sample data: {path.name}", size(path.stat().st_size), sample=True) for path in found]


def offered(workspace: Path) -> list[FileChoice]:
    """What is offered in a workspace: what was opened last, its data files with plain text last, the sample data."""
    files = sorted(data_files(workspace), key=lambda choice: choice.path.suffix == ".txt")
    choices = files + sample_data()
    last = last_opened(workspace)
    if last is None:
        return choices
    known = next((choice for choice in choices if choice.path.absolute() == last), None)
    if known is None:
        inside = os.path.relpath(last, workspace) if last.is_relative_to(workspace.absolute()) else str(last)
        known = FileChoice(last, clean_line(inside, 200), "")
    about = " · ".join(filter(None, (known.about, "opened last")))
    return [FileChoice(known.path, known.name, about), *(choice for choice in choices if choice is not known)]

"""The program with a Textual in which names are other ones, as they might be in a later release.

`python -m tests.kit.renamed_textual NAME,NAME [WORD ...]`: each name gets another in the whole of Textual, which works
as before. The words are those of `tunedeck`. At the end `layer.json` in the working directory says which parts
of the layer were left out and which modules of `tui.terminal` were loaded.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class _Renaming(SourceFileLoader):
    names: re.Pattern[bytes]

    def get_code(self, fullname: str) -> CodeType | None:
        source = self.get_data(self.path)
        renamed = self.names.sub(rb"\g<0>_renamed", source)
        return super().get_code(fullname) if renamed == source else self.source_to_code(renamed, self.path)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "textual":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Renaming(fullname, spec.loader.path)
        return spec


def main() -> int:
    """Rename, run the program, and say what it went without."""
    names, *words = sys.argv[1:]
    if names:
        any_name = "|".join(map(re.escape, names.split(",")))
        # A module may have the name of an attribute: `textual._compositor` keeps it.
        _Renaming.names = re.compile(rf"(?<!textual\.)\b({any_name})\b".encode())
        sys.meta_path.insert(0, _Finder())
    from tui.cli import main as tunedeck

    code = tunedeck(words)
    from tui.terminal.fence import Part, holds

    excluded = [part.name for part in Part if not holds(part)]
    loaded = [name.rpartition(".")[2] for name in sys.modules if name.startswith("tui.terminal.")]
    Path("layer.json").write_text(json.dumps({"left_out": excluded, "loaded": loaded}))
    return code


if __name__ == "__main__":
    sys.exit(main())

"""Exports a view in a process of its own: `python -m core.dataset.write VIEW FORM PATH`, with JSON on stdout."""

from __future__ import annotations

import json
import sys
from typing import cast

from core.dataset.view.view import read_view
from core.dataset.write.write import ExportFormat, export_view
from core.errors import TunedeckError

if __name__ == "__main__":
    view, form, path = sys.argv[1:]
    try:
        print(json.dumps(export_view(read_view(view), cast(ExportFormat, form), path).to_json()))
    except TunedeckError as fault:
        sys.exit(str(fault))

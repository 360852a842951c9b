"""Exports a view in a process of its own: `python -m core.dataset.write VIEW FORM PATH [keep-columns]`.

Prints what was written as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import cast

from core.dataset.view.view import read_view
from core.dataset.write.write import KEEP_COLUMNS, ExportFormat, export_view
from core.errors import TunedeckError

if __name__ == "__main__":
    view, form, path, *kept = sys.argv[1:]
    try:
        exported = export_view(read_view(view), cast(ExportFormat, form), path, keep_columns=kept == [KEEP_COLUMNS])
        print(json.dumps(exported.to_json()))
    except TunedeckError as fault:
        sys.exit(str(fault))

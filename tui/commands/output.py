"""What the headless commands print: plain lines, always cleaned, and JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from core.clean import clean


def say(text: str = "") -> None:
    """Print one or more lines, cleaned, and flush: the reader may be a pipe."""
    sys.stdout.write(clean(text) + "\n")
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """Print a value as JSON, one document, in ASCII: no terminal and no pipe can mistake it."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n")
    sys.stdout.flush()

"""From a parsed row to a sample: one class a format, and the recognition that picks one."""

from core.dataset.formats.base import UNKNOWN, Format, Recognition
from core.dataset.formats.recognize import FORMATS, choose, format_named, recognize, to_sample

__all__ = ["FORMATS", "READING", "UNKNOWN", "Format", "Recognition", "choose", "format_named", "recognize", "to_sample"]

READING = 4
"""Part of the keys of what is stored about samples; changes when the same rows are read otherwise than before."""

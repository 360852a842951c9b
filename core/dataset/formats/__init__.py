"""From a parsed row to a sample: one class a format, and the recognition that picks one."""

from core.dataset.formats.base import UNKNOWN, Format, Recognition
from core.dataset.formats.recognize import FORMATS, choose, format_named, recognize, to_sample

__all__ = ["FORMATS", "UNKNOWN", "Format", "Recognition", "choose", "format_named", "recognize", "to_sample"]

"""The prompt of a row that has no answer: enough to look for leaks, too little to evaluate on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.dataset.formats import FORMATS, Recognition, to_sample
from core.dataset.records import Unreadable
from core.dataset.sample import Sample

_ANSWERS: Mapping[str, object] = {
    "completion": "-",
    "output": "-",
    "answer": "-",
    "chosen": "-",
    "rejected": "-",
    "label": True,
}
"""Fields that hold an answer or what is said of it, with a value that stands in where a row has none."""

_PROMPTS = ("instruction", "question", "prompt", "messages")
"""Fields of which one must be there."""


def prompt_alone(value: Mapping[str, Any], found: Recognition, named: Mapping[str, str]) -> Sample | None:
    """A sample with the row's prompt and an answer that means nothing; None where the row has no prompt.

    Args:
        value: a parsed row that is no sample as it is.
        found: what its file is read as, which may be unknown.
        named: field to column, as far as the user has said it.
    """
    filled = {name: held for name, held in value.items() if held is not None}
    for form in sorted(FORMATS, key=lambda each: each.name != found.name):
        known = {*(each.name for each in form.fields), *(each.name for each in form.options)}
        said = found.columns if form.name == found.name else {k: v for k, v in named.items() if k in known}
        missing = [each for each in form.fields if each.name in _ANSWERS]
        columns = {each.name: said.get(each.name) or each.name for each in missing}
        whole = {**{columns[each.name]: _ANSWERS[each.name] for each in missing}, **filled}
        mapped = form.map_columns(list(whole), {name: held for name, held in said.items() if held in whole or not held})
        if not missing or mapped is None or not any(mapped.get(name) in filled for name in _PROMPTS):
            continue
        try:
            return to_sample(whole, Recognition(form.name, "", mapped, form.kind))
        except Unreadable:
            continue
    return None

"""What a run was made of, to be read: its recipe, what of it differs from the defaults, and the data it trains on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.dataset.view.view import read_view
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.recipe.recipe import KNOBS, default_of, get, is_shown, read
from core.units import count, size

_VIEW = "data.view"
"""Filled in by the start and different in every run, so it is no setting that someone changed."""


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """One field of a run's recipe.

    Attributes:
        path: the field, dotted.
        title: what the form calls it.
        value: as a person types it; "" where it is empty.
        default: the same of its default.
    """

    path: str
    title: str
    value: str
    default: str

    @property
    def changed(self) -> bool:
        """Whether it differs from its default."""
        return self.value != self.default and self.path != _VIEW


@dataclass(frozen=True, slots=True)
class RunDetails:
    """Recipe and data of a run, clean.

    Attributes:
        name: what the run is called.
        id: its folder's name.
        fields: every field of the recipe that applies, in the order of their declaration.
        data: label and value of each thing there is to say of the data, in order; "" continues the label above.
        problem: a sentence on what could not be read, or "".
    """

    name: str
    id: str
    fields: tuple[RecipeEntry, ...] = ()
    data: tuple[tuple[str, str], ...] = field(default=())
    problem: str = ""

    @property
    def changed(self) -> list[RecipeEntry]:
        """The fields that differ from their defaults."""
        return [entry for entry in self.fields if entry.changed]


def read_details(folder: Path) -> RunDetails:
    """Recipe and data of the run in a folder; what cannot be read is left out, and `problem` says so."""
    job = JobFolder(folder)
    try:
        written = job.read_job()
    except BadInput as error:
        return RunDetails(clean_line(folder.name), clean_line(folder.name), problem=clean_line(str(error), 400))
    payload = written.get("payload")
    plain = payload.get("recipe") if isinstance(payload, Mapping) else None
    name = clean_line(str(written.get("name") or folder.name), 80)
    if not isinstance(plain, Mapping):
        return RunDetails(name, clean_line(folder.name), problem="This job has no recipe.")
    recipe, unknown = read(plain)
    entries = tuple(
        RecipeEntry(
            path,
            knob.title,
            clean_line(knob.format(get(recipe, path)), 2_000),
            clean_line(knob.format(default_of(recipe, path)), 2_000),
        )
        for path, knob in KNOBS.items()
        if is_shown(recipe, path)
    )
    problem = f"Part of the recipe was not read: {clean_line(unknown[0].sentence, 200)}" if unknown else ""
    try:
        manifest: Mapping[str, Any] = read_view(job.data).manifest
        data = tuple((label, clean_line(value, 2_000)) for label, value in _data_lines(manifest))
    except (BadInput, KeyError, TypeError, ValueError, AttributeError):
        data, problem = (), problem or "The run's data folder cannot be read: its manifest is missing or damaged."
    return RunDetails(name, clean_line(folder.name), entries, data, problem)


def _data_lines(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    counts, split = said["counts"], said["split"]
    lines = _files("file", said["sources"])
    for mixed in said.get("mix", ()):
        lines += _files(f"mixed in, {float(mixed['share']):.0%}", mixed["sources"])
    lines += _files("eval file", said.get("eval_sources", ()))
    read_as = said.get("read_as") or ()
    lines += [("format", f"{each['file']}: {', '.join(form['format'] for form in each['as'])}") for each in read_as]
    if not read_as:
        lines.append(("format", str(said["format"])))
    if (columns := said.get("columns")) and not read_as:
        lines.append(("columns", ", ".join(f"{role}={column}" for role, column in columns.items())))
    lines.append(("rows", count(counts["rows"])))
    lines.append(("trained on", count(counts["train"])))
    lines.append(("eval set", f"{count(counts['eval'])}{_split_words(said, split)}"))
    if counts.get("edited"):
        lines.append(("edited", count(counts["edited"])))
    if said.get("synthetic_samples"):
        lines.append(("synthetic", count(said["synthetic_samples"])))
    dropped = {str(reason): int(number) for reason, number in said.get("dropped", {}).items()}
    for number, (reason, rows) in enumerate(sorted(dropped.items(), key=lambda each: -each[1])):
        lines.append(("" if number else "dropped", f"{count(rows)} {_reason(reason)}"))
    if not dropped:
        lines.append(("dropped", "0"))
    lines.append(("flags dropped", ", ".join(map(str, said.get("drop_flags", ()))) or "none"))
    for what, counted in (said.get("review") or {}).items():
        found = ", ".join(f"{word} {count(rows)}" for word, rows in counted.items()) if what != "conflicts" else ""
        lines.append((what, found or count(counted)))
    if said.get("bad_lines"):
        lines.append(("malformed lines", count(said["bad_lines"])))
    lines += [("note", str(note)) for note in said.get("notes", ())]
    if decisions := said.get("decisions"):
        lines.append(("decisions", f"hash {decisions}"))
    lines.append(("dataset hash", str(said["fingerprint"])))
    return lines


def _files(label: str, sources: Any) -> list[tuple[str, str]]:
    lines = []
    for source in sources:
        lines.append((label, str(source["path"])))
        lines.append(("", f"{size(source['size'])}, hash {source['hash']}"))
    return lines


def _split_words(said: Mapping[str, Any], split: Mapping[str, Any]) -> str:
    if said.get("eval_sources"):
        return ", from the separate eval file"
    if not said["counts"]["eval"]:
        return ""
    words = f", about {float(split['fraction']):.0%} held out with seed {split['seed']}"
    if split.get("near"):
        words += f", near-duplicates ({float(split['near']):.0%}+) on one side"
    return words + (f", stratified by {split['stratify']}" if split.get("stratify") else "")


def _reason(reason: str) -> str:
    """A reason of the manifest: a flag's name, or what is said in place of a key that is none."""
    old = reason.replace("bad_row", "unreadable")  # what earlier versions wrote
    return {"decision": "dropped by hand", "like_eval": "similar to an eval sample"}.get(reason, old)

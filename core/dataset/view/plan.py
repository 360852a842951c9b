"""Builds the curated view of a dataset from its rows, their flags and the user's decisions."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack

from core.clean import clean_line
from core.dataset.audit.decisions import DecisionState, Ledger
from core.dataset.control_text import ControlText
from core.dataset.dataset import Dataset
from core.dataset.flag_names import CONTROL_TOKENS, flag_name
from core.dataset.mapping import AUTO, Chosen
from core.dataset.row_tasks import RowTasks
from core.dataset.scan.scan import Progress, ticking
from core.dataset.synthetic import NAME, by_hand
from core.dataset.view.build import Curator, EvalFiles
from core.dataset.view.near_split import NearSplit
from core.dataset.view.view import BUILDING, CuratedView, publish, read_view, sweep, write_synced
from core.errors import BadInput
from core.paths import hidden_dir

DROP_FLAGS = ("exact_duplicate", "empty_answer", "role_order", "missing_turn", "leak_exact", CONTROL_TOKENS)
"""Rows with these flags are dropped unless the user decided to keep them."""

VERSION = 8
"""Of what goes into a view; part of the fingerprint, so that a later program builds its own."""

_CHUNK = 2**20


class ViewRequest(TypedDict, total=False):
    """What a view is made of and how; all but `paths` may be left out.

    Attributes:
        paths: as `Dataset.open`.
        format: as `Dataset.open`.
        columns: as `Dataset.open`.
        eval_paths: the user's own eval files; then nothing is split off.
        eval_format: as `format`, of the eval files; None reads them as the dataset or as what they are.
        eval_columns: as `columns`, likewise.
        mix: further sources to train on, files or folders, each with its share of the training set.
        eval_fraction: as `NearSplit.fraction`, 0.1 by default; the next four are its other attributes.
        split_seed: see there.
        near: see there.
        stratify: see there.
        synthetic: see there.
        special_tokens: those of the tokenizer, the one that begins a text and the one that ends it ("" for none). Rows
            with special tokens in their text are dropped where `drop_flags` has `control_tokens`.
        train_without: parts that samples are trained without: tokens in those do not count.
        drop_flags: names of checks whose rows are dropped unless decided otherwise, by default `DROP_FLAGS`. Of equal
            samples the first that is kept stays, and of near-duplicates those that are not removable.
        keep_columns: names of further columns that samples keep, for a task that reads them.
        tasks: of the rows, each with its prompt and weight; None where the dataset has one task.
        decisions: the user's; None reads the workspace's.
    """

    paths: Required[Sequence[str | Path]]
    format: str | None
    columns: Mapping[str, str] | None
    eval_paths: Sequence[str | Path]
    eval_format: str | None
    eval_columns: Mapping[str, str] | None
    mix: Mapping[str, float] | None
    eval_fraction: float
    split_seed: int
    near: float
    stratify: str
    synthetic: str
    special_tokens: tuple[Sequence[str], str, str]
    train_without: Sequence[str]
    drop_flags: Sequence[str]
    keep_columns: Sequence[str]
    tasks: RowTasks | None
    decisions: Ledger | None


class ViewPlan:
    """A view that is wanted, with all that goes into it looked up: it may be there already.

    Args:
        workspace: the folder that holds `.tunedeck`.
        wanted: see there.

    Raises:
        BadInput: nothing can be read, or the format is not known.
    """

    def __init__(self, workspace: str | Path, wanted: ViewRequest) -> None:
        decisions = wanted.get("decisions")
        if decisions is None:
            from core.dataset.audit.store import read_ledger

            decisions = read_ledger(workspace)
        self._decisions = decisions
        self._eval_paths = wanted.get("eval_paths", ())
        fraction = 0.0 if self._eval_paths else wanted.get("eval_fraction", 0.1)
        near, stratify = wanted.get("near", 0.0), wanted.get("stratify", "")
        self._near_split = NearSplit(
            fraction, wanted.get("split_seed", 0), near, stratify, wanted.get("synthetic", NAME)
        )
        self._drop_flags = frozenset(map(flag_name, wanted.get("drop_flags", DROP_FLAGS)))
        tokens, begin, end = wanted.get("special_tokens", ((), "", ""))
        parts = tuple(sorted(wanted.get("train_without", ())))
        dropped = bool(tokens) and CONTROL_TOKENS in self._drop_flags
        self._control = ControlText(tokens, begin, end, train_without=parts) if dropped else None
        dataset = self._dataset = _known(Dataset.open(wanted["paths"], wanted.get("format"), wanted.get("columns")))
        said = Chosen(wanted.get("eval_format") or AUTO, dict(wanted.get("eval_columns") or {}))
        self._eval_files = EvalFiles(self._eval_paths, said)
        held = self._held = dataset.open_eval(self._eval_paths, said) if self._eval_paths else None
        shares = dict(wanted.get("mix") or {})
        self._mixed = [(share, _known(dataset.open_beside([path]))) for path, share in shares.items()]
        self._inputs = {
            "version": VERSION,
            "sources": _sources(dataset),
            "container": dataset.reader.container,
            "eval_sources": _sources(held) if held else [],
            **({"eval_form": _form(held)} if held else {}),
            "mix": [{"share": share, "sources": _sources(each), **_form(each)} for share, each in self._mixed],
            **_form(dataset),
            "split": {"fraction": fraction, "seed": self._near_split.seed, "near": near, "stratify": stratify.strip()},
            "synthetic": self._near_split.synthetic.strip(),
            "drop_flags": sorted(self._drop_flags),
            "decisions": _decisions_digest(decisions),
        }
        if how := [each.read_how for each in (dataset, held, *(each for _, each in self._mixed)) if each is not None]:
            self._inputs.update({"read": how} if any(how) else {})
        kept = self._keep_columns = tuple(dict.fromkeys(wanted.get("keep_columns", ())))
        if kept:
            self._inputs["keep_columns"] = list(kept)
            _check_columns(dataset, kept)
        tasks = self._tasks = wanted.get("tasks")
        if tasks is not None:
            self._inputs["row_tasks"] = tasks.to_json()
        if dropped:
            self._inputs["control_tokens"] = [*sorted(tokens), begin, end, *parts]
        if apart := sorted(decisions.apart()):
            self._inputs["apart"] = blake2b(json.dumps(apart).encode(), digest_size=12).hexdigest()
        hashed = blake2b(json.dumps(self._inputs, sort_keys=True).encode(), digest_size=12)
        self.fingerprint = hashed.hexdigest()
        """Names the view: a hash of all that goes into it."""
        self._views = hidden_dir(Path(workspace)) / "views"

    @property
    def bytes(self) -> int:
        """Size of all files that are read."""
        mixed = [source for each in self._inputs["mix"] for source in each["sources"]]
        return sum(each["size"] for each in (*self._inputs["sources"], *self._inputs["eval_sources"], *mixed))

    def find(self) -> CuratedView | None:
        """The view, if it was built before."""
        folder = self._views / self.fingerprint
        return read_view(folder) if (folder / "manifest.json").exists() else None

    def build(
        self,
        on_progress: Progress | None = None,
        on_phase: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> CuratedView:
        """Builds the view.

        Args:
            on_progress: told how much of what is being done is done, and how much there is.
            on_phase: told what is done after the rows were read, each time that changes.
            should_stop: asked some times a second.

        Raises:
            BadInput: nothing is left to train on, or a source changed meanwhile.
            Stopped: `should_stop` said so.
        """
        self._views.mkdir(parents=True, exist_ok=True)
        sweep(self._views)
        building = Path(tempfile.mkdtemp(prefix=BUILDING, dir=self._views))
        inputs = self._inputs
        try:
            with ExitStack() as stack:
                curator = stack.enter_context(
                    Curator(
                        building,
                        self._near_split,
                        self._drop_flags,
                        self._decisions,
                        self._control,
                        self._keep_columns,
                        self._tasks,
                    )
                )
                curator.gather(self._dataset, self._eval_files, on_progress, should_stop)
                for share, each in self._mixed:
                    curator.mix_in(each, share, self._eval_files, on_progress, should_stop)
                if self._held is not None:
                    curator.take_eval(self._held)
                curator.split(ticking(on_progress, on_phase, should_stop))
                curator.write()
            _check_unchanged(
                [*inputs["sources"], *inputs["eval_sources"], *(s for m in inputs["mix"] for s in m["sources"])]
            )
            manifest = {**inputs, **curator.outcome(), "fingerprint": self.fingerprint, "created": time.time()}
            manifest["decisions_revision"] = self._decisions.revision
            write_synced(building / "manifest.json", json.dumps(manifest, indent=1).encode())
            publish(building, self._views / self.fingerprint)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return read_view(self._views / self.fingerprint)


def build_view(
    workspace: str | Path,
    *,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    **wanted: Unpack[ViewRequest],
) -> CuratedView:
    """Builds the view of a dataset, or finds the one that was built from the same.

    Args:
        workspace: the folder that holds `.tunedeck`.
        on_progress: as `ViewPlan.build`.
        should_stop: likewise.
        **wanted: see `ViewRequest`.

    Raises:
        BadInput: nothing can be read, the format is not known, nothing is left to train on, or a source changed
            meanwhile.
        Stopped: `should_stop` said so.
    """
    plan = ViewPlan(workspace, wanted)
    return plan.find() or plan.build(on_progress, should_stop=should_stop)


def _known(dataset: Dataset) -> Dataset:
    if not dataset.recognition.known:
        raise BadInput(dataset.recognition.why, where=str(dataset.paths[0]))
    return dataset


def _check_columns(dataset: Dataset, columns: Sequence[str]) -> None:
    """Refuses a column that no row at the beginning has.

    Raises:
        BadInput: naming the columns there are.
    """
    present = dataset.recognition.all_columns
    if missing := next((name for name in columns if name not in present), None):
        raise BadInput(
            f"no column {clean_line(missing, 60)!r}, which a reward reads",
            where=str(dataset.paths[0]),
            do=f"Columns: {clean_line(', '.join(present), 400)}",
        )


def _form(dataset: Dataset) -> dict[str, Any]:
    """What a dataset was taken for, without the words on why."""
    form = dataset.recognition.to_json()
    del form["why"]
    recognitions = dataset.recognitions
    if recognitions.uniform:
        return form
    form["format"], form["columns"] = recognitions.key
    return {**form, "read_as": [{"file": each.file.name, "as": each.to_json()} for each in recognitions.all()]}


def _sources(dataset: Dataset) -> list[dict[str, Any]]:
    """Each file with its size and a hash of its bytes."""
    sources = []
    for path in dataset.reader.files:
        stat = path.stat()
        hashed = blake2b(digest_size=16)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
        sources.append({"path": str(path.absolute()), "size": stat.st_size, "hash": hashed.hexdigest()})
    return sources


def _decisions_digest(decisions: Ledger) -> str:
    standings = decisions.standings()
    said = [
        (key, each.verdict, each.edit, by_hand(each.flag), *_remarks(each))
        for key, each in sorted(standings.items())
        if each.verdict or by_hand(each.flag) or _remarks(each)
    ]
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=12).hexdigest() if said else ""


def _remarks(state: DecisionState) -> tuple[object, ...]:
    """What the manifest counts beside the verdict; empty for most rows."""
    found = (state.why, state.rating, state.labels, state.conflict)
    return found if any(found) else ()


def _check_unchanged(sources: Sequence[Mapping[str, Any]]) -> None:
    for source in sources:
        try:
            size = os.stat(source["path"]).st_size
        except OSError:
            size = -1
        if size != source["size"]:
            raise BadInput("the file changed while it was being read", where=source["path"], do="Try again")

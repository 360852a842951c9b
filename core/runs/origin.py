"""Weights that a run starts from: those of another run, of a checkpoint, or of a folder. Found, checked, kept.

A run keeps its own copy of what it starts from (hard links where the file system has them), so that the source can be
deleted and a resumed run begins with the same weights:

- `start/` holds the adapter that is trained further or merged, and `start.json`, which says what it is;
- `base/` holds the base model, where that is not the recipe's: a model that was trained whole, or one into which an
  adapter was merged.

Standard library only: the worker, the viewer and the queue share this code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from core.clean import clean_line
from core.errors import BadInput
from core.jobs import files
from core.jobs.folder import JobFolder
from core.jobs.runs import find_run
from core.jobs.state import standing
from core.paths import runs_dir
from core.recipe.adapters import ADAPTERS, PeftConfig, adapter_of
from core.recipe.declare import Problem
from core.recipe.devices import is_sharded
from core.recipe.model_files import find
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import KNOBS, Recipe
from core.recipe.target_names import names_one, number_of
from core.recipe.tasks import TASKS
from core.recipe.values import number_text
from core.runs import checkpoint
from core.runs.commands import own_recipe
from core.runs.saved import read_weights, refuse_damaged_weights

FIELD, HOW = "starts_from", "starts_how"
START, BASE = "start", "base"
"""Folders of a run, see above."""
MERGE = "merge"
RESIDUE = "initial_adapter.safetensors"
"""In a run whose adapter began as a part of the base model's weights: that part (`core.training.adapter_start`)."""

_ADAPTER, _MODEL = "adapter_config.json", "config.json"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_STATES = frozenset(("trainer_state.json", checkpoint.NAME))
"""Files of a checkpoint that say how training went, not what was trained."""
_SUFFIXES = frozenset((".safetensors", ".json", ".jinja", ".model", ".txt"))
_ACTIVE = ("starting", "running", "paused", "stopping", "queued")
_OF_RUN = re.compile(r"(.+)/(checkpoint-\d+)/?")

_FIELDS = {
    "r": "lora.rank",
    "lora_alpha": "lora.alpha",
    "use_rslora": "lora.variant",
    "use_dora": "lora.variant",
    "modules_to_save": "lora.modules_to_save",
}
"""An argument of peft's configuration, and the field that sets it."""
_FREE = frozenset(("task_type", "init_lora_weights", "inference_mode", "base_model_name_or_path"))
"""Arguments that do not change what an adapter computes; nor does any dropout."""


@dataclass(frozen=True, slots=True)
class StartPoint:
    """Weights to start from.

    Attributes:
        kind: an adapter, or a whole model.
        folder: where they are, or will be.
        run: the run that made them; None where no run of ours did.
        step: the training step that they are of; None where nothing says it.
        state: of that run, `finished`; "" without one.
        base: the base model of an adapter, as its run or its configuration names it; "" where neither does.
        own_base: the folder of that base model where its run has one of its own.
        config: peft's configuration of an adapter.
        quantization: how that base was quantized while the adapter was trained.
        task: what the run trained; "" without one.
        there: whether the weights are there; else the run has yet to make them.
    """

    kind: Literal["adapter", "model"]
    folder: Path
    run: JobFolder | None = None
    step: int | None = None
    state: str = ""
    base: str = ""
    own_base: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    quantization: str = "none"
    task: str = ""
    there: bool = True

    @property
    def name(self) -> str:
        """What sentences call it: the run's ID, else the folder."""
        return clean_line(os.fspath(self.folder) if self.run is None else self.run.id, 80)

    @property
    def label(self) -> str:
        """The same with its step."""
        return self.name if self.step is None else f"{self.name}, step {self.step:,}"

    def merged(self, recipe: Recipe) -> bool:
        """Whether a run of a recipe puts them into its base model before it trains."""
        return self.kind == "adapter" and (adapter_of(recipe).whole or recipe.starts_how == MERGE)


@dataclass(frozen=True, slots=True)
class Started:
    """What a run was started from, as its folder says.

    Attributes:
        label: run and step, or the folder.
        kind: an adapter, or a whole model.
        merged: whether it was merged into the base model, or is that.
        base: the base model of a merged adapter.
        quantization: how that base was quantized while the adapter was trained.
        extends: the run that this one continues with its optimizer state, and the step; "" for none. Then the others
            say what that one was started from.
    """

    label: str
    kind: str
    merged: bool
    base: str
    quantization: str
    extends: str = ""

    def words(self) -> str:
        """For the card and the export: `support-sft, step 40 (adapter, trained further)`."""
        if self.extends:
            before = f"; that run was started from {replace(self, extends='').words()}" if self.label else ""
            return f"{self.extends} (with its optimizer state{before})"
        how = "merged into the base model" if self.merged and self.kind == "adapter" else "trained further"
        how = "used as the base model" if self.merged and self.kind == "model" else how
        return f"{self.label} ({self.kind}, {how})"


def find_origin(text: str, workspace: Path) -> StartPoint:
    """The weights that a recipe's `starts_from` names.

    Args:
        text: a run (name, part of it, folder, `last`), `RUN/checkpoint-N`, or the folder of an adapter or a model.
        workspace: the folder that holds `runs/`.

    Raises:
        BadInput: there are none, or they cannot be used; the sentence says what to do.
    """
    path = Path(text).expanduser()
    path = path if path.is_absolute() else workspace / path
    if path.is_dir():
        return _of_folder(path)
    of_run = _OF_RUN.fullmatch(text.strip())
    own = runs_dir(workspace) / text.strip()
    if (own / "job.json").is_file():
        return _of_run(JobFolder(own))
    try:
        run = find_run(workspace, of_run[1] if of_run else text.strip())
    except BadInput as error:
        where = clean_line(text, 80)
        if os.path.isabs(text) or text.startswith((".", "~")):
            raise BadInput(
                "No such folder", where=where, do="Name a run, a checkpoint, or a folder of weights"
            ) from None
        if "match" in error.what:
            raise
        raise BadInput(f"There is no run or folder named {where}", where=where, do=error.do) from error
    if not of_run:
        return _of_run(run)
    found = run.checkpoints / of_run[2]
    if not found.is_dir():
        steps = [each.name for each in checkpoint.newest_first(run.checkpoints)]
        do = f"It has {', '.join(steps[:4])}" if steps else "It has none"
        raise BadInput("The run has no such checkpoint", where=clean_line(text, 80), do=do)
    return _of_folder(found)


def origin_of(recipe: Recipe, workspace: Path) -> StartPoint | None:
    """The weights that a recipe starts from; None where it starts from the bare base model.

    Raises:
        BadInput: as `find_origin`, with the field as its place.
    """
    if not recipe.starts_from:
        return None
    try:
        return find_origin(recipe.starts_from, workspace)
    except BadInput as error:
        raise BadInput(error.what, where=FIELD, do=error.do) from error


def written(origin: StartPoint, workspace: Path) -> str:
    """What a run's own recipe calls it: a run of this workspace by its ID, so that the workspace can be moved."""
    run = origin.run
    if run is None or run.path.parent != runs_dir(workspace):
        return os.fspath(origin.folder)
    return f"{run.id}/{origin.folder.name}" if origin.folder.parent != run.path else run.id


def origin_findings(
    recipe: Recipe, workspace: Path, shape: ModelShape | None, *, later: bool = False
) -> Iterator[Problem]:
    """What a person should know of the weights that a recipe starts from, before it starts; the last is a note.

    Args:
        recipe: with absolute paths.
        workspace: the folder that holds `runs/`.
        shape: the base model's, where it is known.
        later: whether the run will wait in a queue.
    """
    try:
        origin = origin_of(recipe, workspace)
        if origin is None:
            return
        if origin.there:
            check_files(origin)
    except BadInput as error:
        yield Problem(FIELD, f"{error.what}{f'. {error.do}' if error.do else ''}.")
        return
    if not origin.there and not later:
        words = f"{origin.name} has not finished: it is {origin.state}. Queue this run to start after it"
        good = None if origin.run is None else checkpoint.last_good(origin.run.checkpoints)[0]
        more = "" if good is None else f", or start from a checkpoint: {origin.name}/{good.path.name}"
        yield Problem(FIELD, f"{words}{more}.")
        return
    found = list(problems(recipe, origin, shape))
    yield from found
    if not any(problem.severity == "error" for problem in found):
        yield Problem(FIELD, start_words(recipe, origin), "note")


def start_words(recipe: Recipe, origin: StartPoint) -> str:
    """What happens with the weights, as a sentence."""
    whole = adapter_of(recipe).whole
    ended = f" ({origin.state})" if origin.state not in ("", "finished") else ""
    what = f"{origin.label}{ended}"
    if origin.kind == "model":
        how = "all its weights are trained further" if whole else "it becomes the base model for a new adapter"
    elif whole:
        how = "its adapter is merged into the base model, and all weights are trained"
    elif origin.merged(recipe):
        how = "its adapter is merged into the base model, which is written into the run's folder, for a new adapter"
    else:
        how = "its adapter is trained further"
    reference = ", and is the reference" if TASKS[recipe.task].reference else ""
    return f"Starts from {what}: {how}{reference}."


def planned_origin(recipe: Recipe, run: JobFolder | None = None) -> StartPoint:
    """What a run of a recipe will leave, before it has."""
    adapter = adapter_of(recipe)
    plain = adapter.peft_config(recipe)
    merged = recipe.starts_from and (recipe.starts_how == MERGE or adapter.whole)
    folder = Path(adapter.folder) if run is None else run.path / adapter.folder
    return StartPoint(
        kind="model" if adapter.whole else "adapter",
        folder=folder,
        run=run,
        state="" if run is None else standing(run).state,
        base=recipe.model.path,
        own_base=None if run is None or not merged else run.path / BASE,
        config={} if plain is None else {"peft_type": adapter.peft_type, **plain.arguments},
        quantization=recipe.model.quantization,
        task=recipe.task,
        there=False,
    )


def _of_run(run: JobFolder) -> StartPoint:
    recipe = own_recipe(run)
    state = standing(run).state
    adapter = adapter_of(recipe)
    folder = run.path / adapter.folder
    if state in _ACTIVE:
        return planned_origin(recipe, run)
    if not (folder / adapter.weights).exists():
        good, _ = checkpoint.last_good(run.checkpoints)
        do = (
            f"Use its last checkpoint: {run.id}/{good.path.name}"
            if good is not None
            else "Resume it, or choose another run"
        )
        raise BadInput(f"This run {_ended(state)} and has no saved weights", where=run.id, do=do)
    return _with_run(run, recipe, folder, state)


def _ended(state: str) -> str:
    return {"finished": "finished", "stopped": "was stopped", "lost": "was lost"}.get(state, "failed")


def _with_run(run: JobFolder, recipe: Recipe, folder: Path, state: str) -> StartPoint:
    config = _config(folder)
    saved = read_weights(folder) if folder.parent == run.path else None
    number = folder.name.rpartition("-")[2]
    step = int(number) if folder.name.startswith("checkpoint-") and number.isdecimal() else None
    own = run.path / BASE
    return StartPoint(
        kind="adapter" if config else "model",
        folder=folder,
        run=run,
        step=step if saved is None else saved.step,
        state=state,
        base=recipe.model.path,
        own_base=own if (own / _MODEL).exists() else None,
        config=config,
        quantization=recipe.model.quantization,
        task=recipe.task,
    )


def _of_folder(path: Path) -> StartPoint:
    path = Path(os.path.normpath(path))
    if (path / "job.json").is_file():
        return _of_run(JobFolder(path))
    for above in (path.parent, path.parent.parent):
        if (above / "job.json").is_file():
            run = JobFolder(above)
            state = standing(run).state
            if path.name.startswith("checkpoint-"):
                checkpoint.read(path)  # else it is incomplete
            return _with_run(run, own_recipe(run), path, state)
    if config := _config(path):
        return StartPoint("adapter", path, base=str(config.get("base_model_name_or_path") or ""), config=config)
    if (path / _MODEL).exists():
        return StartPoint("model", path)
    where = clean_line(os.fspath(path), 200)
    raise BadInput(
        "The folder has no weights to start from: it has neither adapter_config.json nor config.json",
        where=where,
        do="Name a run, a checkpoint, or the folder of an adapter or a model",
    )


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / _ADAPTER).exists():
        return {}
    try:
        found = json.loads((folder / _ADAPTER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"Cannot read {_ADAPTER} ({error})", where=os.fspath(folder), do="Copy the adapter again"
        ) from error
    if not isinstance(found, dict):
        raise BadInput(f"{_ADAPTER} is not a JSON object", where=os.fspath(folder), do="Copy the adapter again")
    return found


def check_files(origin: StartPoint) -> None:
    """Makes sure that the files are as long as they say; what was sealed is compared with its seal by `keep_origin`.

    Raises:
        BadInput: a file is missing or damaged; the sentence names it.
    """
    folder = origin.folder
    if origin.kind == "adapter" and not (folder / _ADAPTER_WEIGHTS).exists():
        pickled = (folder / "adapter_model.bin").exists()
        words = "its weights are a pickle, which can run code" if pickled else f"{_ADAPTER_WEIGHTS} is missing"
        raise BadInput(f"The adapter cannot be loaded: {words}", where=os.fspath(folder), do="Save it as safetensors")
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length)) if 0 < length < 100_000_000 else None
            ends = [each["data_offsets"][1] for name, each in (header or {}).items() if name != "__metadata__"]
            whole = bool(ends) and path.stat().st_size == 8 + length + max(ends)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise BadInput(
                f"The weights to start from are damaged: {path.name} is truncated or not a safetensors file",
                where=os.fspath(folder),
                do="Copy them again, or choose other weights",
            )


def problems(recipe: Recipe, origin: StartPoint, shape: ModelShape | None = None) -> Iterator[Problem]:
    """What keeps a recipe from starting from these weights, each with the field to change.

    Args:
        recipe: with absolute paths.
        origin: what it names.
        shape: the base model's, where it is known.
    """
    adapter, name = adapter_of(recipe), origin.name
    if refused := _other_head(recipe, origin):
        yield refused
        return
    if is_sharded(recipe):
        words = "fsdp cannot start from other weights here. Set this to ddp, or merge the adapter into a model first."
        yield Problem("training.parallel", words)
    if origin.kind == "model":
        yield from _model_problems(recipe, origin, shape)
        return
    yield from _base_problems(recipe, origin)
    if origin.run is not None and origin.folder.parent != origin.run.path and (origin.run.path / RESIDUE).exists():
        words = (
            f"{name} moved part of the base weights into its adapter (lora.init), so its checkpoints do not fit the "
        )
        yield Problem(FIELD, f"{words}base model. Start from the run itself: {origin.run.id}.")
    if origin.merged(recipe):
        if not _merges(origin):
            kind, over = clean_line(str(origin.config.get("peft_type") or "?"), 40), origin.quantization
            on = "" if over == "none" else f" over {over} weights"
            path = FIELD if adapter.whole else HOW
            yield Problem(path, f"{name} is a {kind} adapter{on}, which cannot be merged into a model. Use continue.")
        elif shape is not None and shape.quantized:
            words = f"The base model is stored quantized ({shape.quantized}), so no adapter can be merged into it."
            yield Problem(HOW if not adapter.whole else FIELD, f"{words} Use continue with method lora.")
        return
    wanted = adapter.peft_config(recipe)
    if wanted is not None:
        yield from _adapter_problems(recipe, origin, wanted, shape)


def _other_head(recipe: Recipe, origin: StartPoint) -> Problem | None:
    """Why weights of a model that writes do not fit one that scores, or the other way round; None where they do."""
    name, task = origin.name, TASKS[recipe.task]
    made_for = str(origin.config.get("task_type") or "CAUSAL_LM")
    if not origin.task and made_for not in ("CAUSAL_LM", "SEQ_CLS"):
        words = f"{name} is an adapter for {clean_line(made_for, 40)}, not for a causal language model."
        return Problem(FIELD, words)
    scores = bool(TASKS[origin.task].head) if origin.task else made_for == "SEQ_CLS"
    if scores and not task.head:
        words = f"{name} is a reward model: it scores text, so {task.title} cannot start from it."
        return Problem(FIELD, f"{words} Choose a run that trained a language model.")
    if task.head and not scores and origin.kind == "adapter" and not origin.merged(recipe):
        words = f"{name} is the adapter of a language model, which has no score to train further. Use merge: the reward"
        return Problem(HOW, f"{words} model then gets a new adapter on the merged model.")
    if scores and origin.merged(recipe):
        words = f"{name} is the adapter of a reward model, which cannot be merged before training. Use continue"
        return Problem(HOW, f"{words} with method lora.")
    return None


def _model_problems(recipe: Recipe, origin: StartPoint, shape: ModelShape | None) -> Iterator[Problem]:
    if not adapter_of(recipe).whole and recipe.starts_how != MERGE:
        yield Problem(
            HOW,
            f"{origin.name} is a whole model, so there is no adapter to continue. Use merge: it becomes the base model "
            "of a new adapter. To train the whole model further, set the method to full.",
        )
    if origin.there and shape is not None:
        theirs = files.read_json(os.fspath(origin.folder / _MODEL)) or {}
        sizes = {"hidden_size": shape.hidden, "num_hidden_layers": shape.layers, "vocab_size": shape.vocabulary}
        text = theirs.get("text_config")
        known = text if isinstance(text, Mapping) else theirs
        for key, size in sizes.items():
            if isinstance(known.get(key), int) and size and known[key] != size:
                words = f"{origin.name} is not the model in model.path: its {key} is {known[key]:,}, not {size:,}."
                yield Problem("model.path", f"{words} Set model.path to the model it was trained from.")
                return
    elif origin.base and not _same_model(origin.base, recipe.model.path):
        yield _other_base(origin, recipe)


def _base_problems(recipe: Recipe, origin: StartPoint) -> Iterator[Problem]:
    if not origin.base or _same_model(origin.base, recipe.model.path):
        return
    ours, theirs = (os.path.basename(path.rstrip("/")) for path in (recipe.model.path, origin.base))
    if ours == theirs and not Path(origin.base).is_dir():
        words = (
            f"The adapter was trained on {clean_line(origin.base, 120)}. Make sure that model.path is the same model."
        )
        yield Problem("model.path", words, "warn")
    else:
        yield _other_base(origin, recipe)


def _other_base(origin: StartPoint, recipe: Recipe) -> Problem:
    theirs, ours = clean_line(origin.base, 120), clean_line(recipe.model.path, 120)
    return Problem(
        "model.path", f"{origin.name} was trained on {theirs}, but model.path is {ours}. Set model.path to {theirs}."
    )


def _same_model(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return find(one).resolve() == find(other).resolve()
    except (BadInput, OSError):
        return False


def _adapter_problems(
    recipe: Recipe, origin: StartPoint, wanted: PeftConfig, shape: ModelShape | None
) -> Iterator[Problem]:
    adapter, name = adapter_of(recipe), origin.name
    merge = f"or set {HOW} to {MERGE}" if _merges(origin) else "or start without it"
    kind = str(origin.config.get("peft_type") or "")
    if kind != adapter.peft_type:
        method = next((each.kind for each in ADAPTERS if each.peft_type == kind), "")
        way = (
            f"Set the method to {method}, {merge}."
            if method
            else f"No method continues it; {merge.removeprefix('or ')}."
        )
        yield Problem("method", f"{name} is a {clean_line(kind, 40)} adapter, not {adapter.title}. {way}")
        return
    for key, value in wanted.arguments.items():
        if key in _FREE or "dropout" in key or key not in origin.config or key == "target_modules":
            continue
        then, now = _plain(origin.config[key]), _plain(value)
        if key == "modules_to_save" and TASKS[recipe.task].head:  # its own head is among them, and peft's other names
            then = sorted(set(origin.config[key] or ()) - {TASKS[recipe.task].head, "classifier"}) or None
        if then != now:
            yield _differs(_FIELDS.get(key, FIELD), name, key, _text(then), _text(now), merge)
    if (reach := adapter.reach(recipe)) is not None and shape is not None:
        theirs = _adapted(origin.config, shape)
        ours = {module.name for module in shape.reached(reach)}
        if theirs is not None and theirs != ours:
            then, now = (_last_parts(names - others) for names, others in ((theirs, ours), (ours, theirs)))
            path = reach.path if reach.path in KNOBS else FIELD
            yield _differs(path, name, "adapted layers", then or "none more", now or "none more", merge)


def _differs(path: str, name: str, key: str, then: str, now: str, merge: str) -> Problem:
    field_name = path if path != FIELD else key
    return Problem(
        path,
        f"{name} has {key} {then}, this recipe has {now}. To continue it, set {field_name} back, {merge} to put a new "
        "adapter on the merged model.",
    )


def _adapted(config: Mapping[str, Any], shape: ModelShape) -> set[str] | None:
    """The linear layers of the model that an adapter changes; None where its configuration does not tell."""
    named, without = config.get("target_modules"), config.get("exclude_modules")
    if named == "all-linear":
        return {module.name for module in shape.targeted(("all-linear",))}
    numbers = config.get("layers_to_transform")
    numbers = [numbers] if isinstance(numbers, int) else numbers
    if not isinstance(named, list | tuple | set) or isinstance(without, str):
        return None
    return {
        module.name
        for module in shape.linear
        if names_one(module.name, map(str, named))
        and not names_one(module.name, map(str, without or ()))
        and (not numbers or number_of(module.name) in numbers)
    }


def _last_parts(names: set[str]) -> str:
    return ", ".join(sorted({name.rpartition(".")[2] for name in names}))


def _merges(origin: StartPoint) -> bool:
    """Whether an adapter can be merged into the base that it was trained on."""
    kind = str(origin.config.get("peft_type") or "")
    row = next((each for each in ADAPTERS if each.peft_type == kind), None)
    return row is not None and origin.quantization in row.merges


def _plain(value: object) -> object:
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(map(str, value)) or None
    return value or None if isinstance(value, str | dict) or value is False else value


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return (
        number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value or "none")
    )


def keep_origin(origin: StartPoint, run: Path, recipe: Recipe) -> None:
    """Puts the weights into a run's folder, by hard links or as copies; whole or not at all.

    Args:
        origin: what the run starts from; it is there.
        run: the run's folder.
        recipe: the run's.

    Raises:
        BadInput: they are damaged, or cannot be copied.
    """
    if not origin.there:
        raise BadInput(f"{origin.name} has not finished, so there are no weights to start from yet", where=FIELD)
    check_files(origin)
    if origin.folder.name.startswith("checkpoint-") and (origin.folder / checkpoint.NAME).exists():
        checkpoint.refuse_damaged(origin.folder)
    else:
        refuse_damaged_weights(origin.folder)
    said = {
        "version": 1,
        "label": origin.label,
        "kind": origin.kind,
        "merged": origin.merged(recipe) or (origin.kind == "model" and not adapter_of(recipe).whole),
        "base": origin.base,
        "quantization": origin.quantization,
        "run": None if origin.run is None else origin.run.id,
        "step": origin.step,
    }
    start, base, part = run / START, run / BASE, run / ".start.partial"
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        if origin.kind == "adapter":
            _link_weights(origin.folder, part)
        kept = origin.folder if origin.kind == "model" else origin.own_base
        if kept is not None:
            _link_weights(kept, part / BASE)
            if not origin.merged(recipe):
                shutil.rmtree(base, ignore_errors=True)
                (part / BASE).rename(base)
        (part / "start.json").write_bytes(files.encode(said))
        files.sync_tree(part)
        shutil.rmtree(start, ignore_errors=True)
        part.rename(start)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BadInput(
            f"Cannot copy the weights to start from: {files.reason(error, run)}", where=os.fspath(origin.folder)
        ) from error


def _link_weights(source: Path, target: Path) -> None:
    """The files of a model or an adapter, without what a checkpoint holds besides."""
    target.mkdir(exist_ok=True)
    for path in sorted(source.iterdir()):
        if not path.is_file() or path.suffix not in _SUFFIXES or path.name in _STATES:
            continue
        real = path.resolve()  # the Hub's cache holds symbolic links
        try:
            os.link(real, target / path.name)
        except OSError:
            shutil.copyfile(real, target / path.name)


def started(run: Path) -> Started | None:
    """What a run was started from; None where it began with the bare base model, or has yet to begin."""
    said = files.read_json(os.fspath(run / START / "start.json"))
    if said is None:
        return None
    return Started(
        label=str(said.get("label") or ""),
        kind=str(said.get("kind") or ""),
        merged=bool(said.get("merged")),
        base=str(said.get("base") or ""),
        quantization=str(said.get("quantization") or "none"),
        extends=str(said.get("extends") or ""),
    )


def note_extended(run: Path, label: str, begun: Started | None) -> None:
    """Writes into a run's folder that it continues another one with its optimizer state.

    Args:
        run: the folder; `start/` of the other run has been put into it, where that had one.
        label: the other run, and the step.
        begun: what that was started from.

    Raises:
        OSError: it cannot be written.
    """
    said: dict[str, Any] = {"version": 1} if begun is None else {**asdict(begun), "version": 1}
    (run / START).mkdir(exist_ok=True)
    file = run / START / "start.json"
    file.unlink(missing_ok=True)  # it may be the other run's own, by a hard link
    file.write_bytes(files.encode({**said, "extends": label}))


def base_of(run: Path) -> str:
    """The folder of a run's own base model; "" where that is the one of its recipe."""
    return os.fspath(run / BASE) if (run / BASE / _MODEL).exists() else ""


def start_adapter(run: Path) -> Path | None:
    """The adapter that a run trains further; None where it makes a new one, or none."""
    begun = started(run)
    if begun is None or begun.merged or begun.kind != "adapter":
        return None
    return run / START

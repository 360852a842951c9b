"""The plain TRL script that trains what a recipe trains: `python -m core.training.script RECIPE.json VIEW`.

Nothing is listed twice: the trainer's arguments are those of `core.training.configuration`, the model's those of
`core.engine.load`, and what differs between tasks is the task's `script`. What a plain script cannot do stands at its
top. It imports torch, transformers, trl, peft and datasets, and nothing of ours.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.engine.network import check_model_download
from core.engine.process import prepare
from core.errors import BadInput, TunedeckError
from core.gpu.selection import VARIABLE
from core.recipe.adapters import PeftConfig, adapter_of
from core.recipe.adapters.lora import LORA, RESIDUAL
from core.recipe.devices import devices_of, is_sharded, ranks_of
from core.recipe.recipe import Recipe, from_json
from core.recipe.tasks import TASKS

if TYPE_CHECKING:
    from core.dataset.sample import Sample
    from core.engine.load import Hardware
    from core.engine.template import Template
    from core.training.tasks import TaskTraining

_OURS = ("disable_tqdm", "run_name", "project", "trackio_static_space_id", "logging_nan_inf_filter", "output_dir")
"""Arguments that change neither losses nor weights and are about the run's folder and its screen."""

_SHOWN = (
    *("learning_rate", "lr_scheduler_type", "num_train_epochs", "per_device_train_batch_size"),
    *("gradient_accumulation_steps", "max_length", "optim", "seed", "weight_decay"),
)
"""Arguments that are printed even where they have TRL's default: people look for them."""

_ENVIRONMENT = (VARIABLE, "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "CUBLAS_WORKSPACE_CONFIG")
"""Variables that change what is computed, or where."""


def main(argv: Sequence[str]) -> int:
    """Prints the script.

    Args:
        argv: the resolved recipe as JSON, and the folder of its curated view.

    Returns:
        The exit code: 0 done, 1 failed, 2 there is no such script; the reason is on stderr, one line.
    """
    recipe = from_json(json.loads(Path(argv[0]).read_text(encoding="utf-8")))
    try:
        print(script_of(recipe, Path(argv[1])), end="")
    except TunedeckError as error:
        print(str(error), file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    return 0


def script_of(recipe: Recipe, view: Path) -> str:
    """The script, as Python source.

    Args:
        recipe: resolved.
        view: holds `train.jsonl` and `eval.jsonl`.

    Raises:
        BadInput: the task has no plain script, or model and recipe do not fit.
    """
    check_model_download(recipe.model.path, recipe.model.revision)
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    prepare(recipe)
    changed = {name: os.environ[name] for name in _ENVIRONMENT if os.environ.get(name) not in (None, before[name])}

    import peft

    from core.engine.load import check_model, hardware, load_tokenizer
    from core.engine.template import use_template
    from core.training.tasks import training_of

    task = training_of(recipe)
    plain = adapter_of(recipe).peft_config(recipe)
    if plain is not None and not hasattr(peft, plain.name):
        title = adapter_of(recipe).title
        raise BadInput(f"No plain TRL script for {title}: PEFT does not have this kind of adapter", where="method")
    if isinstance(task.script, str):
        raise BadInput(f"No plain TRL script for {TASKS[recipe.task].title}: {task.script}".rstrip("."), where="task")
    check_model(recipe.model.path)
    on = hardware(recipe.model, recipe.training.devices, all_weights=adapter_of(recipe).whole)
    tokenizer = load_tokenizer(recipe.model)
    template = use_template(tokenizer, recipe.model.chat_template)
    rows = _Rows.read(recipe, view, tokenizer, template)
    environment = {name: value for name, value in changed.items() if on.device.type != "cpu" or name != VARIABLE}
    return _Script(recipe, task, on, tokenizer, template, rows, environment).text()


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the curated view holds.

    Attributes:
        folder: its folder.
        kinds: of the samples that are trained on or held out.
        skipped: part (`train`, `eval`) to the lines, from 0, that our encoder leaves out.
        counts: part to samples that stay.
        tools: whether any of them has tools.
        changed: what of the samples the plain script trains otherwise, a sentence each.
    """

    folder: Path
    kinds: frozenset[str]
    skipped: Mapping[str, tuple[int, ...]]
    counts: Mapping[str, int]
    tools: bool
    changed: tuple[str, ...]

    @classmethod
    def read(cls, recipe: Recipe, folder: Path, tokenizer: Any, template: Template) -> _Rows:
        """Encodes the view as training does, to find what it leaves out."""
        from core.engine.encode_all import encode_all
        from core.engine.encoded import EncodingSettings
        from core.engine.samples import flags_of_view, read_view

        settings = EncodingSettings.of(recipe, template, drop_flags=flags_of_view(folder))
        skipped: dict[str, tuple[int, ...]] = {}
        counts: dict[str, int] = {}
        kinds: set[str] = set()
        tools = False
        muted = reduced = chunked = padded = 0
        for part in ("train", "eval"):
            file = folder / f"{part}.jsonl"
            if not file.exists() or not file.stat().st_size:
                continue
            own = dataclasses.replace(settings, drop_flags=()) if part == "eval" and recipe.data.eval else settings
            _, facts = encode_all(file, tokenizer, own)
            skipped[part] = tuple(place for place in range(facts.samples) if not facts.each[2 * place])
            counts[part] = facts.kept
            reduced, chunked = reduced + facts.reduced, chunked + facts.chunked
            left_out = set(skipped[part])
            samples = [row.sample for place, row in enumerate(read_view(file)) if place not in left_out]
            kinds.update(sample.kind for sample in samples)
            tools = tools or any(sample.tools for sample in samples)
            for sample in samples:
                turns = (*sample.messages, *sample.chosen, *sample.rejected)
                muted += any(turn.role == "assistant" and (not turn.trained or turn.untrained) for turn in turns)
            padded += _padded(samples, tokenizer, template)
        chunked *= recipe.data.chunk_text  # a pair is two sequences without being cut
        changed = [
            (
                muted,
                "with answers, or parts of them, that the data excludes from the loss: the script trains on these",
            ),
            (reduced, "trained without parts named in data.train_without: the script keeps these parts"),
            (
                chunked,
                "of long text that tunedeck splits into chunks (data.chunk_text): the script cuts them off",
            ),
            (padded, "rendered differently once `datasets` has filled missing keys of tool calls and tools with nulls"),
        ]
        words = tuple(f"{_samples(number)} {what}." for number, what in changed if number)
        return cls(folder, frozenset(kinds), skipped, counts, tools, words)


def _padded(samples: Sequence[Sample], tokenizer: Any, template: Template) -> int:
    """How many samples the template renders otherwise after they have been in a `datasets.Dataset`.

    Arrow gives all dicts of a column the same keys, with null where one has none.
    """
    from datasets import Dataset

    from core.dataset.rendered import holds_more

    talks = [
        {
            "talk": [turn.for_template() for turn in (*sample.messages, *sample.chosen)],
            "tools": list(sample.tools) or None,
        }
        for sample in samples
        if holds_more((*sample.messages, *sample.chosen), sample.tools)
    ]
    if not talks or not template.text:
        return 0

    def text(talk: Mapping[str, Any]) -> str:
        found: str = tokenizer.apply_chat_template(
            talk["talk"], tools=talk["tools"], chat_template=template.text, tokenize=False
        )
        return found

    return sum(text(talk) != text(read) for talk, read in zip(talks, Dataset.from_list(talks), strict=True))


def _samples(number: int) -> str:
    return "1 sample" if number == 1 else f"{number:,} samples"


class _Script:
    """Renders the parts."""

    def __init__(
        self,
        recipe: Recipe,
        task: TaskTraining,
        on: Hardware,
        tokenizer: Any,
        template: Template,
        rows: _Rows,
        environment: Mapping[str, str],
    ) -> None:
        from core.engine.load import auto_class
        from core.training.tasks import TaskScript

        assert isinstance(task.script, TaskScript)
        self._recipe, self._task, self._on, self._rows = recipe, task, on, rows
        self._form = task.script
        self._tokenizer, self._template, self._environment = tokenizer, template, environment
        self._head_layer = TASKS[recipe.task].head
        self._auto = auto_class(recipe.model, recipe.model.path, path="", head=self._head_layer)
        self._frozen: list[str] = []
        self._adapter = self._adapter_arguments()
        self._quantized = self._quantization()
        self._ranks = ranks_of(recipe)

    def text(self) -> str:
        """All of it."""
        parts = [self._head(), self._imports(), self._data(), self._model(), self._trainer(), self._end()]
        return "\n".join(part for part in parts if part)

    def _adapter_arguments(self) -> PeftConfig | None:
        """PEFT's arguments, from the model's structure alone: no weight is loaded."""
        import torch
        from transformers import AutoConfig

        from core.training.configuration import adapter_arguments
        from core.training.targets import freeze_first_layers, freeze_outside

        model = self._recipe.model
        config = AutoConfig.from_pretrained(
            model.path, revision=model.revision or None, trust_remote_code=model.trust_remote_code
        )
        with torch.device("meta"):
            empty = self._auto.from_config(config, trust_remote_code=model.trust_remote_code)
        found = adapter_arguments(self._recipe, empty)
        if found is None:
            freeze_outside(empty)
            freeze_first_layers(empty, self._recipe)
            self._frozen = [name for name, weight in empty.named_parameters() if not weight.requires_grad]
        return found

    def _quantization(self) -> dict[str, Any] | None:
        from core.engine.load import quantization_arguments

        return quantization_arguments(self._recipe.model, self._on)

    # --- the parts

    def _head(self) -> str:
        recipe, task = self._recipe, TASKS[self._recipe.task]
        installed = ", ".join(f"{name} {version(name)}" for name in ("trl", "transformers", "peft", "torch"))
        kept = ", ".join(f"{_samples(self._rows.counts[part])} in {part}.jsonl" for part in self._rows.counts)
        lines = [
            f"{recipe.name or task.title}: {task.title} with plain TRL, as tunedeck trains it.",
            f"Written for {installed}.",
            f"Rows: {kept}, as curated by tunedeck (one sample per line).",
        ]
        if self._ranks > 1:
            lines.append(f"Run it with: torchrun --nproc-per-node {self._ranks} THIS_FILE")
        missing = [
            *self._rows.changed,
            *self._form.not_expressed(recipe, self._rows.kinds),
            *_not_expressed(recipe),
        ]
        if self._rows.tools and not self._form.renders_tools:
            missing.append("Tools: our encoder renders them; TRL's trainer for this task does not.")
        shown = "\n".join(textwrap.fill(line, 116) for line in lines)
        if missing:
            shown += "\n\nNOT THE SAME as a tunedeck run:\n"
            shown += "\n".join(textwrap.fill(f"- {each}", 116, subsequent_indent="  ") for each in missing)
        else:
            shown += "\n\nSame rows, order, loss and weights as a tunedeck run, on the same machine and versions."
        return "\n".join(f"# {line}".rstrip() for line in shown.splitlines())

    def _imports(self) -> str:
        names = sorted({self._auto.__name__, "AutoTokenizer", *(["BitsAndBytesConfig"] if self._quantized else [])})
        names += ["set_seed"] if self._head_layer else []
        trainer = next(each for each in self._task.trainer.__mro__ if not each.__module__.startswith("core."))
        self._trainer_name, self._config_name = trainer.__name__, getattr(self._task.config, "__name__", "")
        lines = ["", "import json", *(["import os"] if self._environment else []), "from pathlib import Path", ""]
        if self._environment:
            lines += [
                f"os.environ[{_value(name, 0)}] = {_value(value, 0)}  # before torch"
                for name, value in self._environment.items()
            ]
            lines.append("")
        lines += ["import torch", "from datasets import Dataset"]
        if self._adapter is not None:
            lines.append(f"from peft import {self._adapter.name}")
        lines += [f"from transformers import {', '.join(names)}", *self._trl_imports(trainer)]
        if self._recipe.training.cpu_threads:
            lines += ["", f"torch.set_num_threads({self._recipe.training.cpu_threads})"]
        return "\n".join(lines) + "\n"

    def _trl_imports(self, trainer: type) -> list[str]:
        import trl

        if hasattr(trl, self._trainer_name) and hasattr(trl, self._config_name):
            return [f"from trl import {', '.join(sorted((self._config_name, self._trainer_name)))}"]
        package = trainer.__module__.rpartition(".")[0]
        return [f"from {package} import {', '.join(sorted((self._config_name, self._trainer_name)))}"]

    def _data(self) -> str:
        skipped = {part: rows for part, rows in self._rows.skipped.items() if rows}
        lines = [f"ROWS = Path({_value(self._rows.folder, 0)})"]
        if skipped:
            lines.append("# Lines that tunedeck leaves out (from 0): no trained token, or a flag to drop.")
            lines.append(f"SKIPPED = {_value(skipped, 0)}")
        marks = '("trained", "media", "untrained", "weight")'
        row = self._form.row(self._recipe, self._rows.kinds)
        if "turns(" in row:
            lines += [
                "",
                "",
                "def turns(messages):",
                '    """The messages without what only tunedeck reads."""',
                f"    marks = {marks}",
                "    return [{key: value for key, value in turn.items() if key not in marks} for turn in messages]",
            ]
        lines += [
            "",
            "",
            "def rows(part):",
            '    """One part of the data in the form that TRL reads."""',
            '    lines = (ROWS / f"{part}.jsonl").read_bytes().splitlines()',
        ]
        if skipped:
            lines.append("    lines = [line for place, line in enumerate(lines) if place not in SKIPPED.get(part, ())]")
        lines.append('    samples = [json.loads(line)["sample"] for line in lines]')
        if self._rows.tools and self._form.renders_tools:
            row = f'{{**{row}, "tools": sample.get("tools")}}'
        lines.append(f"    return Dataset.from_list([{row} for sample in samples]){self._form.order(self._recipe)}")
        return "\n".join(lines) + "\n\n"

    def _model(self) -> str:
        import inspect

        from core.engine.load import loading_arguments

        model = self._recipe.model
        arguments = {
            name: value
            for name, value in loading_arguments(model, self._on, head=self._head_layer).items()
            if value not in (None, False) and name not in ("use_safetensors", "local_files_only")
        }
        if self._quantized:
            arguments["quantization_config"] = _Source(_call("BitsAndBytesConfig", self._quantized, 8))
        loading = _call(f"{self._auto.__name__}.from_pretrained", {"": model.path, **arguments}, 4)
        lines = ["", "def load_model():", f"    return {loading}", ""]
        if self._frozen:
            lines += ["", f"FROZEN = {_value(set(self._frozen), 0)}", "model = load_model()"]
            lines += ["for name, weight in model.named_parameters():"]
            lines += ["    weight.requires_grad = weight.requires_grad and name not in FROZEN", ""]
        if self._head_layer:  # it is made of random numbers
            lines.insert(2, f"    set_seed({self._recipe.training.seed})")
        revision = {"revision": model.revision} if model.revision else {}
        code = {"trust_remote_code": True} if model.trust_remote_code else {}
        lines += ["", f"tokenizer = {_call('AutoTokenizer.from_pretrained', {'': model.path, **revision, **code}, 0)}"]
        from transformers import AutoTokenizer

        plain = AutoTokenizer.from_pretrained(model.path, **revision, **code)
        if plain.pad_token != self._tokenizer.pad_token:
            lines.append(f"tokenizer.pad_token = {_value(self._tokenizer.pad_token, 0)}")
        if self._rows.kinds != {"text"} and self._template.text and self._template.text != plain.chat_template:
            lines.append(f"tokenizer.chat_template = {_long_text(self._template.text)}")
        return inspect.cleandoc("\n".join(lines)) + "\n"

    def _trainer(self) -> str:
        from core.training.configuration import trainer_arguments
        from core.training.tasks import DEFAULT

        evaluates = bool(self._rows.counts.get("eval"))
        found = trainer_arguments(self._recipe, self._on, Path("out/checkpoints"), evaluates=evaluates)
        found |= self._form.arguments(self._recipe, self._rows.kinds)
        defaults = {each.name: _default(each) for each in dataclasses.fields(self._task.config)}  # type: ignore[arg-type]
        arguments = {
            name: value
            for name, value in found.items()
            if value is not DEFAULT
            and name not in _OURS
            and (name in _SHOWN or name not in defaults or defaults[name] != value)
        }
        arguments = {"output_dir": "out", **arguments}
        lines = [f"config = {_call(self._config_name, arguments, 0)}"]
        takes: dict[str, Any] = {"model": _Source("model" if self._frozen else "load_model()")}
        takes |= {name: _Source(code) for name, code in self._form.models(self._recipe).items()}
        takes |= {"args": _Source("config"), "train_dataset": _Source('rows("train")')}
        if evaluates and arguments.get("eval_strategy", "no") != "no":
            takes["eval_dataset"] = _Source('rows("eval")')
        takes["processing_class"] = _Source("tokenizer")
        if self._adapter is not None:
            takes["peft_config"] = _Source(_call(self._adapter.name, _given(self._adapter), 4))
        lines += [f"trainer = {_call(self._trainer_name, takes, 0)}"]
        if self._on.mixed == "fp16":
            lines += [
                "for weight in trainer.model.parameters():  # float16's loss scaling needs float32 masters",
                "    if weight.requires_grad:",
                "        weight.data = weight.data.to(torch.float32)",
            ]
        if before := self._form.before_training(self._recipe):
            lines += ["", before.rstrip("\n")]
        return "\n".join(lines) + "\n"

    def _end(self) -> str:
        where = adapter_of(self._recipe).folder
        return (
            "trainer.train()\n"
            f'trainer.save_model("out/{where}")\n'
            "trainer.save_state()  # out/trainer_state.json: compare its log_history with the run's metrics.jsonl\n"
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """Python source that stands for a value."""

    text: str


def _not_expressed(recipe: Recipe) -> Iterator[str]:
    """What no plain script has, whatever the task."""
    training = recipe.training
    if recipe.starts_from:
        yield f"starts_from: the script starts from the base model, not from {recipe.starts_from}."
    if training.early_stopping:
        yield "training.early_stopping: the script trains to its last step."
    if recipe.model.added_tokens:
        yield "model.added_tokens: the script adds no tokens and does not resize the embedding."
    if training.keep_best:
        yield "training.keep_best: the script saves the last weights, not the best ones."
    adapter, lora = adapter_of(recipe), recipe.lora
    if adapter is LORA and lora.init == "eva":
        yield "lora.init: the script starts at random; call peft.initialize_lora_eva_weights before training."
    if adapter is LORA and lora.init in RESIDUAL:
        yield f"lora.init: the script saves the adapter as {lora.init} has it, which does not fit the plain base model."
    if adapter is LORA and lora.plus_ratio:
        yield "lora.plus_ratio: the script trains A and B at the same learning rate."
    if is_sharded(recipe) and recipe.lora.dropout and not adapter_of(recipe).whole:
        yield "Under FSDP, accelerate's checkpointed layers draw different dropout masks in the backward pass."
    if devices_of(recipe).ranks > 1:
        yield "With several processes the order in which gradients are summed may differ in the last bits."


def _given(adapter: PeftConfig) -> dict[str, Any]:
    """PEFT's arguments without those that have its default."""
    from core.training.configuration import config_class

    defaults = {each.name: _default(each) for each in dataclasses.fields(config_class(adapter.name))}
    shown = ("r", "lora_alpha", "target_modules", "task_type")
    return {
        name: value
        for name, value in adapter.arguments.items()
        if name in shown or name not in defaults or defaults[name] != value
    }


def _default(each: dataclasses.Field[Any]) -> Any:
    if each.default is not dataclasses.MISSING:
        return each.default
    return each.default_factory() if each.default_factory is not dataclasses.MISSING else dataclasses.MISSING


def _call(name: str, arguments: Mapping[str, Any], indent: int) -> str:
    """A call with one argument a line; the argument "" is positional."""
    inner = " " * (indent + 4)
    shown = [f"{inner}{f'{key}=' if key else ''}{_value(value, indent + 4)}," for key, value in arguments.items()]
    short = ", ".join(f"{key}={_value(value, 0)}" if key else _value(value, 0) for key, value in arguments.items())
    if len(short) + len(name) + indent < 88 and "\n" not in short:
        return f"{name}({short})"
    return "\n".join([f"{name}(", *shown, " " * indent + ")"])


def _value(value: Any, indent: int) -> str:
    """A value as source; a long list or dict has one entry a line."""
    import torch

    if isinstance(value, _Source):
        return value.text
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, torch.device | Path):
        value = str(value)
    if isinstance(value, str):
        shown = json.dumps(value, ensure_ascii=False)
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in shown)
    inner = indent + 4
    if isinstance(value, Mapping):
        brackets, parts = "{}", [f"{_value(key, inner)}: {_value(each, inner)}" for key, each in value.items()]
    elif isinstance(value, list | tuple | set | frozenset):
        members = sorted(value) if isinstance(value, set | frozenset) else value
        parts = [_value(each, inner) for each in members]
        brackets = "()" if isinstance(value, tuple) else "[]" if isinstance(value, list) else "{}"
        if brackets == "()" and len(parts) == 1:
            return f"({parts[0]},)"
        if brackets == "{}" and not parts:
            return "set()"
    else:
        return repr(value)
    short = ", ".join(parts)
    if len(short) + indent < 96 and "\n" not in short:
        return f"{brackets[0]}{short}{brackets[1]}"
    if all(isinstance(each, int) for each in value):
        body = textwrap.fill(short, 112, initial_indent=" " * inner, subsequent_indent=" " * inner) + ","
    else:
        body = "\n".join(f"{' ' * inner}{part}," for part in parts)
    return f"{brackets[0]}\n{body}\n{' ' * indent}{brackets[1]}"


def _long_text(text: str) -> str:
    """A text of several lines as source: a line of source for each of its own."""
    lines = text.splitlines(keepends=True)
    return "(\n" + "\n".join(f"    {_value(line, 0)}" for line in lines) + "\n)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

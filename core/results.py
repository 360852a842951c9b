"""What a run has left behind, read back without torch: the comparison of base and tuned model, and the adapter."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.recipe.saved import Weights, read_weights
from core.units import size

_LONG = 1_500
"""Characters of a question above which one sees little else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One held-out prompt with what the data set, the base and the tuned model say to it.

    Attributes:
        number: from 0, in the order of the eval set.
        prompt: the turns before the answer, as `(role, content)`.
        reference: the data set's own answer.
        base: the base model's answer.
        tuned: the tuned model's answer.
    """

    number: int
    prompt: tuple[tuple[str, str], ...]
    reference: str
    base: str
    tuned: str

    @property
    def long(self) -> bool:
        """Whether the question alone would fill the screen."""
        return sum(len(text) for _, text in self.prompt[-1:]) > _LONG

    @property
    def changed(self) -> float:
        """The part of both answers' words that only one of them has: 0 where the answers are the same."""
        if self.base == self.tuned:
            return 0.0
        base, tuned = Counter(self.base.split()), Counter(self.tuned.split())
        both = sum((base & tuned).values()) * 2
        return max(1e-6, 1 - both / max(1, base.total() + tuned.total()))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Base against tuned model on held-out samples.

    Attributes:
        base_loss: mean cross-entropy a trained token, in nats.
        tuned_loss: the same for the tuned model.
        eval_samples: samples that the losses were measured on.
        answers: answers side by side, as many as the recipe asked for.
        step: the training step of the tuned model; None where nothing says it.
    """

    base_loss: float | None
    tuned_loss: float | None
    eval_samples: int
    answers: tuple[Answer, ...]
    step: int | None = None

    def most_changed_first(self) -> tuple[Answer, ...]:
        """The answers, those that differ most from the base's first; of very long prompts, after all others."""
        return tuple(sorted(self.answers, key=lambda one: (one.long, -one.changed, one.number)))

    @property
    def differing(self) -> int:
        """How many answers of the tuned model are not the base model's to the letter."""
        return sum(answer.base != answer.tuned for answer in self.answers)


def read_comparison(run: Path) -> Comparison | None:
    """The comparison in a run's folder, or None while there is none.

    Raises:
        BadInput: its files cannot be read.
    """
    folder = run / "evaluation"
    summary_file, answers_file = folder / "summary.json", folder / "answers.jsonl"
    if not summary_file.exists():
        return None
    try:
        summary: dict[str, Any] = json.loads(summary_file.read_text(encoding="utf-8"))
        lines = answers_file.read_text(encoding="utf-8").splitlines() if answers_file.exists() else []
        answers = tuple(_answer(json.loads(line)) for line in lines if line)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"the comparison cannot be read ({error})", where=str(folder), do="Run the evaluation again"
        ) from error
    return Comparison(
        base_loss=_number(summary.get("base_loss")),
        tuned_loss=_number(summary.get("tuned_loss")),
        eval_samples=int(summary.get("eval_samples", 0)),
        answers=answers,
        step=summary["adapter_step"] if isinstance(summary.get("adapter_step"), int) else None,
    )


def _answer(value: dict[str, Any]) -> Answer:
    return Answer(
        number=int(value["n"]),
        prompt=tuple((str(turn["role"]), str(turn["content"])) for turn in value["messages"]),
        reference=str(value["reference"]),
        base=str(value["base"]),
        tuned=str(value["tuned"]),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on disk.

    Attributes:
        folder: where it lies.
        files: name and size in bytes of each of its files, the largest first.
        base_model: folder or hub name of the model that it belongs to.
        kind: PEFT's type, `LORA`.
        rank: the rank, 0 where the type has none.
        alpha: the scale.
        targets: names of the modules that it changes.
        weights: of which step it is and what was measured then; None where nothing says it.
    """

    folder: Path
    files: tuple[tuple[str, int], ...]
    base_model: str
    kind: str
    rank: int
    alpha: float
    targets: tuple[str, ...]
    weights: Weights | None = None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)


def read_adapter(run: Path) -> Adapter | None:
    """The adapter of a run, or None where it has none (yet).

    Raises:
        BadInput: the adapter's configuration cannot be read.
    """
    folder = run / "adapter"
    config_file = folder / "adapter_config.json"
    if not config_file.exists() or not (folder / "adapter_model.safetensors").exists():
        return None
    try:
        config: dict[str, Any] = json.loads(config_file.read_text(encoding="utf-8"))
        files = [(path.name, path.stat().st_size) for path in folder.iterdir() if path.is_file()]
    except (OSError, ValueError) as error:
        raise BadInput(
            f"the adapter cannot be read ({error})", where=str(folder), do="Look at the run's log"
        ) from error
    targets = config.get("target_modules") or ()
    return Adapter(
        folder=folder,
        files=tuple(sorted(files, key=lambda entry: -entry[1])),
        base_model=str(config.get("base_model_name_or_path") or ""),
        kind=str(config.get("peft_type") or ""),
        rank=int(config.get("r") or 0),
        alpha=float(config.get("lora_alpha") or 0),
        targets=(targets,) if isinstance(targets, str) else tuple(sorted(str(name) for name in targets)),
        weights=read_weights(folder),
    )


def adapter_words(adapter: Adapter, run_step: int | None = None) -> str:
    """The adapter in a line: where it lies, its size, of which step it is.

    Args:
        adapter: the adapter.
        run_step: the last step of its run.
    """
    of = "" if adapter.weights is None else f", {adapter.weights.words(run_step)}"
    return f"{adapter.folder} ({size(adapter.size)}){of}"


def loading_code(adapter: Adapter) -> str:
    """Python that loads the adapter with peft alone and asks it something."""
    return f"""\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

adapter = {str(adapter.folder)!r}
base = {adapter.base_model!r}
model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
model = PeftModel.from_pretrained(model, adapter)
tokenizer = AutoTokenizer.from_pretrained(adapter)

messages = [{{"role": "user", "content": "How do I export my data?"}}]
prompt = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
)
answer = model.generate(**prompt, max_new_tokens=200)[0]
new = answer[prompt["input_ids"].shape[1]:]
print(tokenizer.decode(new, skip_special_tokens=True))
"""


_ELSEWHERE = "Name another folder"


def copy_adapter(adapter: Adapter, target: Path) -> Path:
    """Copy an adapter's folder, whole or not at all.

    Args:
        adapter: what to copy.
        target: the folder to make; an existing folder gets a new one inside, named after the run, unless it is an
            adapter's itself.

    Returns:
        The folder that was made.

    Raises:
        BadInput: it exists already, or cannot be written.
    """
    if (target / "adapter_config.json").exists():
        raise BadInput("an adapter is there already, and nothing is overwritten", where=str(target), do=_ELSEWHERE)
    if target.is_dir():
        target = target / adapter.folder.parent.name
    if target.exists():
        raise BadInput("it exists already, and nothing is overwritten", where=str(target), do=_ELSEWHERE)
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        # Contents alone: some files are written for their owner only, and a copy is for taking away.
        shutil.copytree(adapter.folder, part, copy_function=shutil.copyfile)
        part.rename(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BadInput(
            f"the adapter could not be copied ({error.strerror})", where=str(target), do=_ELSEWHERE
        ) from error
    return target

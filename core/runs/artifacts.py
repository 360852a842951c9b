"""The adapter that a run leaves: read back, copied, and loaded elsewhere; without torch."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.jobs.files import reason
from core.recipe.adapters import ADAPTERS
from core.recipe.adapters.bottleneck import BOTTLENECK
from core.runs.origin import started
from core.runs.saved import Weights, read_weights, refuse_damaged_weights
from core.units import size


@dataclass(frozen=True, slots=True)
class SavedAdapter:
    """An adapter on disk.

    Attributes:
        folder: where it lies.
        files: name and size in bytes of each of its files, the largest first.
        base_model: folder or Hub model ID of the model that it belongs to.
        kind: PEFT's type, `LORA`.
        rank: the rank, 0 where the type has none.
        alpha: the scale.
        targets: names of the modules that it changes.
        weights: of which step it is and what was measured then; None where nothing says it.
        started: what its run was started from, in words; "" for the bare base model.
        chats: whether a chat template is saved with it; without one it continues plain prompts.
        scores: whether it belongs to a reward model, which gives one score and writes no text.
        rows: whether it has rows of the embedding, maybe of tokens that the base model has no room for.
    """

    folder: Path
    files: tuple[tuple[str, int], ...]
    base_model: str
    kind: str
    rank: int
    alpha: float
    targets: tuple[str, ...]
    weights: Weights | None = None
    started: str = ""
    chats: bool = True
    scores: bool = False
    rows: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)


def read_adapter(run: Path) -> SavedAdapter | None:
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
        raise BadInput(f"Cannot read the adapter ({error})", where=str(folder), do="See the run's log") from error
    targets = config.get("target_modules") or ()
    return SavedAdapter(
        folder=folder,
        files=tuple(sorted(files, key=lambda entry: -entry[1])),
        base_model=str(config.get("base_model_name_or_path") or ""),
        kind=str(config.get("peft_type") or ""),
        rank=int(config.get("r") or 0),
        alpha=float(config.get("lora_alpha") or 0),
        targets=(targets,) if isinstance(targets, str) else tuple(sorted(str(name) for name in targets)),
        weights=read_weights(folder),
        started="" if (begun := started(run)) is None else begun.words(),
        chats=_has_template(folder),
        rows=bool(config.get("trainable_token_indices")),
        scores=config.get("task_type") == "SEQ_CLS",
    )


def _has_template(folder: Path) -> bool:
    if any(folder.glob("chat_template*")) or (folder / "additional_chat_templates").is_dir():
        return True
    try:
        found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True  # an adapter without its tokenizer has that of its base model
    return bool(isinstance(found, dict) and found.get("chat_template"))


def title_of(adapter: SavedAdapter) -> str:
    """What people call its kind: `LoRA`, `Adapter layers`."""
    return next((row.title for row in ADAPTERS if row.peft_type == adapter.kind), adapter.kind)


def limits_of(adapter: SavedAdapter) -> str:
    """What an adapter cannot be used for, as a sentence; "" for no limits."""
    return next((row.limits for row in ADAPTERS if row.peft_type == adapter.kind), "")


def whole_model_words(run: Path) -> str:
    """What a run left that trained every weight, and how to load it; "" where there is no such model (yet)."""
    folder = run / "model"
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        scores = any(str(name).endswith("ForSequenceClassification") for name in config.get("architectures") or ())
    except (OSError, ValueError, AttributeError):
        return ""
    kind = "AutoModelForSequenceClassification" if scores else "AutoModelForCausalLM"
    words = f"This run trained every weight, so there is no adapter: the whole model is in {folder}. "
    words += f"Load it with transformers: {kind}.from_pretrained."
    return f"{words}\n{SCORES_ONLY[0].upper()}{SCORES_ONLY[1:]}" if scores else words


def adapter_words(adapter: SavedAdapter, run_step: int | None = None) -> str:
    """The adapter in a line: its folder, size and step.

    Args:
        adapter: the adapter.
        run_step: the last step of its run.
    """
    of = "" if adapter.weights is None else f", {adapter.weights.words(run_step)}"
    return f"{adapter.folder} ({size(adapter.size)}){of}"


def loading_code(adapter: SavedAdapter) -> str:
    """Python that loads the adapter with peft alone and generates an answer, or scores one."""
    if adapter.scores:
        return _scoring_code(adapter)
    chat = """\
messages = [{"role": "user", "content": "How do I export my data?"}]
prompt = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
)"""
    plain = """\
# No chat template: a prompt is plain text, and ends exactly as the prompts in the training data.
prompt = tokenizer("How do I export my data?\\n", return_tensors="pt")"""
    grown = """\
if len(tokenizer) > model.get_input_embeddings().num_embeddings:
    model.resize_token_embeddings(len(tokenizer))  # room for added tokens; the adapter has their rows
"""
    own = """\
# Adapter layers are tunedeck's own method, so it has to be installed where they are loaded.
from core.engine import bottleneck

bottleneck.register()

"""
    return f"""\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

{own if adapter.kind == BOTTLENECK.peft_type else ""}adapter = {str(adapter.folder)!r}
base = {adapter.base_model!r}
model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
tokenizer = AutoTokenizer.from_pretrained(adapter)
{grown if adapter.rows else ""}model = PeftModel.from_pretrained(model, adapter)

{chat if adapter.chats else plain}
answer = model.generate(**prompt, max_new_tokens=200)[0]
new = answer[prompt["input_ids"].shape[1]:]
print(tokenizer.decode(new, skip_special_tokens=True))
"""


def _scoring_code(adapter: SavedAdapter) -> str:
    return f"""\
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

adapter = {str(adapter.folder)!r}
base = {adapter.base_model!r}
tokenizer = AutoTokenizer.from_pretrained(adapter)
# num_labels=1: without it, transformers makes a head of two.
model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype="auto")
model = PeftModel.from_pretrained(model, adapter).eval()
model.config.pad_token_id = tokenizer.pad_token_id  # by it the last token is found

messages = [
    {{"role": "user", "content": "How do I export my data?"}},
    {{"role": "assistant", "content": "Open Settings, then Export."}},
]
inputs = tokenizer.apply_chat_template(messages, return_dict=True, return_tensors="pt")
with torch.no_grad():
    print(model(**inputs).logits[0, 0].item())  # higher is better; compare answers to one prompt

# One model without PEFT. (Trained over 4 bits? Load the base so, and call model.dequantize() before PeftModel.)
merged = model.merge_and_unload()
merged.save_pretrained("reward-model")
tokenizer.save_pretrained("reward-model")
"""


SCORES_ONLY = (
    "chat, GGUF and serving do not apply: a reward model scores text and does not write any. Use it to score answers, "
    "or as a reward of GRPO or RLOO."
)
"""Why what is offered for other models is not for one that scores."""

_ELSEWHERE = "Choose another folder"


def copy_adapter(adapter: SavedAdapter, target: Path) -> Path:
    """Copy an adapter's folder, whole or not at all.

    Args:
        adapter: what to copy.
        target: the folder to make; an existing folder gets a new one inside, named after the run, unless it is an
            adapter's itself.

    Returns:
        The folder that was made.

    Raises:
        BadInput: it exists already, cannot be written, or the weights are damaged.
    """
    if (target / "adapter_config.json").exists():
        raise BadInput("This folder holds an adapter already; it was not overwritten", where=str(target), do=_ELSEWHERE)
    if target.is_dir():
        target = target / adapter.folder.parent.name
    if target.exists():
        raise BadInput("It already exists and was not overwritten", where=str(target), do=_ELSEWHERE)
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        # Contents alone: some files are written for their owner only, and a copy is for taking away.
        shutil.copytree(adapter.folder, part, copy_function=shutil.copyfile)
        refuse_damaged_weights(part)  # so the copy is known to be whole as well
        part.rename(target)
    except BadInput as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BadInput(error.what, where=str(adapter.folder), do=error.do) from error
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BadInput(f"Cannot copy the adapter: {reason(error, target)}", where=str(target), do=_ELSEWHERE) from error
    return target

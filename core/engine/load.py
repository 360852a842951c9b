"""Device and precision from the hardware, and the base model with its tokenizer from a folder or the hub."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.clean import clean_line
from core.engine.gpus import check_reach
from core.engine.hub import explain
from core.engine.loss_check import name_experts
from core.engine.quantized import compute_in, in_four_bits, is_quantized, only_pack_what_fits
from core.engine.token_rows import make_rows
from core.engine.unloaded import only_shapes, unloaded
from core.errors import BadInput
from core.jobs.trust import refuse_without_yes
from core.recipe.asks import code_ask
from core.recipe.devices import parse_devices
from core.recipe.families import family_of, refusal
from core.recipe.model_files import is_here, refuse_no_base
from core.recipe.precision import DeviceType, precision_of
from core.recipe.recipe import Model

_LFS = b"version https://git-lfs"
_PAD_NAMES = ("<|finetune_right_pad_id|>", "<pad>", "[PAD]", "<|pad|>", "<|padding|>", "<|endoftext|>", "<unk>")
"""Tokens that serve as padding where the tokenizer names none, in this order; never one that ends a turn."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the model is computed on and in.

    Attributes:
        device: `cpu`, or the one GPU of this process.
        dtype: of the weights.
        mixed: `bf16`, `fp16` or `no`: the trainer's automatic casts around float32 masters.
        name: the device as a person knows it.
    """

    device: torch.device
    dtype: torch.dtype
    mixed: str
    name: str

    @property
    def kind(self) -> DeviceType:
        """The device as forecasts of memory tell them apart."""
        if self.device.type == "cpu":
            return "cpu"
        return "cuda" if torch.cuda.get_device_capability(self.device)[0] >= 8 else "cuda_fp16"

    @property
    def compute(self) -> torch.dtype:
        """The type that matrix products are computed in."""
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.mixed, self.dtype)

    @property
    def precision(self) -> str:
        """For people: `bfloat16`, or `float32 with bfloat16 autocast`."""
        held, cast = (str(dtype).removeprefix("torch.") for dtype in (self.dtype, self.compute))
        return held if held == cast else f"{held} with {cast} autocast"


def hardware(model: Model, devices: str = "", *, all_weights: bool = False) -> Hardware:
    """Device and precision for a recipe, see `core.recipe.precision`. Not tested on a GPU yet.

    Args:
        model: the recipe's model section.
        devices: the recipe's `training.devices`; `cpu` keeps a GPU out.
        all_weights: whether every weight is trained; float16 masters cannot be, so they are float32 then.

    Raises:
        BadInput: a GPU is named that torch does not reach; float16 on a CPU, or bfloat16 on a GPU that has none.
    """
    named = parse_devices(devices)
    check_reach(named)
    kind: DeviceType = "cpu"
    device, name = torch.device("cpu"), "CPU"
    if not named.cpu and torch.cuda.is_available():
        device = torch.device("cuda", torch.cuda.current_device())
        name = torch.cuda.get_device_name(device)
        kind = "cuda" if torch.cuda.get_device_capability(device)[0] >= 8 else "cuda_fp16"
    held = precision_of(model.dtype, kind, whole=all_weights)
    if kind == "cpu" and held.mixed == "fp16":
        raise BadInput(
            "Training in float16 does not work on a CPU",
            where="model.dtype",
            do="Use auto or float32, or run on a GPU",
        )
    if kind == "cuda_fp16" and held.mixed == "bf16":
        raise BadInput(
            f"{name} does not support bfloat16", where="model.dtype", do="Use auto, float16, mixed_float16 or float32"
        )
    return Hardware(device, getattr(torch, held.weights), held.mixed, name)


def check_model(path: str) -> None:
    """Makes sure, in milliseconds and without loading it, that a model folder can be loaded.

    A name that is no folder is treated as a Hub model ID and left to `load_base`.

    Raises:
        BadInput: the folder is empty, has no configuration, no safetensors weights, or only pointers to them.
    """
    folder = Path(path)
    if not path:
        raise BadInput("No model is chosen", where="model.path", do="Give a model folder or a Hub model ID")
    if not folder.exists():
        if path.startswith((".", "/", "~")) or path.count("/") > 1:
            raise BadInput("No such model folder", where=path, do="Give a model folder or a Hub model ID")
        return
    refuse_no_base(folder)
    if not folder.is_dir():
        raise BadInput("This is a file, not a model folder", where=path, do="Give the folder with config.json")
    if not (folder / "config.json").exists():
        raise BadInput(
            "The folder holds no model: config.json is missing",
            where=path,
            do="Give the folder that `save_pretrained` wrote, or one downloaded from the Hub",
        )
    _check_weights(folder)


def _check_weights(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise BadInput(
                f"Cannot read the index of the weights ({error})",
                where=str(index),
                do="Download or copy the model again",
            ) from error
        missing = sorted(name for name in named if not (folder / str(name)).exists())
        if missing:
            raise BadInput(
                f"{len(missing)} of {len(named)} weight files are missing, including {missing[0]}",
                where=str(folder),
                do="Download or copy the model again",
            )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth"))
        raise BadInput(
            "The model folder has no safetensors weights"
            + (": its .bin files are pickles, which can run code and are not loaded" if pickled else ""),
            where=str(folder),
            do="Convert them with `save_pretrained`, which writes safetensors"
            if pickled
            else "Download or copy the model again, weights included",
        )
    for file in weights:
        with file.open("rb") as stream:
            if stream.read(len(_LFS)) == _LFS:
                raise BadInput(
                    "The weights are a Git LFS pointer, not the weights themselves",
                    where=str(file),
                    do="Run `git lfs pull` in the model's folder",
                )


def refuse_code(model: Model) -> None:
    """Keeps the model's own code from running unless the user has said yes to it, whatever the recipe says.

    Raises:
        NotAgreed: the recipe wants it, and the user has not.
    """
    if model.trust_remote_code:
        refuse_without_yes([code_ask(model)])


def _offline(model: Model) -> bool:
    """Whether the libraries need not ask the Hub: all is here, and no code that may be in another repository."""
    return not model.trust_remote_code and is_here(model.path, model.revision)


def load_tokenizer(model: Model) -> Any:
    """The model's tokenizer, with a padding token that does not end a turn wherever there is one.

    Raises:
        BadInput: it cannot be had, or the model is not a text model with a fast tokenizer.
    """
    from transformers import AddedToken, AutoTokenizer

    refuse_code(model)
    refuse_no_base(Path(model.path).expanduser())
    with explain(model.path, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            model.path,
            revision=model.revision or None,
            trust_remote_code=model.trust_remote_code,
            local_files_only=_offline(model),
        )
    if not tokenizer.is_fast:
        raise BadInput(
            "The tokenizer has no fast version (tokenizer.json), which the loss mask needs",
            where=model.path,
            do="Use a model with a tokenizer.json",
        )
    if tokenizer.eos_token is None:
        raise BadInput(
            "The tokenizer has no end-of-sequence (EOS) token, so the model could never learn to stop",
            where=model.path,
            do="Set eos_token in its tokenizer_config.json",
        )
    if tokenizer.pad_token is None:
        known = tokenizer.get_vocab()
        free = [name for name in _PAD_NAMES if name in known and name != tokenizer.eos_token]
        # The collator masks padding by length, not by token, so even the end token as padding stays trained.
        tokenizer.pad_token = free[0] if free else tokenizer.eos_token
    if new := [name for name in model.added_tokens if name not in tokenizer.get_vocab()]:
        tokenizer.add_tokens([AddedToken(name, normalized=False) for name in new])
    return tokenizer


LoadProgress = Callable[[int, int], None]
"""Called with how many weights are loaded, and how many there are."""


def load_base(
    model: Model,
    on: Hardware,
    *,
    path: str = "",
    head: str = "",
    sharded: bool = False,
    on_progress: LoadProgress | None = None,
) -> Any:
    """The base model with its weights in `on.dtype`, quantized if the recipe or its own config says so; no pickles.

    Args:
        model: the recipe's model section.
        on: where and in what precision.
        path: another folder than the recipe's, for a model that was trained whole.
        head: the layer that gives one score in place of the output layer (`core.recipe.tasks.Task.head`), or "" for a
            model that writes text. A base has none: it is made of random numbers, from the state of torch's generator.
        sharded: whether it stays in RAM for now, because several GPUs are to share it.
        on_progress: called while the weights are loaded.

    Raises:
        BadInput: it cannot be had, or its weights are not the ones that its configuration describes.
    """
    refuse_code(model)
    source = path or model.path
    if not only_shapes():
        check_model(source)
    chosen = quantization(model, on)
    with explain(source, "model"):
        auto = auto_class(model, source, path=path, head=head)
        if only_shapes():
            return unloaded(auto, model, source, on, path=path, head=head)
    with explain(source, "model"), _quiet_report(), _reporting(on_progress):
        loaded, report = auto.from_pretrained(
            source,
            **loading_arguments(model, on, path=path, head=head, sharded=sharded),
            output_loading_info=True,
            # Not even as None where nothing is to be quantized: it would undo what is stored quantized.
            **({} if chosen is None else {"quantization_config": chosen}),
        )
    if getattr(loaded, "_hf_peft_config_loaded", False):  # of the Hub: transformers has put it onto its base already
        raise BadInput("This is an adapter, not a model", where=source, do="Use the base model it was trained on")
    _check_loaded(report, source, new=f"{head}." if head and not _scores(loaded) else "")
    name_experts(loaded)
    if model.added_tokens and not path:
        make_rows(loaded, len(load_tokenizer(model)))
    if sharded and os.environ["LOCAL_RANK"] != "0":
        _make_room(loaded)
    if is_quantized(loaded) and loaded.hf_quantizer.pre_quantized:
        if chosen is not None:
            raise BadInput("The model is already quantized", where="model.quantization", do="Set quantization to none")
        if loaded.quantization_method == "bitsandbytes":
            compute_in(loaded, on.dtype)
    if in_four_bits(loaded) and on.device.type == "cpu":
        only_pack_what_fits(loaded)
    return loaded


def _scores(model: Any) -> bool:
    """Whether the files of a model are those of one that scores, so that it has a head of its own."""
    return any(name.endswith("ForSequenceClassification") for name in model.config.architectures or ())


def loading_arguments(
    model: Model, on: Hardware, *, path: str = "", head: str = "", sharded: bool = False
) -> dict[str, Any]:
    """What `from_pretrained` is called with, beside the quantization; the arguments are those of `load_base`."""
    return {
        "revision": (model.revision or None) if not path else None,
        "dtype": on.dtype,
        "attn_implementation": None if model.attention == "auto" else model.attention,
        "trust_remote_code": model.trust_remote_code,
        "use_safetensors": True,
        # What is in the cache is used as it is: else each file is asked for, and without a network for seconds each.
        "local_files_only": bool(path) or _offline(model),
        # One device for the whole model; on a CPU transformers is not asked to place anything.
        "device_map": _place(on, sharded=sharded),
        **({"num_labels": 1} if head else {}),
    }


def auto_class(model: Model, source: str, *, path: str, head: str = "") -> Any:
    """What loads a model: the class for causal language models, for those that also see, or for those with a new head.

    Raises:
        BadInput: it is neither, or transformers has no head for it.
    """
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoModelForSequenceClassification,
    )
    from transformers.models.auto import modeling_auto

    config = AutoConfig.from_pretrained(
        source,
        revision=(model.revision or None) if not path else None,
        trust_remote_code=model.trust_remote_code,
        local_files_only=bool(path) or _offline(model),
    )
    if refused := refusal(family_of(config.to_dict())):
        raise BadInput(refused, where="model.path")
    if head:
        if config.model_type not in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
            raise BadInput(
                f"transformers has no version of {clean_line(config.model_type, 60)} models that scores text, so it "
                "cannot become a reward model",
                where="model.path",
                do="Use another base model, such as a Llama, Qwen, Mistral or Gemma model",
            )
        return AutoModelForSequenceClassification
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    sees = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    return AutoModelForImageTextToText if config.model_type in sees.keys() - causal.keys() else AutoModelForCausalLM


def _place(on: Hardware, *, sharded: bool) -> dict[str, Any] | None:
    """Where the weights go; of a model that is to be shared out, only the first rank of a machine loads any.

    The others get theirs from there (`cpu_ram_efficient_loading` in `core.training.sharded`): as many copies of a large
    model as GPUs are more than the RAM of most machines.
    """
    if not sharded:
        return {"": on.device} if on.device.type == "cuda" else None
    # By these transformers knows that what has no weights here gets them later.
    os.environ.update({"ACCELERATE_USE_FSDP": "true", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"})
    return None if os.environ["LOCAL_RANK"] == "0" else {"": "meta"}


def _make_room(model: Any) -> None:
    """Gives weights that were not loaded an address, by which accelerate tells them apart.

    It is memory that nobody writes to before accelerate gives it back, so it takes none of the machine's.
    """
    empty = {
        weight: torch.nn.Parameter(torch.empty_like(weight, device="cpu"), weight.requires_grad)
        for weight in model.parameters()
    }
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, empty[weight])


def quantization(model: Model, on: Hardware) -> Any:
    """The configuration of bitsandbytes for the recipe, or None.

    Raises:
        BadInput: bitsandbytes is not installed.
    """
    arguments = quantization_arguments(model, on)
    if arguments is None:
        return None
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise BadInput(
            f"{model.quantization} needs the package bitsandbytes, which is not installed",
            where="model.quantization",
            do="Install it, or set quantization to none",
        )
    return BitsAndBytesConfig(**arguments)


def quantization_arguments(model: Model, on: Hardware) -> dict[str, Any] | None:
    """What `BitsAndBytesConfig` is called with for the recipe; None where nothing is to be quantized."""
    if model.quantization == "none":
        return None
    if model.quantization == "int8":
        return {"load_in_8bit": True}
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": model.double_quantization,
        "bnb_4bit_compute_dtype": on.compute,
    }


def _check_loaded(report: dict[str, Any], source: str, *, new: str = "") -> None:
    beside = [name for name in sorted(report.get("unexpected_keys") or ()) if name.endswith((".SCB", ".absmax"))]
    if beside:  # else 8-bit integers would be taken for the weights
        raise BadInput(
            f"The weights are quantized ({beside[0]}), and config.json does not say how",
            where=source,
            do="Use the weights and config.json of the same model",
        )
    mismatched = report.get("mismatched_keys") or ()
    if mismatched:
        name, found, wanted = next(iter(mismatched))
        raise BadInput(
            f"The weights do not match config.json: {name} is {tuple(found)}, but config.json says {tuple(wanted)}",
            where=source,
            do="Use the weights and config.json of the same model",
        )
    missing = sorted(name for name in report.get("missing_keys") or () if not new or not name.startswith(new))
    if missing:
        raise BadInput(
            f"{len(missing)} weights are missing and would be random, including {missing[0]}",
            where=source,
            do="Use the weights and config.json of the same model",
        )


@contextmanager
def _reporting(on_progress: LoadProgress | None) -> Iterator[None]:
    """Reports what transformers would show as a progress bar."""
    from transformers.utils import logging

    if on_progress is None:
        yield
        return

    def hook(bar: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        items = arguments[0] if arguments else None
        if not hasattr(items, "__len__") or named.get("desc") != "Loading weights":
            return bar(*arguments, **named)
        return bar(_counted(items, on_progress), *arguments[1:], **named)

    before = logging.set_tqdm_hook(hook)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


def _counted(items: Any, on_progress: LoadProgress) -> Iterator[Any]:
    for done, item in enumerate(items):
        on_progress(done, len(items))
        yield item
    on_progress(len(items), len(items))


@contextmanager
def _quiet_report() -> Iterator[None]:
    """No table of the loading on stderr: `_check_loaded` says the same in a sentence."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()  # for good: a worker's log is a file, not a terminal
    try:
        yield
    finally:
        logging.set_verbosity(level)

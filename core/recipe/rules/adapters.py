"""What is wrong with the settings of an adapter, alone and for a model. No files."""

from __future__ import annotations

from collections.abc import Iterator

from core import units
from core.clean import clean_line
from core.recipe.adapters import Reach, adapter_of, conflicts
from core.recipe.adapters.lora import LORA, RESIDUAL
from core.recipe.adapters.soft_prompt import SECTION as SOFT
from core.recipe.declare import Problem
from core.recipe.devices import is_sharded
from core.recipe.families import refusal
from core.recipe.memory import forecast
from core.recipe.model_shape import ModelShape
from core.recipe.quantized import can_be_trained_on
from core.recipe.recipe import Recipe, put
from core.recipe.soft_prompt_families import working
from core.recipe.target_names import FORMS, broken, chosen, names_one
from core.recipe.tasks import TASKS
from core.recipe.values import number_text

_SHOWN = 12
"""Names that a sentence lists."""


def check(recipe: Recipe, shape: ModelShape | None) -> Iterator[Problem]:
    """Every problem of a recipe with its adapter.

    Args:
        recipe: the recipe.
        shape: of its model, where it is known.
    """
    for problem in conflicts.check(recipe):
        yield _with_cost(problem, recipe, shape)
    adapter = adapter_of(recipe)
    if adapter.section == LORA.section:
        yield from _lora(recipe)
    elif adapter.section == SOFT:
        yield from _soft_prompt(recipe, shape)
    if shape is not None and adapter.partial and recipe.last_layers.count > shape.layers:
        yield Problem("last_layers.count", f"The model has only {shape.layers} layers.", brief="too many layers")
    if adapter.partial and recipe.last_layers.head and (own := TASKS[recipe.task].head):
        words = f"No effect: this task has the layer {own} in place of the output layer and trains it in any case."
        yield Problem("last_layers.head", words, "warn", "no effect")
    yield from _tokens(recipe, shape)
    reach = adapter.reach(recipe)
    if reach is None:
        return
    head = TASKS[recipe.task].head
    if head and names_one("lm_head", reach.whole):
        words = f"This task has the layer {head} in place of lm_head and trains it in any case. Remove lm_head."
        yield Problem(f"{reach.section}.modules_to_save", words, brief="no such layer here")
    faults = [*_named(reach)]
    yield from faults
    if faults or shape is None or not can_be_trained_on(shape.quantized) or refusal(shape.family):
        return
    yield from _fits(reach, shape)
    if adapter.section == LORA.section:
        yield from _lora_fits(recipe, reach, shape)
    elif adapter.reads("adapter.feedforward"):
        yield from _feedforward(recipe, reach, shape)
    elif adapter.reads("adapter.block_size"):
        yield from _blocks(recipe, reach, shape)


def _tokens(recipe: Recipe, shape: ModelShape | None) -> Iterator[Problem]:
    """Added tokens, whose rows have to be trained by somebody."""
    added, adapter = recipe.model.added_tokens, adapter_of(recipe)
    if blank := next((token for token in added if not token.strip()), None):
        yield Problem("model.added_tokens", f"{blank!r} is not a token. Enter names such as <|tool|>.", brief="empty")
    if added and (adapter.partial or not (adapter.whole or adapter.section == LORA.section)):
        words = f"{adapter.title} does not train the embedding, so added tokens would stay untrained. Use lora or full."
        yield Problem("model.added_tokens", words, brief="not trained")
    if added and is_sharded(recipe):
        words = "fsdp splits the embedding before it can grow. Use ddp, or add no tokens."
        yield Problem("model.added_tokens", words, brief="not with fsdp")
    whole = recipe.lora.modules_to_save
    if adapter.section == LORA.section and shape and (added or recipe.lora.trained_tokens):
        ends = [name for name in (shape.embedding, "lm_head") if name and names_one(name, whole)]
        if ends:
            path = "lora.trained_tokens" if recipe.lora.trained_tokens else "model.added_tokens"
            words = f"{ends[0]} is in Modules to save and trained as a whole, so its rows cannot be trained separately."
            yield Problem(path, words, brief="trained whole")


def _with_cost(problem: Problem, recipe: Recipe, shape: ModelShape | None) -> Problem:
    """The cost of keeping activations, where they cannot be recomputed."""
    if problem.path != "training.activation_checkpointing" or shape is None:
        return problem
    kept = put(recipe, "training.activation_checkpointing", False)
    more = forecast(kept, shape, "cuda").total - forecast(recipe, shape, "cuda").total
    return Problem(
        problem.path, f"{problem.sentence} Keeping them needs about {units.gib(more)} more.", brief=problem.brief
    )


def _named(reach: Reach) -> Iterator[Problem]:
    """What is wrong with the names themselves."""
    section = reach.section
    if not reach.targets and not reach.parameters:
        yield Problem(reach.path, "No layer gets an adapter. Use all-linear, or names such as q_proj.")
    if "lm_head" in reach.targets:
        words = "The output layer lm_head cannot get an adapter here. Put it in Modules to save instead."
        yield Problem(reach.path, words)
    if reach.every and len(reach.targets) > 1:
        yield Problem(reach.path, "all-linear already includes every layer. Remove the other names.")
    for path, names in ((reach.path, reach.targets), (f"{section}.exclude", reach.exclude)):
        if wrong := broken(names):
            words = f"{clean_line(wrong[0], 60)} is not a valid regular expression: {clean_line(wrong[1], 80)}."
            yield Problem(path, words, brief="not an expression")
    if reach.layers and chosen(reach.layers, 1) is None:
        yield Problem(f"{section}.layers", f"Layers are written like this: {FORMS}.", brief="cannot be read")


def _fits(reach: Reach, shape: ModelShape) -> Iterator[Problem]:
    """Names that the model does not have."""
    section = reach.section
    if missing := [name for name in _missing(reach, shape) if name != "lm_head"]:
        known = ", ".join(shape.target_names[:_SHOWN]) if reach.linear else _leaves(shape)
        yield Problem(
            reach.path,
            f"The model has no layer named {clean_line(', '.join(missing), 80)}; it has {clean_line(known)}.",
            brief="no such layer",
        )
        return
    targets = Reach(reach.path, reach.targets, experts=reach.experts)
    linear = [module.name for module in shape.reached(targets)]
    reached = linear if reach.linear else [*shape.reached_modules(targets)]
    if unused := [name for name in reach.exclude if not any(names_one(each, (name,)) for each in reached)]:
        words = f"{clean_line(', '.join(unused), 80)} matches no target, so nothing is excluded. Remove it."
        yield Problem(f"{section}.exclude", words, brief="no such target")
    numbers = chosen(reach.layers, shape.layers) or frozenset()
    if beyond := [number for number in sorted(numbers) if number >= shape.layers]:
        words = f"The model has {shape.layers} layers, counted from 0; there is no layer {beyond[0]}."
        yield Problem(f"{section}.layers", words, brief="no such layer")
    elif reach.linear and not shape.reached(reach) and not shape.reached_experts(reach) and not unused:
        field = "layers" if reach.layers else "exclude"
        words = "No layer is left to adapt. Remove a name here, or add target modules."
        yield Problem(f"{section}.{field}", words, brief="no layer left")
    if unknown := shape.missing_modules(reach.whole):
        words = f"The model has no module named {clean_line(', '.join(unknown), 80)}; it has {_leaves(shape)}."
        yield Problem(f"{section}.modules_to_save", words, brief="no such module")


def _missing(reach: Reach, shape: ModelShape) -> tuple[str, ...]:
    if reach.experts:
        return shape.missing_targets(reach.targets)
    known = [module.name for module in shape.linear] if reach.linear else [*shape.language_modules]
    names = (name for name in reach.targets if name != "all-linear")
    return tuple(name for name in names if not any(names_one(each, (name,)) for each in known))


def _leaves(shape: ModelShape) -> str:
    names = tuple(dict.fromkeys(name.rpartition(".")[2] for name in shape.modules))
    return clean_line(", ".join(names[:_SHOWN]), 400)


def _lora(recipe: Recipe) -> Iterator[Problem]:
    lora = recipe.lora
    ratio = lora.alpha / lora.rank
    if lora.variant != "rslora" and not 0.25 <= ratio <= 8:
        yield Problem(
            "lora.alpha",
            f"Alpha is {number_text(round(ratio, 3))} times the rank; 1 to 2 times is common.",
            "warn",
            "unusual ratio",
        )
    if wrong := broken(pattern.modules for pattern in lora.patterns):
        words = f"{clean_line(wrong[0], 60)} is not a valid regular expression: {clean_line(wrong[1], 80)}."
        yield Problem("lora.patterns", words, brief="not an expression")
    if empty := next((pattern.modules for pattern in lora.patterns if not (pattern.rank or pattern.alpha)), ""):
        words = f"The pattern {clean_line(empty, 60)} changes neither rank nor alpha. Give one of them, or remove it."
        yield Problem("lora.patterns", words, brief="changes nothing")
    if lora.init == "orthogonal":
        ranks = (("lora.rank", lora.rank), *(("lora.patterns", pattern.rank) for pattern in lora.patterns))
        for path, rank in ranks:
            if rank % 2:
                words = f"orthogonal needs an even rank: use {rank + 1} instead of {rank}, or other initial weights."
                yield Problem(path, words, brief="must be even")
    if 0 < lora.plus_ratio < 1:
        words = "LoRA+ trains B faster than A: use a ratio above 1, such as 16, or 0 to turn it off."
        yield Problem("lora.plus_ratio", words, brief="below 1")


def _lora_fits(recipe: Recipe, reach: Reach, shape: ModelShape) -> Iterator[Problem]:
    lora, adapted = recipe.lora, shape.reached(reach)
    smallest = min((min(module.inputs, module.outputs) for module in adapted), default=0)
    if 0 < smallest < lora.rank:
        fixed = lora.init in RESIDUAL
        words = f"Rank {lora.rank} exceeds the width of the smallest adapted layer ({smallest})"
        words += f", which {lora.init} does not allow. Use at most {smallest}." if fixed else " and adds nothing there."
        yield Problem("lora.rank", words, "error" if fixed else "warn", "exceeds layer width")
    for pattern in lora.patterns:
        if not any(names_one(module.name, (pattern.modules,)) for module in adapted):
            words = f"The pattern {clean_line(pattern.modules, 60)} matches no adapted layer. Remove it."
            yield Problem("lora.patterns", words, brief="no such layer")
    if unknown := shape.missing_parameters(lora.parameters):
        known = sorted({f"experts.{one.name}" for one in shape.fused})
        have = f"it has {', '.join(known)}" if known else "it has no fused experts"
        words = f"The model has no expert weight {clean_line(', '.join(unknown), 80)}; {have}."
        yield Problem("lora.parameters", words, brief="no such weight")
    elif set(shape.experts_by_name(lora.parameters)) & set(shape.experts_by_layers(reach)):
        words = "Target modules already include these expert weights. Remove them here, or name other target modules."
        yield Problem("lora.parameters", words, brief="already included")
    outer = ("lm_head", shape.embedding)
    if lora.ensure_weight_tying and not (shape.tied and any(names_one(name, lora.modules_to_save) for name in outer)):
        why = "none of them is in Modules to save" if shape.tied else "they are not tied in this model"
        words = f"This keeps the embedding and the output layer tied, but {why}. Set it to no."
        yield Problem("lora.ensure_weight_tying", words, brief="nothing to tie")


def _blocks(recipe: Recipe, reach: Reach, shape: ModelShape) -> Iterator[Problem]:
    size = recipe.adapter.block_size
    odd = next((module for module in shape.reached(reach) if module.inputs % size), None)
    if odd is not None:
        name = clean_line(odd.name.rpartition(".")[2], 60)
        words = f"{size} does not evenly divide the {odd.inputs} inputs of {name}. Use a smaller power of two."
        yield Problem("adapter.block_size", words, brief="does not divide")


def _feedforward(recipe: Recipe, reach: Reach, shape: ModelShape) -> Iterator[Problem]:
    adapted = [module.name for module in shape.reached(reach)]
    for name in recipe.adapter.feedforward:
        if not any(names_one(each, (name,)) for each in adapted):
            words = f"{clean_line(name, 60)} is not among the target modules. Add it there, or remove it here."
            yield Problem("adapter.feedforward", words, brief="not a target")


def _soft_prompt(recipe: Recipe, shape: ModelShape | None) -> Iterator[Problem]:
    soft, adapter = recipe.soft_prompt, adapter_of(recipe)
    if adapter.reads("soft_prompt.text") and soft.start == "text" and not soft.text.strip():
        yield Problem("soft_prompt.text", "Enter the text to start from, such as an instruction.", brief="empty")
    if shape is not None and shape.model_type and shape.model_type not in working()[adapter.kind]:
        words = (
            f"{adapter.title} is not known to work with {clean_line(shape.model_type, 60)} models in this version of "
            "peft. Use the method lora."
        )
        yield Problem("method", words, brief="not this family")

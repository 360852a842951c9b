"""The recipe that ships with the sample data: what differs from the defaults, and why."""

from __future__ import annotations

from pathlib import Path

from core.recipe import yamlfile
from core.recipe.recipe import Data, Evaluation, Lora, Model, Recipe, Training
from sample_data.faults import EVAL, TRAIN


def recipe(folder: Path) -> Recipe:
    """The recipe for the data and the model in this folder, for a minute on two cores without a GPU."""
    return Recipe(
        name="support-desk",
        model=Model(path=str(folder / "tiny_base")),
        data=Data(
            train=(str(folder / TRAIN),),
            eval=(str(folder / EVAL),),
            drop_flags=("empty_answer", "exact_duplicate", "leak_exact", "role_order"),
            max_length=256,  # the longest sample without a fault has 194 tokens
        ),
        lora=Lora(rank=32, alpha=64.0, dropout=0.0),
        training=Training(
            learning_rate=5e-3,  # far above that of a large model: three layers of width 128 have little to lose
            scheduler="cosine",
            epochs=2.0,
            batch_size=4,
            gradient_accumulation=1,
            warmup=0.05,
            activation_checkpointing=False,  # activations are nothing here
            eval_every=0.34,
            eval_batch_size=16,
            save_every=0.5,
            cpu_threads=1,  # a second thread makes steps this small slower, and far slower on a busy machine
        ),
        evaluation=Evaluation(prompts=20, max_new_tokens=96, batch_size=20),
    )


def build(folder: Path) -> None:
    """Writes `recipe.yaml`, its paths relative to the folder."""
    yamlfile.save(recipe(folder.absolute()), folder / "recipe.yaml")

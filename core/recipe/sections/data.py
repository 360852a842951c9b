"""The data: which samples, how they are split, cut and masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.dataset.flag_names import RENAMED
from core.dataset.row_tasks import RowTask, RowTasks
from core.recipe.conditions import empty, filled, none_of, one_of, positive
from core.recipe.declare import knob
from core.recipe.tasks import tasks_supporting

HELD_OUT = filled("data.eval") | positive("data.eval_fraction")
"""There is an eval set."""

_SPLIT = empty("data.eval") & positive("data.eval_fraction")


_FORMATS = {
    "messages": "a list of messages with role and content",
    "sharegpt": "conversations with from and value",
    "gemini": "conversations with contents and parts",
    "alpaca": "instruction, input, output",
    "question-answer": "a question and its answer",
    "prompt-completion": "a prompt and its completion",
    "prompts": "a prompt without an answer; for tasks in which the model writes the answers",
    "instances": "an instruction with a list of inputs and outputs",
    "turns": "user turns with reference answers",
    "preference": "a prompt with a chosen and a rejected answer",
    "openai-preference": "a prompt with OpenAI's preferred and non-preferred output",
    "kto": "a prompt, a completion and a label",
    "text": "plain text; every token is trained on",
    "text-lines": "plain text, one sample per line",
    "text-files": "plain text, one sample per file",
}
"""Formats that the user can name, each with what its rows hold."""


@dataclass(frozen=True, slots=True)
class MixSource:
    """Another dataset to train on besides the main one."""

    path: str = knob("", title="File", path=True, help="A file or folder with samples.")
    share: float = knob(0.0, title="Share", help="Its share of the training set: 0.1 for a tenth.", gt=0, lt=1)


@dataclass(frozen=True, slots=True)
class DatasetTask:
    """One of several tasks in the dataset."""

    name: str = knob("", title="Task", help="The value of the task column in its rows.")
    weight: float = knob(
        1.0,
        title="Weight",
        help="How often each of its samples is trained on in an epoch: 2 for twice, 0.5 for half of them, 0 for none.",
        ge=0,
        le=100,
    )
    system: str = knob("", title="System prompt", help="The system prompt for its samples; it replaces their own.")
    prefix: str = knob("", title="Prefix", help="A line put before the first user message of its samples.")


@dataclass(frozen=True, slots=True)
class Data:
    """The dataset: files, eval set, max length, and which tokens are trained on."""

    train: tuple[str, ...] = knob(
        (),
        title="Training data",
        path=True,
        help="Files or folders with samples: JSONL, JSON, CSV, Parquet, Arrow or text. They are never written to.",
        consequence="A few hundred good samples are enough to teach a style; new knowledge needs far more.",
    )
    eval: tuple[str, ...] = knob(
        (),
        title="Eval set",
        path=True,
        help="A separate eval file or folder that is never trained on. Leave it empty to hold out a share of the "
        "training data instead.",
        consequence="Without an eval set, overfitting cannot be detected.",
    )
    mix: tuple[MixSource, ...] = knob(
        (),
        title="Mix in",
        help="More files to train on, each with its share of the training set: general.jsonl=0.1. Large files are "
        "sampled using the split seed; small ones are repeated. None of their rows go into the eval set.",
        consequence="10% general data reduces forgetting; more of it leaves less room for the task.",
        source="Scialom et al., arXiv 2205.12393",
        advanced=True,
    )
    task_column: str = knob(
        "",
        title="Task column",
        help="The column that names the task of each row, if the dataset has several. Leave it empty otherwise.",
        consequence="Training and held-out samples are counted per task before the run starts.",
        advanced=True,
    )
    tasks: tuple[DatasetTask, ...] = knob(
        (),
        title="Tasks",
        help="A weight, a system prompt or a prefix for each task: summarize=2; prefix=Summarize this ticket: "
        "Rows of unlisted tasks are used unchanged. Samples are repeated or dropped at random with the split "
        "seed; the eval set gets the prompts, not the weights.",
        consequence="Use the same prompts when you use the model.",
        advanced=True,
        when=filled("data.task_column"),
    )
    eval_fraction: float = knob(
        0.1,
        title="Held-out share",
        help="The share of samples held out as the eval set when there is no separate eval file. Set 0 for none.",
        consequence="Holding out more makes the eval loss steadier and leaves fewer samples to train on.",
        ge=0,
        lt=1,
        when=empty("data.eval"),
    )
    split_seed: int = knob(
        42,
        title="Split seed",
        help="Decides which samples are held out.",
        consequence="Runs with different split seeds have different eval sets, so their eval losses cannot be "
        "compared.",
        ge=0,
        advanced=True,
        when=_SPLIT | filled("data.mix") | filled("data.tasks"),
    )
    split_near: float = knob(
        0.8,
        title="Near-duplicate split",
        help="Samples at least this similar (in their whole text or in their prompt) go to the same side of the "
        "train/eval split, and a separate eval file is checked for near-duplicates. Use 0.5 to 1; 0 only compares "
        "exact prompts.",
        consequence="A lower value gives a harder and more honest eval set. The search takes a few "
        "seconds per 10,000 samples.",
        source="Lee et al., arXiv 2107.06499",
        ge=0,
        le=1,
        advanced=True,
        when=HELD_OUT,
    )
    stratify: str = knob(
        "",
        title="Stratify by",
        help="Keeps the same proportions in the eval set: by answer (if answers are labels), by source (file), or by "
        "a column of the rows. Leave it empty to split at random.",
        consequence="Rare labels also end up in the eval set. Appending rows later can move other "
        "rows across the split.",
        advanced=True,
        when=_SPLIT,
    )
    synthetic: str = knob(
        "synthetic",
        title="Synthetic column",
        help="The column that marks augmented rows: its name, or column=value. Marked rows, and rows you flagged as "
        "synthetic, are never held out. Leave it empty if there is no such column.",
        consequence="To keep synthetic rows out of training as well, add synthetic to the flags to drop.",
        advanced=True,
    )
    format: str = knob(
        "auto",
        title="Format",
        help="The format of the rows. auto detects it from the first rows and says why.",
        choices={"auto": "detected from the first rows", **_FORMATS},
        advanced=True,
    )
    columns: Mapping[str, str] = knob(
        {},
        title="Column mapping",
        help=(
            "Maps the format's fields to columns with other names: prompt=question, completion=reply. FILE:prompt=q "
            "and FILE:format=alpaca apply to one file of several."
        ),
        consequence="Correcting the mapping keeps every decision you made on rows.",
        advanced=True,
    )
    eval_format: str = knob(
        "auto",
        title="Eval format",
        help="The format of the separate eval file, if it differs from the training data.",
        consequence="Evaluation needs rows with answers. Prompts alone are only checked for leaks.",
        choices={"auto": "detected from its first rows", **_FORMATS},
        advanced=True,
        when=filled("data.eval"),
    )
    eval_columns: Mapping[str, str] = knob(
        {},
        title="Eval column mapping",
        help="The column mapping of the separate eval file: prompt=question, completion=reply.",
        consequence="Columns mapped for the training data also apply to the eval file, if it has them.",
        advanced=True,
        when=filled("data.eval"),
    )
    allow_unreadable: bool = knob(
        False,
        title="Allow unreadable rows",
        help="Train even if more than 20% of the rows are unreadable. Unreadable rows are always skipped.",
        consequence="The usual cause is a wrong format or column mapping, so most of the data would be missing.",
        advanced=True,
    )
    drop_flags: tuple[str, ...] = knob(
        ("exact_duplicate", "empty_answer", "role_order", "missing_turn", "leak_exact", "control_tokens"),
        title="Drop flagged rows",
        help="Rows with any of these flags are not trained on, unless you kept them by hand.",
        consequence="Duplicates count twice in training and leak into the eval set.",
        renamed=RENAMED,
        source="Lee et al., arXiv 2107.06499",
    )
    train_without: tuple[str, ...] = knob(
        (),
        title="Train without",
        help=(
            "Parts of the samples to train without, because the chat template does not render them: tool_calls, tools, "
            "reasoning, media, text (beside a tool call). They are removed from every sample before tokenization."
        ),
        consequence=(
            "The model is trained on the answers without these parts. Without tool calls, their results and turns with "
            "nothing but calls are removed too."
        ),
        advanced=True,
        when=none_of("data.format", "text", "text-lines", "text-files"),
    )
    max_length: int = knob(
        2048,
        title="Max length",
        help="Longer samples are truncated, by default at the end, which cuts off the end of the answer.",
        consequence="Activation memory grows in proportion to it.",
        unit="tokens",
        ge=8,
        le=1_048_576,
    )
    truncation: str = knob(
        "keep_start",
        title="Truncation",
        help="Which part of a sample longer than the max length is kept.",
        consequence="keep_end keeps the end of the last answer and loses the beginning, system prompt included.",
        choices={"keep_start": "the end is cut off", "keep_end": "the beginning is cut off"},
        source="TRL's truncation_mode",
        advanced=True,
        when=tasks_supporting("data.truncation") & one_of("data.packing", "none"),
    )
    packing: str = knob(
        "none",
        title="Packing",
        help="Fills each sequence up to the max length with several samples, kept apart by position IDs.",
        consequence="Short samples train faster because there is less padding; an epoch has fewer, larger steps.",
        choices={
            "none": "one sample per sequence",
            "bfd": "best fit; samples longer than the max length are truncated",
            "bfd_split": "best fit; what exceeds the max length becomes another sequence",
            "wrapped": "one stream of text, cut anywhere; for plain text",
        },
        source="Ding et al., arXiv 2404.10830",
        when=tasks_supporting("data.packing"),
    )
    chunk_text: bool = knob(
        False,
        title="Chunk long text",
        help="Splits a plain-text row longer than the max length into chunks of that length, each a separate sample, "
        "instead of truncating it. Chunks do not overlap, and no token is lost.",
        consequence="Trains on all of the text. An epoch has more steps.",
        advanced=True,
        when=one_of("data.format", "auto", "text", "text-lines", "text-files")
        & one_of("data.packing", "none", "bfd")
        & tasks_supporting("data.chunk_text"),
    )
    loss_on: str = knob(
        "answers",
        title="Train on",
        help="Which tokens of chat samples count toward the loss. Plain text is always trained on in full.",
        consequence="Training on everything also teaches the model to write the prompts.",
        choices={
            "answers": "only the assistant's messages",
            "everything": "every token, prompts included",
        },
        when=none_of("data.format", "text", "text-lines", "text-files") & tasks_supporting("data.loss_on"),
    )
    view: str = knob(
        "",
        title="View fingerprint",
        help="Identifies the exact curated dataset that was trained on. Filled in when a run starts.",
        consequence="Runs with the same fingerprint trained on the same samples with the same split.",
        advanced=True,
    )

    @property
    def row_tasks(self) -> RowTasks | None:
        """The tasks of the rows; None where the dataset has one task."""
        if not self.task_column.strip():
            return None
        tasks = (RowTask(each.name, each.weight, each.system.strip(), each.prefix.strip()) for each in self.tasks)
        return RowTasks(self.task_column.strip(), tuple(tasks))

    @property
    def shares(self) -> dict[str, float]:
        """What is mixed in, by file, each with its share of the training set."""
        return {source.path: source.share for source in self.mix}

    @property
    def own_share(self) -> float:
        """The training data's own share of the training set; 0 where nothing is left, which the rules refuse."""
        return max(0.0, 1 - sum(self.shares.values()))

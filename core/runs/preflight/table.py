"""Every line of the preflight: one declaration each, in the order of the sheet."""

from __future__ import annotations

from core.runs.preflight import arguments, data, hub, kernels, machine, model, run
from core.runs.preflight import rewards as reward_lines
from core.runs.preflight.line import PreflightLine

LINES: tuple[PreflightLine, ...] = (
    PreflightLine("recipe", "recipe", "Whether every field has a value that works.", data.fields),
    PreflightLine("data", "data", "Whether the files open, and what kind of samples they hold.", data.sources),
    PreflightLine("rows", "data", "Rows that cannot be read, and rows that flags drop.", data.rows),
    PreflightLine("tokens", "data", "Rows that the chat template does not fully render.", data.tokens),
    PreflightLine("labels", "data", "Whether good and bad answers are balanced by their weights.", data.labels),
    PreflightLine("tasks", "data", "How many rows each task has, if the dataset has several.", data.tasks),
    PreflightLine("mix", "data", "The sources that are mixed in.", data.mix),
    PreflightLine("eval data", "data", "What is held out for evaluation.", data.eval_set),
    PreflightLine("leaks", "data", "Whether eval prompts are trained on, if a search was made.", data.leaks),
    PreflightLine("audit", "data", "Whether any rows of this data have been reviewed.", data.audit),
    PreflightLine("model", "model", "Whether the model can be read, and how much of it is trained.", model.base),
    PreflightLine("hub", "model", "Whether the Hub lets you download the model, and it fits the disk.", hub.access),
    PreflightLine("starts from", "model", "Whether the weights that it starts from exist and fit.", model.origin),
    PreflightLine("targets", "model", "Which layers get an adapter.", model.targets),
    PreflightLine("teacher", "model", "Whether the teacher exists and has the same vocabulary.", model.teacher),
    PreflightLine("tokenizer", "model", "Whether the tokenizer fits the model and the template.", model.tokenizer),
    PreflightLine(
        "chat template",
        "model",
        "Whether the template trains the stop token, and prompts as a server will.",
        model.template,
    ),
    PreflightLine("trained tokens", "run", "How many tokens carry loss, if they were counted.", run.trained_tokens),
    PreflightLine("steps", "run", "How many steps the run has, and of how many samples.", run.steps),
    PreflightLine("duration", "run", "How long it takes by measured pace, and what that costs.", run.duration),
    PreflightLine("then", "run", "Whether the recipes that run after this one can start from it.", model.then),
    PreflightLine("rewards", "run", "Whether everything the rewards need is there.", reward_lines.rewards),
    PreflightLine("packages", "machine", "Whether the training packages are installed.", machine.packages),
    PreflightLine(
        "arguments", "machine", "Whether trl, transformers and peft accept every argument.", arguments.accepted
    ),
    PreflightLine("kernels", "machine", "Whether device and packages can do what the recipe sets.", kernels.kernels),
    PreflightLine("trackers", "machine", "Whether the chosen trackers are installed.", machine.trackers),
    PreflightLine("allowed", "machine", "What you will be asked to allow.", machine.consent),
    PreflightLine("notify", "machine", "What is run when the run ends.", machine.notify),
    PreflightLine("device", "machine", "Where it trains, and whether torch can.", machine.devices),
    PreflightLine("gpu use", "machine", "What else is running on the chosen GPUs.", machine.busy),
    PreflightLine("precision", "machine", "Whether the device can compute in this type.", machine.precision),
    PreflightLine("memory", "machine", "Whether the run fits into free memory.", machine.memory_fits),
    PreflightLine("disk", "machine", "Whether the checkpoints fit on the disk.", machine.disk),
    PreflightLine("workspace", "machine", "Whether the workspace is on a permanent disk.", machine.workspace),
)

GROUPS = {line.name: line.group for line in LINES}
"""The heading of each line by its name."""

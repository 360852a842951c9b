"""Whom a run tells: trackers of experiments while it trains, and the user when it has ended."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import filled
from core.recipe.declare import knob


@dataclass(frozen=True, slots=True)
class Reporting:
    """Trackers that get the metrics too, and what is told at the end."""

    report_to: tuple[str, ...] = knob(
        (),
        title="Trackers",
        help="Programs that get the metrics as well, by TRL's own report_to. They must be installed where the training "
        "runs, and are set up as always (wandb login, MLFLOW_TRACKING_URI). The live screen needs none of them.",
        consequence="wandb sends metrics to its service, and tracks what it says of the machine.",
        choices={
            "tensorboard": "files in the run's folder, for tensorboard --logdir",
            "wandb": "Weights & Biases",
            "mlflow": "MLflow, at MLFLOW_TRACKING_URI",
            "trackio": "Trackio, in its local database",
        },
        source="transformers' report_to",
    )
    project: str = knob(
        "tunedeck",
        title="Project",
        help="What the trackers file the run under; its name there is that of the run's folder.",
        consequence="Runs of one project are compared there.",
        advanced=True,
        when=filled("reporting.report_to"),
    )
    at_end: str = knob(
        "",
        title="At the end",
        help="A shell command for when the run has ended, or an address (http:// or https://) that gets a POST. Both "
        "get state, verdict, last losses, or the end of the traceback: as JSON, and as TUNEDECK_ variables. "
        "The setting at_end in settings.toml is for every run.",
        consequence="The command runs with your rights, on the machine that trains, once you have allowed exactly this "
        "command. Its failure is an event, no more.",
    )
    at_end_seconds: int = knob(
        30,
        title="Time for it",
        help="A command or address that has not answered after this long is given up.",
        consequence="The next run of a queue does not wait for it.",
        unit="seconds",
        ge=1,
        le=3600,
        advanced=True,
    )

"""Where a run reports: experiment trackers while it trains, and a notification when it ends."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import filled
from core.recipe.declare import knob


@dataclass(frozen=True, slots=True)
class Reporting:
    """Experiment trackers, and a notification when the run ends."""

    report_to: tuple[str, ...] = knob(
        (),
        title="Experiment trackers",
        help="Services that also receive the metrics, through TRL's report_to. They have to be installed where the "
        "training runs and set up as usual (wandb login, MLFLOW_TRACKING_URI). The live screen needs none of them.",
        consequence="wandb uploads metrics and information about the machine to its service.",
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
        help="The project name in the trackers. The run's name there is the name of its folder.",
        consequence="Trackers compare the runs of one project.",
        advanced=True,
        when=filled("reporting.report_to"),
    )
    at_end: str = knob(
        "",
        title="Notify",
        help="A shell command to run when the run ends or stalls, or a URL (http:// or https://) to POST to. Both "
        "receive the state, the verdict and the last losses, or the end of the traceback: as JSON and as TUNEDECK_ "
        "variables. To notify for every run, set at_end in settings.toml.",
        consequence="The command runs with your permissions on the machine that trains, after you allow this exact "
        "command. If it fails, the run still counts as finished.",
    )
    at_end_seconds: int = knob(
        30,
        title="Notify timeout",
        help="How long to wait for the command or URL.",
        consequence="The next run in the queue does not wait for it.",
        unit="seconds",
        ge=1,
        le=3600,
        advanced=True,
    )

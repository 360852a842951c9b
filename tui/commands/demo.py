"""Try everything on the sample data: scan, train a tiny base model, compare, adapter.

On a terminal this opens the app; elsewhere, or with --headless, it prints each step.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from core.clean import clean
from core.errors import BadInput, JobFailed
from core.jobs.folder import JobFolder
from core.paths import SAMPLE_DATA
from core.runs.artifacts import adapter_words, read_adapter
from core.runs.scores import Answer, Comparison, read_comparison
from core.units import duration
from tui.commands.arguments import add_workspace_argument
from tui.commands.output import print_json, say

RECIPE = SAMPLE_DATA / "recipe.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--headless", action="store_true", help="Do not open the app, even on a terminal.")
    add_workspace_argument(parser)
    parser.add_argument("--json", action="store_true", help="Do not open the app; print one JSON object at the end.")


def run(arguments: argparse.Namespace) -> int:
    """Open the app on the sample data, or run all steps headless."""
    if sys.stdin.isatty() and sys.stdout.isatty() and not (arguments.headless or arguments.json):
        from tui.commands.open import run_app

        return run_app([], recipe=RECIPE, start="data")
    return _walk(arguments.workspace.resolve(), quiet=arguments.json)


def _walk(workspace: Path, *, quiet: bool) -> int:
    from core.dataset.scan.scan import scan
    from core.recipe.yamlfile import load
    from core.runs.start import start_run
    from tui.commands.scan_lines import scan_lines
    from tui.commands.train import watch_run

    begun = time.monotonic()
    recipe = load(RECIPE)
    train = [Path(path) for path in recipe.data.train]
    held_out = [Path(path) for path in recipe.data.eval]
    found = scan(train, eval_paths=held_out)
    if not quiet:
        say("1 Data: " + ", ".join(path.name for path in train))
        for line in scan_lines(found):
            say(f"  {line}")
        say("\n2 Recipe: sample_data/recipe.yaml")
        model = Path(recipe.model.path).name
        say(f"  LoRA of rank {recipe.lora.rank} on {model}, learning rate {recipe.training.learning_rate:g}")
        say("\n3 Train")
    folder = start_run(recipe, workspace)
    code = _wait(folder) if quiet else watch_run(folder)
    if code:
        return code
    comparison, adapter = read_comparison(folder.path), read_adapter(folder.path)
    if comparison is None or adapter is None or not comparison.answers:
        raise JobFailed(
            "The run wrote no comparison or no adapter", where=str(folder.path), do="Look at its output.log"
        )
    chosen = _most_telling(comparison)
    if quiet:
        print_json(
            {
                "id": folder.path.name,
                "folder": str(folder.path),
                "scan": found.to_json(),
                "base_loss": comparison.base_loss,
                "tuned_loss": comparison.tuned_loss,
                "answers": len(comparison.answers),
                "differing": comparison.differing,
                "base_answer": chosen.base,
                "tuned_answer": chosen.tuned,
                "adapter": str(adapter.folder),
                "adapter_step": adapter.weights.step if adapter.weights else None,
                "seconds": time.monotonic() - begun,
            }
        )
        return 0
    say("\n4 Evaluate")
    for line in result_lines(comparison, chosen):
        say(f"  {line}")
    say(f"\nadapter: {adapter_words(adapter)}; took {duration(time.monotonic() - begun)}")
    say(f"`tunedeck attach {folder.path.name}` shows the run in the app.")
    return 0


def _wait(folder: JobFolder) -> int:
    from tui.commands.exit_codes import STATE_CODES
    from tui.commands.watch import watch

    state = watch(folder, lambda _: None)
    if state != "finished":
        raise BadInput(folder.read_status().message or f"The run is {state}", where=str(folder.path))
    return STATE_CODES[state]


def _most_telling(comparison: Comparison) -> Answer:
    """The first output in which base and tuned model differ, else the first."""
    return next((answer for answer in comparison.answers if answer.base != answer.tuned), comparison.answers[0])


def result_lines(comparison: Comparison, answer: Answer, width: int = 46) -> list[str]:
    """Losses, and one output of both models side by side, each column `width` cells wide."""
    import textwrap
    from itertools import zip_longest

    lines = []
    if comparison.base_loss is not None and comparison.tuned_loss is not None:
        lines.append(
            f"eval loss {comparison.base_loss:.3f} before, {comparison.tuned_loss:.3f} after, "
            f"on {comparison.eval_samples} held-out samples"
        )
    lines.append(f"{comparison.differing} of {len(comparison.answers)} outputs differ; here is one:")
    question = answer.prompt[-1][1] if answer.prompt else ""
    lines.extend(textwrap.wrap(f"user: {clean(question)}", 2 * width + 3))
    left = textwrap.wrap(clean(answer.base), width) or ["(empty)"]
    right = textwrap.wrap(clean(answer.tuned), width) or ["(empty)"]
    lines.append(f"{'base'.ljust(width)} | tuned")
    lines.extend(f"{a.ljust(width)} | {b}" for a, b in zip_longest(left[:8], right[:8], fillvalue=""))
    return lines

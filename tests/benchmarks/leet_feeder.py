"""Logs to an offline run of W&B what `bench_leet` writes into a run's folder: run by the peer's own Python.

    leet_feeder.py FOLDER HISTORY OF

It logs HISTORY steps at once and says `ready`; then a step for each line on its standard input, until that ends.
A line is a JSON object of metrics; with `"print"`, its text goes to the console as well.
"""

from __future__ import annotations

import json
import sys

import wandb


def main() -> None:
    """Log what comes in."""
    settings = wandb.Settings(x_stats_sampling_interval=1.0, silent=True)
    run = wandb.init(project="bench", dir=sys.argv[1], mode="offline", settings=settings)
    for number, line in enumerate(sys.stdin):
        record = json.loads(line)
        said = record.pop("print", None)
        run.log(record)
        if said:
            print(said, flush=True)
        if number + 1 == int(sys.argv[2]):
            print("ready", flush=True)
    run.finish()


if __name__ == "__main__":
    main()

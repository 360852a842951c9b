"""`make bench [NAME ...]`: run the measurements and print one table of ratios. Nothing here is a test."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import signal
import sys
import time

from tests import benchmarks
from tests.benchmarks.leftovers import nothing_left_behind
from tests.benchmarks.table import Row, print_table


def names() -> list[str]:
    """The benchmarks there are: each module `bench_<name>` with a function `run() -> list[Row]`."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name.removeprefix("bench_") for name in found if name.startswith("bench_"))


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all."""
    wanted = words or names()
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        print(f"Unknown benchmark: {', '.join(unknown)}. Choose from: {', '.join(names())}.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended then, too
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {load:.2f}, Python {platform.python_version()}")
    rows: list[Row] = []
    for name in wanted:
        begun = time.monotonic()
        print(f"measuring {name} ...", flush=True)
        with nothing_left_behind():
            found = importlib.import_module(f"tests.benchmarks.bench_{name}").run()
        print(f"measured {name} in {time.monotonic() - begun:.0f} s", flush=True)
        if len(wanted) > 1:  # if a later benchmark fails, these figures are printed already
            print_table(found)
        rows += found
    print()
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The process that matches a regular expression: lines of JSON in, lines of JSON out; see `core.dataset.pattern`.

It runs this file alone, without the rest of the program, so that it starts at once.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys

_SECONDS = 2.0
"""CPU seconds for one row. Python's matcher cannot be interrupted; the signal ends the process itself."""

_BYTES = 2 * 2**30
_MOST = 200
"""Characters of a match that are told."""

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


def main() -> None:
    """Compile the expression of the first line; answer each row of the lines that follow."""
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    text, letters = json.loads(sys.stdin.readline())
    flags = re.RegexFlag(0)
    for letter in letters:
        flags |= _FLAGS[letter]
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    try:
        pattern = re.compile(text, flags)
    except (re.error, OverflowError, RecursionError, MemoryError) as fault:
        _say({"error": str(fault) or type(fault).__name__})
        return
    _say({})
    for line in sys.stdin:
        for texts in json.loads(line):
            signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
            found = next(filter(None, map(pattern.search, texts)), None)
            _say({} if found is None else {"match": found.group()[:_MOST]})
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _say(answer: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

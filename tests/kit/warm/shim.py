"""Stands in for the interpreter: `shim -m core.... ARGS` (or `tests.kit....`) runs in a fork of the warm process.

Anything else is run by the real interpreter. Needs nothing but the standard library, and no site-packages. The variable
TUNEDECK_WARM_SOCKET names the warm process, TUNEDECK_WARM_PYTHON the real interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> int:
    """Passes the command line on, and ends as the command ended."""
    arguments = sys.argv[1:]
    if arguments[:1] != ["-m"] or not arguments[1].startswith(("core.", "tests.kit.")):
        python = os.environ["TUNEDECK_WARM_PYTHON"]
        os.execv(python, [python, *arguments])
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["TUNEDECK_WARM_SOCKET"])
        order = {"argv": arguments, "env": dict(os.environ), "cwd": os.getcwd()}
        data = json.dumps(order).encode() + b"\n"
        sent = socket.send_fds(connection, [data], [0, 1, 2])
        connection.sendall(data[sent:])
        replies = connection.makefile("rb")
        pid = int(replies.readline())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: os.kill(pid, number))
        code = int(replies.readline() or b"1")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())

"""Imports the training stack once, then forks our modules from it: a worker starts in 0.1 s instead of 10.

`python tests/kit/warm/zygote.py SOCKET` says `ready` on stdout and lives until its stdin ends. A client (`shim.py`)
sends argv, environment and working directory with its three standard streams, and gets the pid and the exit status.
The forked processes are real ones, with pids, sessions, signals and files of their own; only the imports are shared.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)


def run_module(argv: Sequence[str]) -> int:
    """Runs `python -m MODULE ARGS...` in this process: the module's `main(ARGS)`."""
    flag, module, *arguments = argv
    assert flag == "-m", f"only modules can be run warm, not {argv}"
    sys.argv = [module, *arguments]
    if module == "core.jobs.keeper":
        from core.jobs import keeper

        return keeper.main(arguments, start=start_stage)
    if module == "core.engine.torchrun":
        from core.engine import torchrun

        return torchrun.main(arguments, entry=lambda name, folder: (run_rank, (name, folder), "fork"))
    try:
        loaded = importlib.import_module(f"{module}.__main__")
    except ModuleNotFoundError as error:
        if error.name not in (f"{module}.__main__", module):
            raise
        loaded = importlib.import_module(module)
    result = loaded.main(arguments)
    assert isinstance(result, int), f"{module}.main must return an exit code"
    return result


def run_rank(module: str, folder: str) -> None:
    """A rank of a run: forked by torchrun's agent from a fork of this process."""
    os.setsid()
    sys.exit(run_module(["-m", module, folder]))


def start_stage(argv: Sequence[str], environment: Mapping[str, str], output: int) -> int:
    """The keeper's seam: a stage that runs a module of `core` is forked, anything else is started as always."""
    from core.jobs.children import spawn

    if list(argv[1:2]) != ["-m"] or not argv[2].startswith("core."):
        return spawn(argv, environment, output)
    return fork(
        lambda: run_module(argv[1:]), environment, os.getcwd(), (0, output, output)
    )  # a keeper reads nothing either


def fork(run: Callable[[], int], environment: Mapping[str, str], folder: str, streams: Sequence[int]) -> int:
    """Runs a function in a forked child that looks like a process started afresh; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS[:-1]:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, stream in enumerate([os.dup(stream) for stream in streams]):
            os.dup2(stream, target)
        os.closerange(3, 256)
        for target in (0, 1, 2):
            os.set_inheritable(target, True)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        code = run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def handle(connection: socket.socket) -> None:
    """Runs what one client asks for, and tells it how that ended."""
    data, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not data.endswith(b"\n"):
        data += connection.recv(1 << 20)
    order = json.loads(data)
    pid = fork(lambda: run_module(order["argv"]), order["env"], order["cwd"], streams)
    connection.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def warm_up() -> None:
    """The imports that take a worker's first ten seconds."""
    import torch

    torch.set_num_threads(1)
    import bitsandbytes  # noqa: F401
    import datasets  # noqa: F401
    import peft  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer  # noqa: F401
    from transformers.models.llama import modeling_llama  # noqa: F401
    from trl import SFTConfig, SFTTrainer  # noqa: F401

    # What is imported is garbage in no fork: looking for it there would copy every page that holds an object.
    gc.collect()
    gc.freeze()


def main(path: str) -> None:
    """Serves until stdin ends."""
    sys.path[:0] = [os.fspath(ROOT)]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the handlers' exits are nobody's concern
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            try:
                handle(connection)
            except OSError:
                traceback.print_exc()
            os._exit(0)
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])

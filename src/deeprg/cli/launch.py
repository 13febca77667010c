"""`deeprg launch -n K -- COMMAND`: K local processes of one program."""

import os
import signal
import socket
import subprocess
import sys
import threading
from typing import IO, Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["launch"]


def launch(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True, help="what every process runs, after --")],
    n: Annotated[int, Parameter(converter=whole, name=("-n", "--processes"), help="how many processes")] = 2,
) -> int:
    """Start K local processes of one distributed program, for example 2 halves of one training.

    Every process gets DEEPRG_COORDINATOR, DEEPRG_PROCESSES and DEEPRG_PROCESS_ID, which deeprg train reads.
    Output of process 0 passes through; that of the others goes to stderr with their number. When one fails
    the others are ended.
    """
    from deeprg.runs.errors import UsageError

    if n < 1:
        raise UsageError(f"-n {n} must be at least 1.")
    if not command:
        raise UsageError("there is nothing to launch. Write the command after --: deeprg launch -n 2 -- CMD")
    address = f"127.0.0.1:{_free_port()}"
    children: list[subprocess.Popen[bytes]] = []
    threads: list[threading.Thread] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: _signal_all(children, signal.SIGTERM))
    try:
        for number in range(n):
            place = {
                "DEEPRG_COORDINATOR": address,
                "DEEPRG_PROCESSES": str(n),
                "DEEPRG_PROCESS_ID": str(number),
            }
            pipe = None if number == 0 else subprocess.PIPE
            error = None if number == 0 else subprocess.STDOUT
            try:
                child = subprocess.Popen(list(command), env=os.environ | place, stdout=pipe, stderr=error)
            except OSError as failure:
                raise UsageError(f"'{command[0]}' cannot be started: {failure.strerror}.") from failure
            children.append(child)
            if child.stdout is not None:
                thread = threading.Thread(target=_forward, args=(child.stdout, number), daemon=True)
                thread.start()
                threads.append(thread)
        return _wait(children)
    finally:
        signal.signal(signal.SIGTERM, previous)
        _signal_all(children, signal.SIGTERM)
        for child in children:
            child.wait()
        for thread in threads:
            thread.join(timeout=5.0)


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    """The exit code of the first process that failed, 0 when none did."""
    while True:
        for child in children:
            try:
                code = child.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            except KeyboardInterrupt:  # the children got it too, and save
                continue
            if code:
                return code if code > 0 else 128 - code
        if all(child.poll() == 0 for child in children):
            return 0


def _forward(pipe: IO[bytes], number: int) -> None:
    with pipe:
        for line in pipe:
            sys.stderr.write(f"[{number}] {line.decode(errors='replace')}")
            sys.stderr.flush()


def _signal_all(children: list[subprocess.Popen[bytes]], number: int) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

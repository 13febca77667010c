"""What a Dask worker does for one point of a sweep: it starts the process that trains, and watches it."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeprg.cli._sweep_folder import Control, SweepFolder
from deeprg.runs.errors import UsageError

__all__ = ["Job", "Outcome", "dask_setup", "run_point"]

_POLL = 0.25
_ATTEMPTS = 4
_STOPPED = (75, 130)
_THREADS = ("PJRT_NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One point: where it lies, who leads the sweep, and how many CPU threads it has."""

    working_directory: str
    folder: str
    name: str
    leader: str
    threads: int


@dataclass(frozen=True)
class Outcome:
    """How a point ended: the exit code of its training (75: stopped, resumable) and its error message."""

    code: int
    message: str = ""


def dask_setup(worker: Any) -> None:
    """Called by Dask in a local worker: Ctrl-C is for the leading process, which asks the points to stop."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_point(job: Job) -> Outcome:
    """Train a point to its end, to its failure, or until the sweep has to stop.

    Every point is a process of its own: the precision and the devices of jax are settings of a whole process,
    signals reach its main thread only, and its memory is free when it ends. A process that was killed, or
    told to stop by somebody else, is continued from its last checkpoint, a few times. Called again for the
    same point, by another worker after this one died, it goes on from there too.
    """
    try:
        place = Path(job.working_directory, job.folder)
        if not place.is_dir():
            raise UsageError(
                f"the worker on {socket.gethostname()} does not see '{place}'. Sweep in a folder that all "
                "machines share."
            )
        control, sweep = Control(place, job.leader), SweepFolder.open(place)
        outcome = Outcome(75, "not started")
        for _ in range(_ATTEMPTS):
            if control.reason() is not None:
                break
            outcome = _attempt(job, sweep, control)
            if outcome.code >= 0 and outcome.code not in _STOPPED:
                break
        stopped = outcome.code in _STOPPED or control.reason() is not None
        return Outcome(75, outcome.message) if stopped and outcome.code else outcome
    except UsageError as error:
        return Outcome(error.exit_code, str(error))


def _attempt(job: Job, sweep: SweepFolder, control: Control) -> Outcome:
    command = [sys.executable, "-m", "deeprg.cli._sweep_child", job.folder, job.name]
    log = sweep.log(job.name)
    log.parent.mkdir(exist_ok=True)
    with open(log, "ab") as said:
        begin = said.tell()
        # stdin is held open: when this worker dies, however it does, the child reads its end.
        child = subprocess.Popen(
            command,
            cwd=job.working_directory,
            env=os.environ | dict.fromkeys(_THREADS, str(job.threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
    with child:
        asked = False
        while child.poll() is None:
            time.sleep(_POLL)
            if not asked and control.reason() is not None:
                child.terminate()
                asked = True
    return Outcome(child.returncode, _message(log, begin, child.returncode))


def _message(log: Path, begin: int, code: int) -> str:
    """The error that a process ended with: what follows the last 'error:', else the last line."""
    if code == 0:
        return ""
    if code < 0:
        return f"the process was ended by {signal.Signals(-code).name}"
    with open(log, "rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace").strip()
    _, found, message = text.rpartition("error: ")
    return message if found else text.rpartition("\n")[2]

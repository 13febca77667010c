"""The process that trains one point of a sweep: `python -m deeprg.cli._sweep_child FOLDER NAME`.

It ends when its standard input does, that is when the worker that started it is gone, whatever killed that:
first as after SIGTERM, with a checkpoint, and at once when that takes long.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time

from deeprg.cli._console import say
from deeprg.cli._sweep_folder import SweepFolder
from deeprg.cli.main import main
from deeprg.runs.errors import DeeprgError
from deeprg.runs.lock import exclusive

__all__ = ["train_point"]

_GRACE = 20.0
_WAIT = 60.0  # longer than the grace: the process of a worker that died gives the point up in this time


def train_point(folder: str, name: str) -> int:
    """Train or continue a point, unless it is done; returns the exit code of the training."""
    sweep = SweepFolder.open(folder)
    place = sweep.folder(name).path
    taken = f"'{place}' is being trained by another process. Wait for it, then continue the sweep."
    with exclusive(sweep.point_lock(name), taken, wait=_WAIT):
        if sweep.state(name) == "done":
            say(f"'{place}' is done")
            return 0
        if place.exists() and sweep.state(name) == "waiting":
            shutil.rmtree(place)  # its maker was killed before the run began
        sys.argv = ["deeprg", *sweep.arguments(name)]
        return main(sys.argv[1:])


def _end_with_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(75)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        sys.exit(train_point(*sys.argv[1:]))
    except DeeprgError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)

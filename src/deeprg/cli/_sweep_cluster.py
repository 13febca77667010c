"""Where the points of a sweep run: workers on this machine, or an existing Dask scheduler."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deeprg.cli._console import say
from deeprg.runs.environment import usable_cores
from deeprg.runs.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["connected", "resources"]

_PATIENCE = 5  # seconds for a scheduler to answer
_SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
_WORKER_DEATHS = 3  # of the workers of one point, before it counts as failed


def resources(
    points: int, *, scheduler: str | None, workers: int | None, threads: int | None
) -> tuple[int, int]:
    """Number of local workers and CPU threads of a point: all cores are used, and no more.

    >>> resources(6, scheduler=None, workers=2, threads=3)
    (2, 3)
    """
    for name, value in (("--workers", workers), ("--threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{name} {value} must be at least 1.")
    if scheduler is not None:
        if workers is not None:
            raise UsageError(
                f"--workers and --scheduler exclude each other: {scheduler} has workers of its own."
            )
        _check_address(scheduler)
        return 0, threads or 1
    cores = usable_cores()
    count = workers or max(1, min(points, cores // (threads or 1)))
    return count, threads or max(1, cores // count)


def _check_address(scheduler: str) -> None:
    try:
        parts = urlsplit(scheduler)
        complete = parts.scheme in _SCHEMES and parts.hostname is not None and parts.port is not None
    except ValueError:  # a port that is no number
        complete = False
    if not complete:
        raise UsageError(f"'{scheduler}' is no address of a Dask scheduler. Write tcp://HOST:PORT.")


@contextlib.contextmanager
def connected(scheduler: str | None, workers: int) -> "Iterator[Client]":
    """A client of the scheduler at this address, or of so many local workers, which end with the block.

    Raises `UsageError` when nothing answers at the address within a few seconds.
    """
    from dask import config
    from distributed import Client, LocalCluster

    if scheduler is None:
        settings = {
            "distributed.scheduler.allowed-failures": _WORKER_DEATHS,
            "distributed.scheduler.worker-saturation": 1.0,  # a worker gets a point when it can begin with it
        }
        with (
            config.set(settings),
            _quiet(),
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",  # any port: two sweeps at once must not meet
                preload="deeprg.cli._sweep_point",
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    with _quiet():
        try:
            client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)
        except OSError as error:
            raise UsageError(
                f"no Dask scheduler answers at '{scheduler}' within {_PATIENCE} seconds. Check the address, "
                "or start one with dask scheduler."
            ) from error
        with client:
            if not client.scheduler_info()["workers"]:
                say(f"the scheduler at {scheduler} has no worker yet: the points wait for one")
            yield client


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Dask's notes on workers that come and go are silenced: the sweep says what becomes of a point."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)

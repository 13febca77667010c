"""What a run ran on: versions, devices, commit, command line. No secrets of the host."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import deeprg

__all__ = ["PACKAGES", "describe_environment", "git_commit", "usable_cores"]

PACKAGES = (
    "jax",
    "jaxlib",
    "equinox",
    "optax",
    "blackjax",
    "jaxtyping",
    "numpy",
    "scipy",
    "numba",
    "zarr",
    "xarray",
    "pymbar",
    "matplotlib",
)
# Settings that can change numbers or speed. Other variables are not recorded: they may hold secrets.
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_NUM_CPU_DEVICES",
    "JAX_PLATFORMS",
    "OMP_NUM_THREADS",
    "XLA_FLAGS",
)


def describe_environment(
    *, devices: Sequence[str] | None = None, seed: int | None = None, argv: Sequence[str] | None = None
) -> dict[str, Any]:
    """Versions, platform, commit, devices, seed and command line, as a JSON-able dictionary.

    `devices` are their names; None asks jax, which is imported (and starts its devices) only then. User name,
    host name, home folder and unrelated environment variables are left out.

    >>> describe_environment(devices=["cpu"], seed=7)["seed"]
    7
    """
    command = list(sys.argv if argv is None else argv)
    if command:
        command[0] = Path(command[0]).name
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "deeprg": deeprg.__version__,
        "git": git_commit(Path(deeprg.__file__).parent),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": usable_cores(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "devices": list(_devices() if devices is None else devices),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "seed": seed,
        "argv": command,
    }


def git_commit(folder: str | Path) -> dict[str, Any] | None:
    """Commit and dirtiness of the repository that tracks `folder`; None when none does, or without git."""
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None  # for example installed into an environment inside somebody else's repository
    commit, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain", ".")
    return None if commit is None else {"commit": commit, "dirty": bool(changes)}


def _git(folder: str | Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def usable_cores() -> int:
    """How many processor cores this process may use.

    >>> usable_cores() > 0
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _devices() -> list[str]:
    import jax

    return [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()]

"""The one training loop: loss in, state out. It knows no physics.

`Plan` says how long and how fast, `TrainState.create` starts, `train` runs, `Checkpoints` keeps. Nothing here
configures jax or touches a device at import, and `deeprg.train.plan` does not import jax at all.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeprg.train.batches import RowBatches, key_batches
    from deeprg.train.checkpoint import Checkpoints, load_checkpoint, load_model, read_header, save_checkpoint
    from deeprg.train.loop import TrainResult, train
    from deeprg.train.plan import Plan
    from deeprg.train.state import TrainState, build_optimiser
    from deeprg.train.stop import StopRequest

__all__ = [
    "Checkpoints",
    "Plan",
    "RowBatches",
    "StopRequest",
    "TrainResult",
    "TrainState",
    "build_optimiser",
    "key_batches",
    "load_checkpoint",
    "load_model",
    "read_header",
    "save_checkpoint",
    "train",
]

_HOMES = {
    "batches": ("RowBatches", "key_batches"),
    "checkpoint": ("Checkpoints", "load_checkpoint", "load_model", "read_header", "save_checkpoint"),
    "loop": ("TrainResult", "train"),
    "plan": ("Plan",),
    "state": ("TrainState", "build_optimiser"),
    "stop": ("StopRequest",),
}


def __getattr__(name: str) -> Any:
    # Names load on first use, so that a command line can read a Plan's defaults without paying for jax.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"deeprg.train.{home}"), name)
    raise AttributeError(f"module 'deeprg.train' has no attribute '{name}'")

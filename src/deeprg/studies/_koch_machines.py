"""Training of the machines: critical data, the stack of layers, and data without spatial structure."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM, BeliefNetwork, ContrastiveDivergence, fit, fit_greedy
from deeprg.studies._koch_settings import Settings
from deeprg.studies._progress import told
from deeprg.train import Plan

__all__ = ["blank", "scattered", "train", "train_stack"]

_CALL = 100  # steps in one call of the compiled program


def blank(visible: int, hidden: int, settings: Settings, key: PRNGKeyArray) -> RBM:
    """A machine of spins before training: W ~ N(0, 0.05²), biases zero."""
    return RBM.create(visible, hidden, scale=settings.scale, key=key)


def train(
    machine: RBM, x: np.ndarray, steps: int, settings: Settings, options: dict[str, Any], key: PRNGKeyArray
) -> RBM:
    """PCD-1 on configurations [n, *shape]; the averaged parameters of the end where the rate is constant."""
    return fit(
        machine,
        x.reshape(len(x), -1),
        _plan(steps, settings),
        objective=ContrastiveDivergence(),
        chains=settings.chains,
        key=key,
        **options,
    ).state.model


def train_stack(
    x: np.ndarray, settings: Settings, say: Callable[[str], None], key: PRNGKeyArray
) -> BeliefNetwork:
    """Layer after layer, each with a quarter of the units of the one below."""
    starting, training = jax.random.split(key)
    widths = [settings.stack_size**2 // 4**depth for depth in range(settings.depth + 1)]
    keys = jax.random.split(starting, settings.depth)
    machines = [blank(a, b, settings, own) for a, b, own in zip(widths, widths[1:], keys, strict=False)]
    steps = [settings.stack_steps, *[settings.upper_steps] * (settings.depth - 1)]
    plans = [_plan(count, settings) for count in steps]
    rows = x.reshape(len(x), -1)
    return fit_greedy(machines, rows, plans, chains=settings.chains, key=training, **told(say, "stack"))[0]


def scattered(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The configurations [n, *shape] with their spins anywhere: m stays, the lattice is gone.

    >>> x = np.array([[[1, 1], [-1, 1]], [[-1, -1], [-1, -1]]])
    >>> scattered(x, np.random.default_rng(0)).sum(axis=(1, 2)).tolist()
    [2, -4]
    """
    return rng.permuted(x.reshape(len(x), -1), axis=1).reshape(x.shape)


def _plan(steps: int, settings: Settings) -> Plan:
    return Plan(
        steps=steps,
        batch=settings.batch,
        learning_rate=settings.rate,
        decay=settings.decay,
        optimiser=settings.optimiser,
        eps=settings.eps,
        steps_per_call=min(steps, _CALL),
    )

"""What one coarse variable knows of the fine spins around its block, for any coarse-graining."""

from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain import AbstractCoarseGraining, coarsen_ensemble
from deeprg.coarsegrain.information import Surroundings
from deeprg.montecarlo.information import InformationEstimate, mutual_information
from deeprg.runs.errors import UsageError

__all__ = ["site_information"]

_PLACES, _MOST_STATES = 4, 16


def site_information(
    rule: AbstractCoarseGraining,
    configurations: Any,
    *,
    side: int,
    buffer: int = 1,
    environment: int = 1,
    key: PRNGKeyArray,
    plan: Any = None,
) -> InformationEstimate:
    """I(H:E) of one coarse variable H and the fine spins E in a frame around its block, in nats.

    The coarse variable I of a rule with blocks of `side` sites is paired with the frame of `environment`
    sites beyond a `buffer`, at four places of every configuration; a classifier q(h | e) is trained on the
    first configurations and judged on the last, so that the value is a lower bound (`mutual_information`,
    method "ba"). Variables of more than 16 values are refused: bounds of continuous ones are of another kind.

    Raises `UsageError` for a rule whose coarse lattice is not made of such blocks, and frames that do not
    fit.

    >>> import jax
    >>> from deeprg.coarsegrain import Decimation
    >>> from deeprg.lattice import Lattice
    >>> spins = np.random.default_rng(0).choice((-1, 1), size=(2000, 8, 8))
    >>> found = site_information(Decimation(Lattice((8, 8))), spins, side=2, key=jax.random.key(0))
    >>> bool(abs(found.value) < 4 * found.error + 0.01)                      # independent spins
    True
    """
    import jax

    lattice, coarse = rule.fine, rule.coarse
    if tuple(side * extent for extent in coarse.shape) != lattice.shape:
        raise UsageError(f"{coarse} is no lattice of blocks of side {side} on {lattice}.")
    around = Surroundings.on_lattice(lattice, (side,) * lattice.ndim, buffer=buffer, environment=environment)
    first, training = jax.random.split(key)
    x = np.asarray(configurations)
    hidden = np.asarray(coarsen_ensemble(rule, x, key=first)).reshape(-1, *coarse.shape)
    fine = x.reshape(-1, *lattice.shape)
    if (states := len(np.unique(hidden[: 10 * _MOST_STATES]))) > _MOST_STATES:
        raise UsageError(f"A coarse variable has {states} values or more; at most {_MOST_STATES} are summed.")
    half = [extent // 2 for extent in coarse.shape]
    corners = [(0,) * lattice.ndim, tuple(half), (*half[:-1], 0), (*(0 for _ in half[1:]), half[-1])]
    rows, values = [], []
    for corner in dict.fromkeys(corners[:_PLACES]):
        shift = tuple(-side * c for c in corner)
        moved = np.roll(fine, shift, axis=tuple(range(1, fine.ndim)))
        rows.append(moved.reshape(len(fine), -1)[:, list(around.environment)])
        values.append(hidden[(slice(None), *corner)])
    # places of one configuration next to each other: blocks of the jackknife hold whole configurations
    environments = np.stack(rows, axis=1).reshape(-1, len(around.environment)).astype(np.float32)
    kinds, states_of = np.unique(np.stack(values, axis=1).reshape(-1), return_inverse=True)
    if len(kinds) < 2:
        raise UsageError("The coarse variable never changes: it has no information.")
    return mutual_information(environments, states_of, "ba", plan=plan, key=training)

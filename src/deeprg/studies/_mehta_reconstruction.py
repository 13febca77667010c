"""What few coarse units remember of a configuration: the overlap with the best guess from them, per site."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain import build_block_rule, coarsen_ensemble
from deeprg.coarsegrain.boltzmann import BeliefNetwork
from deeprg.lattice import Lattice
from deeprg.montecarlo import Estimate

__all__ = [
    "advantage",
    "block_guesses",
    "coarse_spins",
    "leading_modes",
    "mode_guess",
    "network_guess",
    "overlap",
]

_RIDGE = 1e-3


def overlap(spins: np.ndarray, guess: np.ndarray) -> Estimate:
    """⟨v_i sign(g_i)⟩ over sites and configurations [n, ...]: 1 for all sites right, 0 for a coin.

    The error is that of the mean over configurations, which are taken as independent.

    >>> overlap(np.array([[1, 1, -1, -1], [1, 1, 1, 1]]), np.array([[0.3, 2, -1, 0.1], [1, 1, 1, 1]])).value
    0.75
    """
    return _mean((spins.reshape(len(spins), -1) * np.sign(guess.reshape(len(guess), -1))).mean(axis=1))


def advantage(spins: np.ndarray, guess: np.ndarray, other: np.ndarray) -> Estimate:
    """The difference of two overlaps on the same configurations, with the error of paired differences.

    >>> x = np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> advantage(x, x, np.ones((2, 2))).value
    0.5
    """
    flat, shape = spins.reshape(len(spins), -1), (len(spins), -1)
    return _mean((flat * (np.sign(guess.reshape(shape)) - np.sign(other.reshape(shape)))).mean(axis=1))


def network_guess(
    network: BeliefNetwork, spins: np.ndarray, depth: int, *, key: PRNGKeyArray | None = None
) -> np.ndarray:
    """The configurations [n, *shape] from the units of layer `depth`, as spins in -1 ... 1.

    Upwards every layer is drawn, or with no `key` takes its likeliest states; downwards means are passed on,
    which is near the average over many draws and has no noise.
    """
    machines = network.machines[:depth]
    unit = machines[0].visible
    x = unit.encode(jnp.asarray(spins.reshape(len(spins), -1), machines[0].weights.dtype))
    if key is not None:
        x = network.up(x, depth=depth, key=key)
    else:
        for machine in machines:
            mean = unit.decode(machine.hidden_mean(x))
            x = unit.encode(jnp.where(mean < 0, -jnp.ones_like(mean), jnp.ones_like(mean)))
    for machine in reversed(machines):
        x = machine.visible_mean(x)
    return np.asarray(unit.decode(x)).reshape(spins.shape)


def coarse_spins(spins: np.ndarray, side: int, *, key: PRNGKeyArray) -> np.ndarray:
    """Majority spins of blocks side x side, ties at random, [n, size/side, size/side]."""
    rule = build_block_rule("majority", Lattice(spins.shape[1:]), side=side, ties="random")
    return coarsen_ensemble(rule, spins, key=key)


def block_guesses(coarse: np.ndarray, known: np.ndarray, known_coarse: np.ndarray) -> dict[str, np.ndarray]:
    """Guesses from majority spins [n, blocks, blocks]: painted over their blocks, and the best linear one.

    The linear guess is the least-squares fit of all sites to all majority spins of the `known`
    configurations: what a decoder of the same bits can learn, nearly.
    """
    side = known.shape[1] // coarse.shape[1]
    painted = np.kron(coarse, np.ones((1, side, side), np.float32))
    flat, wide = (x.reshape(len(x), -1) for x in (coarse, known_coarse))
    gram = wide.T @ wide + _RIDGE * len(wide) * np.eye(wide.shape[1], dtype=np.float32)
    slopes = np.linalg.solve(gram, wide.T @ known.reshape(len(known), -1).astype(np.float32))
    return {"painted": painted, "linear": (flat @ slopes).reshape(painted.shape)}


def leading_modes(known: np.ndarray) -> np.ndarray:
    """Principal components of configurations about zero, the largest first, [sites, sites]."""
    flat = known.reshape(len(known), -1).astype(np.float32)
    return np.linalg.eigh(flat.T @ flat / len(flat))[1][:, ::-1]


def mode_guess(spins: np.ndarray, modes: np.ndarray, count: int) -> np.ndarray:
    """The configurations in their `count` leading modes: so many real numbers each, not bits."""
    flat = spins.reshape(len(spins), -1).astype(np.float32)
    return ((flat @ modes[:, :count]) @ modes[:, :count].T).reshape(spins.shape)


def _mean(each: np.ndarray) -> Estimate:
    return Estimate(float(each.mean()), float(each.std(ddof=1)) / math.sqrt(len(each)), n=len(each))

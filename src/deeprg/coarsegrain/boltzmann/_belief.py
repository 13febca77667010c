"""Boltzmann machines stacked one on the other: the deep belief network and its greedy training."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from ...lattice import Lattice
from ...runs.errors import UsageError
from ...train import Plan, TrainResult
from .._composition import Composition
from ._fit import fit
from ._layer import BoltzmannLayer
from ._objective import ContrastiveDivergence
from ._rbm import RBM

__all__ = ["BeliefNetwork", "fit_greedy", "hidden_rows"]

_BATCH = 10_000


class BeliefNetwork(eqx.Module):
    """Machines whose hidden layer is the visible layer of the next: 1600-400-100-25.

    Upwards each layer is drawn from p(h | v) of its machine; downwards from p(v | h). The top machine and the
    downward conditionals define the model (Hinton, Osindero, Teh, Neural Comput. 18, 1527 (2006)); read as
    renormalization, every machine is one step (Mehta & Schwab, arXiv:1410.3831). Raises `UsageError` for no
    machine, and neighbours whose layers have other sizes or units.

    >>> keys = jax.random.split(jax.random.key(0))
    >>> network = BeliefNetwork((RBM.create(8, 4, key=keys[0]), RBM.create(4, 2, key=keys[1])))
    >>> network.widths, network.up(jnp.ones((5, 8), jnp.float32), key=keys[0]).shape
    ((8, 4, 2), (5, 2))
    """

    machines: tuple[RBM, ...]

    def __check_init__(self):
        if not self.machines:
            raise UsageError("a belief network needs at least one machine.")
        for number, (lower, upper) in enumerate(zip(self.machines, self.machines[1:], strict=False), 1):
            if lower.n_hidden != upper.n_visible or lower.hidden != upper.visible:
                raise UsageError(
                    f"machine {number} ends with {lower.n_hidden} '{lower.hidden.name}' units, but machine "
                    f"{number + 1} starts with {upper.n_visible} '{upper.visible.name}' units."
                )

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of every layer, the visible one first."""
        return (self.machines[0].n_visible, *(machine.n_hidden for machine in self.machines))

    def up_to(self, depth: int | None) -> "BeliefNetwork":
        """The network of the first `depth` hidden layers, all of them for None; `UsageError` for others."""
        most = len(self.machines)
        if depth is not None and not 1 <= depth <= most:
            raise UsageError(f"depth = {depth} must be in 1 ... {most}, the hidden layers of this network.")
        return BeliefNetwork(self.machines[:depth])

    def up(
        self, v: Float[Array, "*batch v"], *, depth: int | None = None, key: PRNGKeyArray
    ) -> Float[Array, "*batch h"]:
        """The layer `depth` (the top one by default) drawn layer by layer from the visible one."""
        machines = self.up_to(depth).machines
        for machine, own in zip(machines, jax.random.split(key, len(machines)), strict=True):
            v = machine.sample_hidden(v, key=own)
        return v

    def down(
        self, h: Float[Array, "*batch h"], *, depth: int | None = None, mean: bool = True, key: PRNGKeyArray
    ) -> Float[Array, "*batch v"]:
        """Visible units given layer `depth`, drawn layer by layer; with `mean` the last step averages."""
        *above, last = self.up_to(depth).machines[::-1]
        *keys, own = jax.random.split(key, len(above) + 1)
        for machine, other in zip(above, keys, strict=True):
            h = machine.sample_visible(h, key=other)
        return last.visible_mean(h) if mean else last.sample_visible(h, key=own)

    def reconstruct(
        self, v: Float[Array, "*batch v"], *, depth: int | None = None, key: PRNGKeyArray
    ) -> Float[Array, "*batch v"]:
        """Up to layer `depth` and down again: what so few units remember of a configuration.

        >>> keys = jax.random.split(jax.random.key(0))
        >>> network = BeliefNetwork((RBM.create(8, 4, scale=0.0, key=keys[0]),))
        >>> float(network.reconstruct(jnp.ones(8, jnp.float32), key=keys[1]).sum())
        0.0
        """
        rising, falling = jax.random.split(key)
        return self.down(self.up(v, depth=depth, key=rising), depth=depth, key=falling)

    def log_bound(
        self, v: Float[Array, "*batch v"], *, log_partition: float, key: PRNGKeyArray
    ) -> Float[Array, "*batch"]:
        """One draw of a lower bound of ln p(v) from the layers below the top machine; the mean is the bound.

            ⟨ sum_l ln p(x_(l-1) | x_l) - ln q(x_l | x_(l-1)) + ln p_top(x_(L-1)) ⟩_q,  x_0 = v,

        with q the upward draws and p_top = exp(-F)/Z of the top machine, whose ln Z is `log_partition`. With
        one machine it is ln p(v) itself. Source: R. Salakhutdinov, I. Murray, ICML 2008, section 5.

        >>> network = BeliefNetwork((RBM.create(4, 2, scale=0.0, key=jax.random.key(0)),))
        >>> v = jnp.ones(4, jnp.float32)
        >>> round(float(network.log_bound(v, log_partition=6 * float(np.log(2)), key=jax.random.key(1))), 6)
        -2.772589
        """
        *below, top = self.machines
        total = jnp.zeros(v.shape[:-1], v.dtype)
        for machine, own in zip(below, jax.random.split(key, len(self.machines)), strict=False):
            h = machine.sample_hidden(v, key=own)
            total = total + machine.visible_log_prob(v, h) - machine.hidden_log_prob(h, v)
            v = h
        return total - top.free_energy(v) - log_partition

    def coarse_graining(self, *lattices: Lattice) -> Composition:
        """The network as steps of renormalization, its layers on these lattices, the visible one first.

        Raises `UsageError` for another number of lattices than layers, and sizes that do not fit.
        """
        if len(lattices) != len(self.machines) + 1:
            raise UsageError(
                f"{len(lattices)} lattices for {len(self.machines) + 1} layers; give one for each, the "
                "visible layer first."
            )
        pairs = zip(self.machines, lattices, lattices[1:], strict=False)
        return Composition(*(BoltzmannLayer(machine, fine, coarse) for machine, fine, coarse in pairs))


def fit_greedy(
    machines: Sequence[RBM],
    data: ArrayLike,
    plans: Sequence[Plan],
    *,
    objective: ContrastiveDivergence | None = None,
    chains: int = 100,
    key: PRNGKeyArray,
    **options: Any,
) -> tuple[BeliefNetwork, list[TrainResult]]:
    """Train machine after machine, each on draws of the hidden layer below it.

    One plan for each machine, `options` as in `fit`. The hidden rows are drawn once, at the end of the
    training below (greedy layerwise training). Raises `UsageError` for another number of plans than machines,
    and what `fit` raises.

    >>> rows = np.sign(np.random.default_rng(0).normal(size=(200, 1)) * np.ones(6))
    >>> machines = [RBM.create(6, 3, key=jax.random.key(0)), RBM.create(3, 2, key=jax.random.key(1))]
    >>> network, results = fit_greedy(machines, rows, [Plan(steps=5, batch=10)] * 2, key=jax.random.key(2))
    >>> network.widths, len(results)
    ((6, 3, 2), 2)
    """
    if len(plans) != len(machines):
        raise UsageError(f"{len(plans)} plans for {len(machines)} machines; give one for each.")
    BeliefNetwork(tuple(machines))  # refuses layers that do not fit before anything is trained
    rows, trained, results = np.asarray(data), [], []
    for number, (machine, plan) in enumerate(zip(machines, plans, strict=True)):
        own, drawing = jax.random.split(jax.random.fold_in(key, number))
        result = fit(machine, rows, plan, objective=objective, chains=chains, key=own, **options)
        trained.append(result.state.averaged)
        results.append(result)
        rows = hidden_rows(trained[-1], rows, key=drawing)
    return BeliefNetwork(tuple(trained)), results


def hidden_rows(machine: RBM, rows: np.ndarray, *, key: PRNGKeyArray) -> np.ndarray:
    """One draw of the hidden layer for every row [n, n_v q_v]: what the next machine is trained on.

    >>> machine = RBM.create(4, 3, key=jax.random.key(0))
    >>> hidden_rows(machine, np.ones((5, 4)), key=jax.random.key(1)).shape
    (5, 3)
    """
    draw = eqx.filter_jit(lambda v, key: machine.sample_hidden(v, key=key))
    parts = []
    for start in range(0, len(rows), _BATCH):
        v = jnp.asarray(rows[start : start + _BATCH], machine.weights.dtype)
        parts.append(np.asarray(draw(v, jax.random.fold_in(key, start))))
    return np.concatenate(parts)

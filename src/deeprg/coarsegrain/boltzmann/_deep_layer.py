"""A layer of a deep Boltzmann machine read as a coarse-graining."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...lattice import Lattice
from ...runs.errors import UsageError
from .._base import AbstractCoarseGraining
from ._deep import DeepBoltzmannMachine

__all__ = ["DeepBoltzmannLayer"]


class DeepBoltzmannLayer(AbstractCoarseGraining):
    """p(coarse | fine) = p(x_l | x_0) of layer `depth` of a deep machine, its visible units on a lattice.

    Unlike those of a single machine, the hidden units are not independent given the visible ones: what lies
    above acts back. `coarsen` draws by `rounds` of Gibbs sampling with the visible layer clamped, from draws
    of the mean field; `mean` is the mean field, an approximation (`DeepBoltzmannMachine.mean_field`). There
    is no `log_prob`: the law is a sum over all other layers. The hidden units, row by row, are the sites of
    `coarse`, a chain when it is left out; hidden units have no place of their own.

    Raises `UsageError` for a depth outside 1 ... L, lattices of another size than the layers, and rounds < 1.

    >>> import jax.numpy as jnp
    >>> machine = DeepBoltzmannMachine.create((16, 4, 1), key=jax.random.key(0))
    >>> layer = DeepBoltzmannLayer(machine, Lattice((4, 4)), Lattice((2, 2)))
    >>> layer.coarsen(jnp.ones((4, 4), jnp.float32), key=jax.random.key(1)).shape
    (2, 2)
    """

    machine: DeepBoltzmannMachine
    fine: Lattice = eqx.field(static=True)  # pyright: ignore[reportIncompatibleVariableOverride]
    places: Lattice = eqx.field(static=True)
    depth: int = eqx.field(static=True)
    rounds: int = eqx.field(static=True)

    def __init__(
        self,
        machine: DeepBoltzmannMachine,
        fine: Lattice,
        coarse: Lattice | None = None,
        *,
        depth: int = 1,
        rounds: int = 20,
    ):
        most = len(machine.weights)
        if not 1 <= depth <= most:
            raise UsageError(f"depth = {depth} must be in 1 ... {most}, the hidden layers of this machine.")
        if rounds < 1:
            raise UsageError(f"rounds = {rounds} must be at least 1: Gibbs rounds, visible layer clamped.")
        places = Lattice((machine.widths[depth],)) if coarse is None else coarse
        for what, units, lattice in (
            ("visible", machine.widths[0], fine),
            (f"layer {depth}", machine.widths[depth], places),
        ):
            if lattice.size != units:
                raise UsageError(
                    f"the machine has {units} units ({what}), but the lattice {lattice} has {lattice.size} "
                    "sites; give a lattice of as many sites."
                )
        self.machine, self.fine, self.places, self.depth, self.rounds = machine, fine, places, depth, rounds

    @property
    def coarse(self) -> Lattice:
        """Where the units of the layer are put."""
        return self.places

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """A draw of the layer given the configuration, up to the mixing of `rounds` Gibbs rounds."""
        starting, moving = jax.random.split(key)
        v, *means = self.machine.mean_field(self._visible(x), rounds=self.rounds)
        keys = jax.random.split(starting, len(means))
        drawn = [
            unit.sample(unit.field_of(mean), key=own)
            for unit, mean, own in zip(self.machine.units[1:], means, keys, strict=True)
        ]
        layers = self.machine.gibbs((v, *drawn), steps=self.rounds, clamped=True, key=moving)
        return layers[self.depth].reshape(self.places.shape)

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """The mean field of the layer."""
        return self.machine.mean_field(self._visible(x), rounds=self.rounds)[self.depth].reshape(
            self.places.shape
        )

    def check(self, x: np.ndarray) -> None:
        """Raise `UsageError` for a configuration that is not in the domain of the visible units."""
        self.machine.units[0].check_values(x, "the configuration")

    def _visible(self, x: Array) -> Array:
        return self.machine.units[0].encode(x.reshape(-1).astype(self.machine.weights[0].dtype))

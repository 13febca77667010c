"""A trained Boltzmann machine read as a coarse-graining: hidden units as block spins."""

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...lattice import Lattice
from ...runs.errors import UsageError
from .._base import AbstractCoarseGraining
from ._rbm import RBM

__all__ = ["BoltzmannLayer"]


class BoltzmannLayer(AbstractCoarseGraining):
    """p(coarse | fine) = p(h | v) of a machine whose visible units sit on the sites of a lattice.

    The configuration on `fine`, flattened row by row, is the visible layer; the hidden units, row by row, are
    the sites of `coarse`. Hidden units have no place of their own: `coarse` says where they are put, a chain
    of n_h sites when it is left out. Nothing that depends on their places means anything before they are
    matched to places. `refine` draws p(v | h).

    Raises `UsageError` for lattices of another size than the layers, and Potts hidden units.

    >>> import jax, jax.numpy as jnp
    >>> machine = RBM.create(16, 4, key=jax.random.key(0))
    >>> layer = BoltzmannLayer(machine, Lattice((4, 4)), Lattice((2, 2)))
    >>> layer.coarsen(jnp.ones((4, 4), jnp.float32), key=jax.random.key(1)).shape
    (2, 2)
    """

    machine: RBM
    fine: Lattice = eqx.field(static=True)  # pyright: ignore[reportIncompatibleVariableOverride]
    places: Lattice = eqx.field(static=True)

    def __init__(self, machine: RBM, fine: Lattice, coarse: Lattice | None = None):
        places = Lattice((machine.n_hidden,)) if coarse is None else coarse
        layers = (("visible", machine.n_visible, fine), ("hidden", machine.n_hidden, places))
        for what, units, lattice in layers:
            if lattice.size != units:
                raise UsageError(
                    f"the machine has {units} {what} units, but the lattice {lattice} has {lattice.size} "
                    "sites; give the lattice that it was trained on."
                )
        if machine.hidden.q > 1:
            raise UsageError("Potts hidden units have several numbers each; a coarse site holds one.")
        self.machine, self.fine, self.places = machine, fine, places

    @property
    def coarse(self) -> Lattice:
        """Where the hidden units are put."""
        return self.places

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """A draw from p(h | v)."""
        return self.machine.sample_hidden(self._visible(x), key=key).reshape(self.places.shape)

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """⟨h | v⟩."""
        return self.machine.hidden_mean(self._visible(x)).reshape(self.places.shape)

    def log_prob(self, coarse: Float[Array, "*coarse"], x: Float[Array, "*fine"]) -> Float[Array, ""]:
        """ln p(h | v), `RBM.hidden_log_prob`.

        >>> import jax, jax.numpy as jnp
        >>> layer = BoltzmannLayer(RBM.create(4, 2, scale=0.0, key=jax.random.key(0)), Lattice((2, 2)))
        >>> up = jnp.ones(2, jnp.float32), jnp.ones((2, 2), jnp.float32)
        >>> round(float(layer.log_prob(*up)), 6)                                     # 2 ln 1/2
        -1.386294
        """
        v = self._visible(x)
        return self.machine.hidden_log_prob(coarse.reshape(-1).astype(v.dtype), v)

    def refine(self, coarse: Float[Array, "*coarse"], *, key: PRNGKeyArray) -> Float[Array, "*fine"]:
        """A draw from p(v | h) as a configuration: spins ±1 for {0, 1} units, colours for Potts units."""
        h = coarse.reshape(-1).astype(self.machine.weights.dtype)
        v = self.machine.sample_visible(h, key=key)
        return self.machine.visible.decode(v).reshape(self.fine.shape)

    def check(self, x: np.ndarray) -> None:
        """Raise `UsageError` for a configuration that is not in the domain of the visible units."""
        self.machine.visible.check_values(x, "the configuration")

    def _visible(self, x: Array) -> Array:
        return self.machine.visible.encode(x.reshape(-1).astype(self.machine.weights.dtype))

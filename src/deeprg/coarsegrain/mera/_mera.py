"""The classical MERA: a hierarchical Bayesian network that draws spins from coarse to fine."""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...exact.couplings import configurations
from ...hamiltonians import AbstractHamiltonian, is_even
from ...lattice import Lattice
from ...runs.errors import UsageError
from ..flow import ContextNet
from ._conditional import SpinTable, state_numbers
from ._heat_bath import has_heat_bath, local_fields
from ._order import Places, fill_order, kept_sites, level_lattices

__all__ = ["ClassicalMERA", "trainable"]

_FIRST = 0.3  # field of a near spin before training: at every scale of a ferromagnet they align


class ClassicalMERA(eqx.Module):
    """Spins ±1 drawn coarse to fine, with their exact probability.

    q(x) = q(top) prod over levels and fills of prod_i exp(h_i x_i) / 2 cosh h_i: the coarsest lattice has a
    table of probabilities; each finer one keeps its spins and fills the others (`fill_order`), whose fields
    h_i a small network, the same for all sites of a fill, computes from the spins nearby that are there
    already (`ContextNet`; with `reach` None a `SpinTable` of the nearest ones, without colours). Where the
    Hamiltonian couples two sublattices only, the last fill of the finest lattice is its exact conditional
    distribution. An even Hamiltonian has an even q.

    Read downwards it is a multiscale ansatz for a probability distribution (C. Bény, arXiv:1301.3124), here
    without hidden spins, so that ln q is exact; read upwards its coarse-graining is decimation.

    Arrays inside have the sites first and the samples last, [size, n].

    Raises `UsageError` for a lattice that cannot be halved down to a table, and for a reach below √ndim.

    >>> from deeprg.hamiltonians import Ising
    >>> model = ClassicalMERA(Ising(Lattice((4, 4)), 2.5), key=jax.random.key(0))
    >>> spins, log_q = model.draw(jax.random.key(1))
    >>> spins.shape, bool(jnp.isclose(model.log_prob(spins), log_q, atol=1e-4))
    ((4, 4), True)
    """

    hamiltonian: AbstractHamiltonian
    top: Float[Array, " states"]
    levels: list[list[ContextNet | SpinTable]]
    reach: float | None = eqx.field(static=True)
    colours: bool = eqx.field(static=True)
    heat_bath: bool = eqx.field(static=True)

    def __init__(
        self,
        hamiltonian: AbstractHamiltonian,
        *,
        reach: float | None = 5.1,
        width: int = 32,
        depth: int = 2,
        colours: bool = True,
        key: PRNGKeyArray,
    ):
        self.hamiltonian, self.reach = hamiltonian, reach
        self.colours = colours and reach is not None
        self.heat_bath = has_heat_bath(hamiltonian)
        lattices, odd = level_lattices(hamiltonian.lattice), is_even(hamiltonian)
        if reach is not None and not reach >= (least := float(np.sqrt(hamiltonian.lattice.ndim))):
            raise UsageError(
                f"The reach is {reach}; it must be at least {least:.3g}, the diagonal of a cell."
            )
        self.top = jnp.zeros(2 ** (lattices[-1].size - odd), jnp.float32)
        self.levels = []
        for number in range(len(lattices) - 1):
            fills = self._fills(number)
            keys = jax.random.split(jax.random.fold_in(key, number), len(fills))
            made = [self._conditional(p, odd, width, depth, k) for p, k in zip(fills, keys, strict=True)]
            self.levels.append(made)

    def _conditional(
        self, places: Places, odd: bool, width: int, depth: int, key: PRNGKeyArray
    ) -> ContextNet | SpinTable:
        first = _FIRST * places.nearest * self.heat_bath
        count = len(first)
        if self.reach is None:
            return SpinTable(jnp.asarray(configurations(count) @ first, jnp.float32), odd)
        net = ContextNet(
            count,
            n_even=1,
            n_odd=1,
            start=[0.0],
            width=width,
            depth=depth,
            odd=odd,
            dtype=jnp.float32,
            key=key,
        )
        return eqx.tree_at(lambda n: n.direct, net, jnp.asarray(first[None], jnp.float32))

    @property
    def lattice(self) -> Lattice:
        """The finest lattice."""
        return self.hamiltonian.lattice

    @property
    def lattices(self) -> list[Lattice]:
        """Those of all levels, finest first."""
        return level_lattices(self.lattice)

    def _fills(self, number: int) -> tuple[Places, ...]:
        lattice = self.lattices[number]
        fills = fill_order(lattice, self.reach, self.colours)
        if number or not self.heat_bath:
            return fills
        return tuple(p for p in fills if sum(p.offset) % 2 == 0)

    def _n_filled(self, number: int) -> int:
        return sum(len(places.targets) for places in self._fills(number))

    @property
    def n_latent(self) -> int:
        """Uniform numbers behind a draw, without those of the heat bath."""
        return 1 + sum(self._n_filled(number) for number in range(len(self.levels)))

    def latent(self, *, key: PRNGKeyArray) -> Float[Array, " size"]:
        """The uniform numbers of one draw."""
        return jax.random.uniform(key, (self.lattice.size,), self.top.dtype)

    def push(self, latent: Float[Array, "size n"]) -> tuple[Float[Array, "*lattice n"], Float[Array, " n"]]:
        """Configurations and their ln q from uniform numbers."""
        x, log_q = self.push_without_bath(latent)
        if self.heat_bath:
            x, gain = self._bathed(x, latent[self.n_latent :])
            log_q = log_q + gain
        return x.reshape(*self.lattice.shape, -1), log_q

    def push_without_bath(self, u: Float[Array, "_ n"]) -> tuple[Float[Array, "size n"], Float[Array, " n"]]:
        """Spins from at least `n_latent` uniform numbers, zero where the heat bath comes, and their ln q.

        Only ln q depends differentiably on the parameters, at fixed spins.
        """
        log_p, states = self._top()
        drawn = jnp.minimum(jnp.sum(u[:1] > jnp.cumsum(jnp.exp(log_p))[:, None], axis=0), len(states) - 1)
        x, log_q, used = states[drawn].T.astype(u.dtype), log_p[drawn], 1
        for number in reversed(range(len(self.levels))):
            x, gain = self._filled(number, x, u[used:])
            log_q, used = log_q + gain, used + self._n_filled(number)
        return x, log_q

    def fill(
        self, number: int, kept: Float[Array, "coarse n"], u: Float[Array, "_ n"]
    ) -> tuple[Float[Array, "size n"], Float[Array, " n"]]:
        """Fill a level (0 the finest) from the spins kept there, with its heat bath; and ln q of that.

        `u` are uniform numbers, at least as many as sites are filled.
        """
        x, log_q = self._filled(number, kept, u)
        if number or not self.heat_bath:
            return x, log_q
        x, gain = self._bathed(x, u[self._n_filled(0) :])
        return x, log_q + gain

    @eqx.filter_jit
    def draw(self, key: PRNGKeyArray) -> tuple[Float[Array, "*lattice"], Float[Array, ""]]:
        """A configuration and its ln q."""
        x, log_q = self.push(self.latent(key=key)[:, None])
        return x[..., 0], log_q[0]

    def _filled(
        self, number: int, kept: Float[Array, "coarse n"], u: Float[Array, "_ n"]
    ) -> tuple[Float[Array, "size n"], Float[Array, " n"]]:
        lattice, used = self.lattices[number], 0
        x = jnp.zeros((lattice.size, u.shape[1]), u.dtype).at[kept_sites(lattice)].set(kept)
        log_q = jnp.zeros(u.shape[1], u.dtype)
        for net, places in self.conditionals(number):
            field = _field(net, places, x)
            spins = _spins(field, u[used : used + len(places.targets)])
            x, used = x.at[places.targets].set(spins), used + len(places.targets)
            log_q = log_q + _log_likelihood(field, spins)
        return x, log_q

    def _bathed(
        self, x: Float[Array, "size n"], u: Float[Array, "_ n"]
    ) -> tuple[Float[Array, "size n"], Float[Array, " n"]]:
        sites, field = self._heat_bath_fields(x)
        spins = _spins(field, u[: len(sites)])
        return x.at[sites].set(spins), _log_likelihood(field, spins)

    def _heat_bath_fields(self, x: Float[Array, "size n"]) -> tuple[np.ndarray, Float[Array, "odd n"]]:
        sites = np.flatnonzero(self.lattice.checkerboard(1))
        kept = x.at[sites].set(0.0).reshape(*self.lattice.shape, -1)
        return sites, local_fields(self.hamiltonian, kept).reshape(x.shape)[sites]

    @eqx.filter_jit
    def log_prob(self, x: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """ln q of a configuration of spins ±1."""
        return self.log_prob_of_level(0, x.reshape(self.lattice.size, 1).astype(self.top.dtype))[0]

    @eqx.filter_jit
    def log_prob_of_level(self, number: int, x: Float[Array, "size n"]) -> Float[Array, " n"]:
        """ln q of the spins of a level, 0 the finest."""
        log_q = jnp.zeros(x.shape[1], x.dtype)
        for level in range(number, len(self.levels)):
            log_q = log_q + self.log_fill(level, x)
            x = x[kept_sites(self.lattices[level])]
        log_p, _ = self._top()
        return log_q + log_p[state_numbers(x)]

    def log_fill(self, number: int, x: Float[Array, "size n"]) -> Float[Array, " n"]:
        """ln q of all that is filled in on a level (0 the finest), given the spins kept there."""
        total = jnp.zeros(x.shape[1], x.dtype)
        if number == 0 and self.heat_bath:
            sites, field = self._heat_bath_fields(x)
            total = _log_likelihood(field, x[sites])
        for net, places in self.conditionals(number):
            total = total + _log_likelihood(_field(net, places, x), x[places.targets])
        return total

    def conditionals(self, number: int) -> Iterator[tuple[ContextNet | SpinTable, Places]]:
        """What fills a level (0 the finest), in order."""
        return zip(self.levels[number], self._fills(number), strict=True)

    def _top(self) -> tuple[Float[Array, " states"], Float[Array, "states sites"]]:
        count = self.lattices[-1].size
        states = configurations(count)
        logits = self.top if len(self.top) == 2**count else jnp.concatenate([self.top, self.top[::-1]])
        return jax.nn.log_softmax(logits), jnp.asarray(states, jnp.float32)


def trainable(model: ClassicalMERA) -> ClassicalMERA:
    """Which arrays a training moves, as a tree of booleans: all but those of the Hamiltonian.

    >>> from deeprg.hamiltonians import Ising
    >>> model = ClassicalMERA(Ising(Lattice((4, 4)), 2.5), key=jax.random.key(0))
    >>> trainable(model).top
    True
    """
    chosen = jax.tree.map(eqx.is_inexact_array, model)
    fixed = jax.tree.map(lambda _: False, model.hamiltonian)
    return eqx.tree_at(lambda m: m.hamiltonian, chosen, fixed)


def _field(net: ContextNet | SpinTable, places: Places, x: Float[Array, "size n"]) -> Float[Array, "t n"]:
    context = x[places.context.T]
    if isinstance(net, SpinTable):
        return net(context)
    even, odd = net(context)
    return odd[0] * jnp.exp(even[0])


def _spins(field: Float[Array, "t n"], u: Float[Array, "t n"]) -> Float[Array, "t n"]:
    up = u < jax.nn.sigmoid(2 * jax.lax.stop_gradient(field))
    return jnp.where(up, 1, -1).astype(u.dtype)


def _log_likelihood(field: Float[Array, "t n"], spins: Float[Array, "t n"]) -> Float[Array, " n"]:
    return jnp.sum(jax.nn.log_sigmoid(2 * spins * field), axis=0)

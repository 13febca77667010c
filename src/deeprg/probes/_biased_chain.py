"""Fine and coarse spins together, with a bias on the coarse ones: the chain behind variational RG."""

import itertools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from deeprg.coarsegrain import BlockRule
from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.probes.spin_operators import SpinOperator, operator_sums
from deeprg.runs.errors import UsageError

__all__ = ["BiasedChain"]

Spins = tuple[Float[Array, "n *fine"], Float[Array, "n *coarse"]]


class BiasedChain(eqx.Module):
    """Gibbs sampling of p(x, y) ~ exp(-H(x)) p(y | x) exp(B.S(y)), a fine spin and its block's together.

    Blocks of one colour are so far apart that neither operators nor H connect them; a spin x_i and the coarse
    spin y_I of its block take one of their four states with its exact probability. So rules that decide y
    from x are sampled as well as those that draw it.

    Raises `UsageError` for blocks that overlap or leave sites out, and rules without a mean.
    """

    hamiltonian: AbstractHamiltonian
    rule: BlockRule
    operators: tuple[SpinOperator, ...] = eqx.field(static=True)
    colours: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    period: int = eqx.field(static=True)

    def __init__(self, hamiltonian: AbstractHamiltonian, rule: BlockRule, operators: Sequence[SpinOperator]):
        if rule.stride != rule.side or not hasattr(rule, "mean"):
            raise UsageError(
                "Variational RG needs blocks side by side and a rule that knows E[coarse | fine]."
            )
        self.hamiltonian, self.rule, self.operators = hamiltonian, rule, tuple(operators)
        reach = max(max(map(abs, site)) for o in self.operators for image in o.images for site in image)
        extents = rule.coarse.shape
        fitting = [m for m in range(reach + 1, max(extents) + 1) if all(e % m == 0 for e in extents)]
        self.period = fitting[0] if fitting else max(extents)
        self.colours = tuple(itertools.product(*(range(min(self.period, extent)) for extent in extents)))

    def start(self, chains: int, *, key: PRNGKeyArray) -> Spins:
        """Hot fine spins and a draw of their coarse ones."""
        first, second = jax.random.split(key)
        x = jax.random.rademacher(first, (chains, *self.rule.fine.shape), jnp.float32)
        keys = jax.random.split(second, chains)
        return x, jax.vmap(lambda x, k: self.rule.coarsen(x, key=k))(x, keys)

    @eqx.filter_jit
    def run(
        self, spins: Spins, bias: Float[Array, " operators"], sweeps: int, *, key: PRNGKeyArray
    ) -> tuple[Spins, Float[Array, "sweeps n operators"], Float[Array, "sweeps n operators"]]:
        """Sweeps over all spins; the operators of coarse and of fine spins after each."""

        def sweep(spins: Spins, key: PRNGKeyArray) -> tuple[Spins, tuple[Array, Array]]:
            keys = iter(jax.random.split(key, len(self.colours) * self.rule.side**self.rule.fine.ndim))
            for colour in self.colours:
                for place in range(self.rule.side**self.rule.fine.ndim):
                    spins = self._pairs(spins, bias, colour, place, next(keys))
            return spins, (self._sums(spins[1]), self._sums(spins[0]))

        spins, (coarse, fine) = jax.lax.scan(sweep, spins, jax.random.split(key, sweeps))
        return spins, coarse, fine

    def _sums(self, s: Float[Array, "n *lattice"]) -> Float[Array, "n operators"]:
        return operator_sums(self.operators, s, jnp.float32)

    def _pairs(
        self,
        spins: Spins,
        bias: Float[Array, " operators"],
        colour: tuple[int, ...],
        place: int,
        key: PRNGKeyArray,
    ) -> Spins:
        """New (x_i, y_I) for one site of every block of a colour."""
        x, y = spins
        coordinates = self.rule.coarse.coordinates() % self.period
        blocks = np.flatnonzero((coordinates == np.array(colour)).all(axis=1))
        sites = self.rule.sites.reshape(-1, self.rule.side**self.rule.fine.ndim)[blocks, place]
        flat, coarse = x.reshape(len(x), -1), y.reshape(len(y), -1)
        with_value = lambda value: flat.at[:, sites].set(value).reshape(x.shape)
        mean: Any = self.rule.mean  # pyright: ignore[reportAttributeAccessIssue]
        up, down = (jax.vmap(mean)(with_value(v)).reshape(coarse.shape)[:, blocks] for v in (1.0, -1.0))
        force = -jax.vmap(jax.grad(self.hamiltonian.energy))(x).reshape(flat.shape)[:, sites]
        pull = jax.grad(lambda y: jnp.sum(self._sums(y) @ bias))(y).reshape(coarse.shape)[:, blocks]
        states = [(s, t) for s in (1.0, -1.0) for t in (1.0, -1.0)]
        log_p = jnp.stack(
            [s * force + jnp.log((1 + t * (up if s > 0 else down)) / 2) + t * pull for s, t in states],
            axis=-1,
        )
        chosen = jax.random.categorical(key, log_p)
        fine_new, coarse_new = (jnp.asarray(row, x.dtype)[chosen] for row in zip(*states, strict=True))
        flat = flat.at[:, sites].set(fine_new)
        coarse = coarse.at[:, blocks].set(coarse_new)
        return flat.reshape(x.shape), coarse.reshape(y.shape)

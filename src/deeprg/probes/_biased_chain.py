"""Fine and coarse spins together, with a bias on the coarse ones: the chain behind variational RG."""

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
            places = self.rule.sites.shape[-1]
            for place, own in enumerate(jax.random.split(key, places)):
                spins = self._pairs(spins, bias, place, own)
            return spins, (self._sums(spins[1]), self._sums(spins[0]))

        spins, (coarse, fine) = jax.lax.scan(sweep, spins, jax.random.split(key, sweeps))
        return spins, coarse, fine

    def _sums(self, s: Float[Array, "n *lattice"]) -> Float[Array, "n operators"]:
        return operator_sums(self.operators, s, jnp.float32)

    def _pairs(self, spins: Spins, bias: Float[Array, " operators"], place: int, key: PRNGKeyArray) -> Spins:
        """New (x_i, y_I) for one site of every block, colour after colour."""
        x = spins[0]
        sites = self.rule.sites.reshape(-1, self.rule.sites.shape[-1])[:, place]
        mean: Any = self.rule.mean  # pyright: ignore[reportAttributeAccessIssue]
        flat = x.reshape(len(x), -1)
        # E[y_I | x] with x_i up and down: of the block alone, so that it is the same for all colours.
        up, down = (
            jax.vmap(mean)(flat.at[:, sites].set(v).reshape(x.shape)).reshape(len(x), -1) for v in (1.0, -1.0)
        )
        states = [(s, t) for s in (1.0, -1.0) for t in (1.0, -1.0)]

        def one(spins: Spins, turn: tuple[Array, PRNGKeyArray]) -> tuple[Spins, None]:
            (x, y), (mine, own) = spins, turn
            flat, coarse = x.reshape(len(x), -1), y.reshape(len(y), -1)
            force = -jax.vmap(jax.grad(self.hamiltonian.energy))(x).reshape(flat.shape)[:, sites]
            pull = jax.grad(lambda y: jnp.sum(self._sums(y) @ bias))(y).reshape(coarse.shape)
            log_p = [s * force + jnp.log((1 + t * (up if s > 0 else down)) / 2) + t * pull for s, t in states]
            chosen = jax.random.categorical(own, jnp.stack(log_p, axis=-1))
            new_x, new_y = (jnp.asarray(row, x.dtype)[chosen] for row in zip(*states, strict=True))
            flat = flat.at[:, sites].set(jnp.where(mine[None], new_x, flat[:, sites]))
            coarse = jnp.where(mine[None], new_y, coarse)
            return (flat.reshape(x.shape), coarse.reshape(y.shape)), None

        colours = jnp.asarray(self._colours())
        spins, _ = jax.lax.scan(one, spins, (colours, jax.random.split(key, len(colours))))
        return spins

    def _colours(self) -> np.ndarray:
        """The blocks of every colour, booleans [colours, blocks]."""
        place = self.rule.coarse.coordinates() % self.period
        colours = np.unique(place, axis=0)
        return (place[None] == colours[:, None]).all(axis=-1)

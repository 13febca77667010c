"""Samples of a flow with their importance weights, chunk by chunk."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...hamiltonians import AbstractHamiltonian
from ...runs.errors import UsageError

__all__ = ["Draws", "Sampler", "draw", "draws"]


@runtime_checkable
class Sampler(Protocol):
    """What draws configurations with their density: flows and classical MERAs, an `eqx.Module` each."""

    def latent(self, *, key: PRNGKeyArray) -> Any:
        """What one draw is made of, [...]."""
        ...

    def push(self, latent: Any) -> tuple[Float[Array, "*lattice n"], Float[Array, " n"]]:
        """Configurations and ln q of latents [..., n]."""
        ...


class Draws(NamedTuple):
    """Independent samples x ~ q and what reweighting needs.

    `log_weights` [n] are ln w = -H(x) - ln q(x) in float64; `observables` are the Hamiltonian's, [n, ...];
    `fields` [n, *lattice], or None where they were not kept.
    """

    log_weights: np.ndarray
    observables: dict[str, np.ndarray]
    fields: np.ndarray | None


def draws(
    flow: Sampler,
    hamiltonian: AbstractHamiltonian,
    n: int,
    *,
    key: PRNGKeyArray,
    batch: int = 1000,
    fields: bool = False,
) -> Iterator[Draws]:
    """Yield samples in chunks of `batch` (the last may be shorter); sample i depends on `key` and i alone.

    Raises `UsageError` when n or batch is below one.
    """
    if n < 1 or batch < 1:
        raise UsageError(f"At least one sample and a batch of one are needed, not n={n}, batch={batch}.")
    batch = min(batch, n)
    for start in range(0, n, batch):
        numbers = jnp.arange(start, start + batch)
        x, log_weight, measured = _chunk(flow, hamiltonian, key, numbers)
        keep = min(batch, n - start)
        yield Draws(
            np.asarray(log_weight, np.float64)[:keep],
            {name: np.moveaxis(np.asarray(v, np.float64), -1, 0)[:keep] for name, v in measured.items()},
            np.moveaxis(np.asarray(x), -1, 0)[:keep] if fields else None,
        )


def draw(
    flow: Sampler,
    hamiltonian: AbstractHamiltonian,
    n: int,
    *,
    key: PRNGKeyArray,
    batch: int = 1000,
    fields: bool = False,
) -> Draws:
    """All n samples at once, see `draws`.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.hamiltonians import GaussianField
    >>> from deeprg.lattice import Lattice
    >>> target = GaussianField(Lattice((2, 2)), mass_squared=1.0)
    >>> draw(Flow(target.lattice, Chain()), target, 100, key=jax.random.key(0)).log_weights.shape
    (100,)
    """
    parts = list(draws(flow, hamiltonian, n, key=key, batch=batch, fields=fields))
    return Draws(
        np.concatenate([p.log_weights for p in parts]),
        {name: np.concatenate([p.observables[name] for p in parts]) for name in parts[0].observables},
        np.concatenate([p.fields for p in parts if p.fields is not None]) if fields else None,
    )


@eqx.filter_jit
def _chunk(flow: Sampler, hamiltonian: AbstractHamiltonian, key: PRNGKeyArray, numbers):
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(numbers)
    latents = jax.vmap(lambda k: flow.latent(key=k), out_axes=-1)(keys)
    x, log_q = flow.push(latents)
    energy = jax.vmap(hamiltonian.energy, in_axes=-1)(x)
    measured = jax.vmap(hamiltonian.observables, in_axes=-1, out_axes=-1)(x)
    return x, -energy - log_q, measured

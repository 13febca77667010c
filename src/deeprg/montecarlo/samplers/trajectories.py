"""Hamiltonian trajectories of many chains, by blackjax, for any log density; tuning of their steps."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from deeprg.runs.environment import usable_cores
from deeprg.runs.errors import NumericalError

__all__ = ["DIVERGENT_SHARE", "Totals", "check_divergences", "initial", "trajectories", "tuned"]

_JITTER = 0.2  # the step size of a trajectory varies by this fraction, so that no mode is in resonance
DIVERGENT_SHARE = 0.1  # of the trajectories; with more the average is not one over the target

# Sums over trajectories and chains: acceptance, divergences, gradients.
Totals = Float[Array, " 3"]


def initial(density: PyTree, positions: Float[Array, "chains ..."], *, together: int | None = None) -> Any:
    """The state of chains at the given positions: position, ln density, gradient, each [chains, ...]."""

    return _shared(lambda some, numbers: _initial(density, some, together), positions, together)


@eqx.filter_jit
def _initial(density: PyTree, positions: Array, together: int | None) -> Any:
    import blackjax

    return _in_groups(jax.vmap(lambda x: blackjax.hmc.init(x, density)), positions, together)


def trajectories(
    density: PyTree,
    states: Any,
    step_size: Float[Array, ""],
    count: int,
    *,
    key: PRNGKeyArray,
    nuts: bool = False,
    steps: int = 10,
    together: int | None = None,
) -> tuple[Any, Totals]:
    """The states after `count` trajectories of every chain, and the `Totals`.

    `density(x)` is ln of the target density of one configuration, up to a constant; momenta have unit mass.
    HMC takes `steps` leapfrog steps of the given size times a factor from 0.8 to 1.2; NUTS chooses their
    number. With `together`, which divides the number of chains, each core takes groups of so many chains one
    after the other: what a gradient needs stays in its cache. Without it all chains are one group. The random
    numbers of a chain do not depend on it.
    """
    traced = jnp.asarray(count, jnp.int32)  # one program for all counts

    def some(states: Any, numbers: Array) -> tuple[Any, Array]:
        return _trajectories(density, states, numbers, step_size, traced, key, nuts, steps, together)

    states, totals = _shared(some, states, together)
    return states, totals.sum(axis=0)


@eqx.filter_jit
def _trajectories(
    density: PyTree,
    states: Any,
    numbers: Array,
    step_size: Array,
    count: Array,
    key: PRNGKeyArray,
    nuts: bool,
    steps: int,
    together: int | None,
) -> tuple[Any, Array]:
    import blackjax

    algorithm: Any = blackjax.nuts if nuts else blackjax.hmc
    kernel = algorithm.build_kernel()
    mass = jnp.ones(states.position[0].size, states.position.dtype)
    extra = {} if nuts else {"num_integration_steps": steps}

    def one(key: PRNGKeyArray, state: Any) -> tuple[Any, Any]:
        move, jitter = jax.random.split(key)
        factor = jax.random.uniform(jitter, (), mass.dtype, 1 - _JITTER, 1 + _JITTER)
        return kernel(move, state, density, step_size if nuts else step_size * factor, mass, **extra)

    def group(given: tuple[Any, Array]) -> tuple[Any, Array]:
        states, numbers = given

        def trajectory(i: Array, carry: tuple[Any, Array]) -> tuple[Any, Array]:
            here, totals = carry
            keys = jax.vmap(lambda n: jax.random.fold_in(jax.random.fold_in(key, i), n))(numbers)
            here, info = jax.vmap(one)(keys, here)
            taken = jnp.broadcast_to(jnp.asarray(info.num_integration_steps), info.acceptance_rate.shape)
            row = [jnp.nan_to_num(info.acceptance_rate), info.is_divergent, taken]
            return here, totals + jnp.stack([entry.astype(totals.dtype) for entry in row], axis=1)

        totals = jnp.zeros((len(numbers), 3), mass.dtype)
        return jax.lax.fori_loop(0, count, trajectory, (states, totals))

    return _in_groups(group, (states, numbers), together)


def tuned(
    density: PyTree,
    states: Any,
    step_size: float,
    count: int,
    *,
    key: PRNGKeyArray,
    target: float = 0.8,
    **options: Any,
) -> tuple[Any, float, float]:
    """`count` trajectories whose acceptance tunes the step size; states, step size, last acceptance.

    Dual averaging (Hoffman and Gelman, arXiv:1111.4246, section 3.2.1) of the mean over the chains.
    """
    from blackjax.adaptation.step_size import dual_averaging_adaptation

    start, update, final = dual_averaging_adaptation(target)
    averaging = start(step_size)
    chains = states.position.shape[0]
    acceptance = 0.0
    for step in range(max(count, 1)):
        size = jnp.exp(averaging.log_step_size).astype(states.position.dtype)
        states, totals = trajectories(density, states, size, 1, key=jax.random.fold_in(key, step), **options)
        acceptance = float(totals[0]) / chains
        averaging = update(averaging, totals[0] / chains)
    return states, float(final(averaging)), acceptance


def check_divergences(divergent: float, total: int, what: str) -> None:
    """Raise `NumericalError` when more than a tenth of the trajectories diverged."""
    if divergent > DIVERGENT_SHARE * total:
        raise NumericalError(
            f"{divergent:.0f} of {total} trajectories of {what} diverged (energy error above 1000); at most "
            f"{DIVERGENT_SHARE:.0%} may. Thermalise longer, so that the steps get shorter, or use another "
            "algorithm."
        )


def _shared(call: Callable[[Any, Array], Any], chains: PyTree, together: int | None) -> Any:
    """`call(some, numbers)` of equal shares of the chains, one per core, put together again.

    XLA leaves cores idle between and within the small operations of one program; several programs do not.
    """
    numbers = jnp.arange(len(jax.tree.leaves(chains)[0]))
    groups = 1 if together is None else len(numbers) // together
    shares = max(n for n in range(1, min(usable_cores(), max(groups, 1)) + 1) if max(groups, 1) % n == 0)
    if shares == 1:
        return call(chains, numbers)
    wide = jnp.result_type(float) == jnp.float64  # a setting of the thread

    def share(part: slice) -> Any:
        with jax.enable_x64(wide):
            return jax.block_until_ready(call(jax.tree.map(lambda x: x[part], chains), numbers[part]))

    size = len(numbers) // shares
    with ThreadPoolExecutor(shares) as pool:
        found = list(pool.map(share, (slice(n * size, (n + 1) * size) for n in range(shares))))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *found)


def _in_groups(call: Callable[[Any], Any], tree: PyTree, together: int | None) -> PyTree:
    """`call` of groups of `together` rows, one after the other in one program."""
    rows = len(jax.tree.leaves(tree)[0])
    if together is None or rows == together:
        return call(tree)
    split = jax.tree.map(lambda x: x.reshape(-1, together, *x.shape[1:]), tree)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), jax.lax.map(call, split))

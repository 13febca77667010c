"""Hamiltonian trajectories of many chains, by blackjax, for any log density; tuning of their steps."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from deeprg.runs.errors import NumericalError

__all__ = ["DIVERGENT_SHARE", "Totals", "check_divergences", "initial", "trajectories", "tuned"]

_JITTER = 0.2  # the step size of a trajectory varies by this fraction, so that no mode is in resonance
DIVERGENT_SHARE = 0.1  # of the trajectories; with more the average is not one over the target

# Sums over trajectories and chains: acceptance, divergences, gradients.
Totals = Float[Array, " 3"]


@eqx.filter_jit
def initial(density: PyTree, positions: Float[Array, "chains ..."], *, together: int | None = None) -> Any:
    """The state of chains at the given positions: position, ln density, gradient, each [chains, ...]."""
    import blackjax

    return _grouped(jax.vmap(lambda x: blackjax.hmc.init(x, density)), positions, together)


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
    number. Groups of `together` chains run one after the other (all at once without it), which keeps what a
    gradient needs in the cache; the random numbers of a chain do not depend on it.
    """
    # a traced count: one program for all of them
    return _trajectories(
        density, states, step_size, jnp.asarray(count, jnp.int32), key, nuts, steps, together
    )


@eqx.filter_jit
def _trajectories(
    density: PyTree,
    states: Any,
    step_size: Array,
    count: Array,
    key: PRNGKeyArray,
    nuts: bool,
    steps: int,
    together: int | None,
) -> tuple[Any, Totals]:
    import blackjax

    algorithm: Any = blackjax.nuts if nuts else blackjax.hmc
    kernel = algorithm.build_kernel()
    chains = states.position.shape[0]
    mass = jnp.ones(states.position[0].size, states.position.dtype)
    extra = {} if nuts else {"num_integration_steps": steps}

    def one(key: PRNGKeyArray, state: Any) -> tuple[Any, Any]:
        move, jitter = jax.random.split(key)
        factor = jax.random.uniform(jitter, (), mass.dtype, 1 - _JITTER, 1 + _JITTER)
        return kernel(move, state, density, step_size if nuts else step_size * factor, mass, **extra)

    def group(given: tuple[Any, Array]) -> tuple[Any, Array]:
        some, numbers = given

        def trajectory(i: Array, carry: tuple[Any, Array]) -> tuple[Any, Array]:
            here, totals = carry
            keys = jax.vmap(lambda n: jax.random.fold_in(jax.random.fold_in(key, i), n))(numbers)
            here, info = jax.vmap(one)(keys, here)
            taken = jnp.broadcast_to(jnp.asarray(info.num_integration_steps), info.acceptance_rate.shape)
            row = [jnp.nan_to_num(info.acceptance_rate), info.is_divergent, taken]
            return here, totals + jnp.stack([jnp.sum(entry.astype(totals.dtype)) for entry in row])

        return jax.lax.fori_loop(0, count, trajectory, (some, jnp.zeros(3, mass.dtype)))

    numbers = jnp.arange(chains)
    if together is None or chains % together or chains == together:
        return group((states, numbers))
    states, totals = jax.lax.map(group, _split((states, numbers), together))
    return _joined(states), totals.sum(axis=0)


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


def _grouped(function: Any, positions: Array, together: int | None) -> Any:
    if together is None or positions.shape[0] % together or positions.shape[0] == together:
        return function(positions)
    return _joined(jax.lax.map(function, _split(positions, together)))


def _split(tree: PyTree, together: int) -> PyTree:
    return jax.tree.map(lambda x: x.reshape(-1, together, *x.shape[1:]), tree)


_joined = functools.partial(jax.tree.map, lambda x: x.reshape(-1, *x.shape[2:]))

"""Several searches from different starts: all rules that are as good, not only one."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ...train import Plan
from ._fit import RSMI, fit_rsmi
from ._principal import PrincipalFilters, principal_filters
from ._surroundings import Surroundings
from ._windows import Windows

__all__ = ["FilterEnsemble", "filter_ensemble"]

_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class FilterEnsemble:
    """What several searches found.

    runs: the searches.
    counted: [runs], False for those that ended in a worse rule, which are in nothing that follows.
    filters: [counted hidden, v], one after the other, with unit variance of what each reads and a positive
        correlation with what the first component reads.
    principal: their principal components.
    """

    runs: tuple[RSMI, ...]
    counted: np.ndarray
    filters: np.ndarray
    principal: PrincipalFilters


def filter_ensemble(
    around: Surroundings,
    configurations: ArrayLike,
    plan: Plan,
    *,
    runs: int = 16,
    hidden: int = 1,
    least: float = 0.75,
    period: int = 1,
    judging: Plan | None = None,
    held_out: float = 0.25,
    key: PRNGKeyArray,
    on_run: Callable[[int, RSMI], None] | None = None,
) -> FilterEnsemble:
    """`fit_rsmi` from `runs` random mixtures of the canonical filters, and the space that the filters span.

    A start prefers none of several directions that are equally good to a Gaussian eye, so that rules in which
    the searches end tell what is degenerate: an emergent symmetry (`principal_filters`). Runs that keep less
    than a share `least` of the most information ended in a worse rule and do not count. `on_run` gets the
    number of every search that ended, and its result. The hidden units are spins.

    Raises `UsageError` for fewer than two runs, a share outside [0, 1], as `fit_rsmi`, and where all runs
    but one ended in a worse rule.

    The environment knows one site of the block; whatever its sign, all filters are one rule:

    >>> rows = np.random.default_rng(0).choice((-1, 1), size=(4000, 6))
    >>> rows[:, 4] = rows[:, 1]
    >>> around = Surroundings(6, block=(0, 1, 2), environment=(4,))
    >>> plan = Plan(steps=400, batch=200, learning_rate=0.01, steps_per_call=50)
    >>> found = filter_ensemble(around, rows, plan, runs=3, key=jax.random.key(0))
    >>> bool(found.principal.shares[0] > 0.98), found.filters.shape
    (True, (3, 3))
    """
    if runs < 2:
        raise UsageError(f"An ensemble of filters has two runs or more, not {runs}.")
    if not 0 <= least <= 1:
        raise UsageError(f"least = {least} is a share of the most information, between 0 and 1.")
    found: list[RSMI] = []
    for number, one in enumerate(jax.random.split(key, runs)):
        found.append(
            fit_rsmi(
                around,
                configurations,
                plan,
                hidden=hidden,
                mixed=True,
                period=period,
                judging=judging,
                held_out=held_out,
                key=one,
            )
        )
        if on_run is not None:
            on_run(number, found[-1])
    kept = np.array([one.retained.value for one in found])
    counted = kept >= least * kept.max() if kept.max() > 0 else np.ones(runs, bool)
    if counted.sum() < 2:
        raise UsageError(
            f"One of {runs} runs kept {kept.max():.3g} nats, all others less than a share {least:g} of it; "
            "take more runs, longer searches or a smaller share."
        )
    windows = Windows(around, jnp.asarray(around.table(configurations)), period)
    rows = windows(jax.random.fold_in(key, runs), max(_ROWS, 4 * windows.size))
    blocks = np.asarray(rows[:, : windows.size], np.float64)
    weights = np.concatenate(
        [np.asarray(run.reader.weights, np.float64) for run, c in zip(found, counted, strict=True) if c]
    )
    principal = principal_filters(weights, blocks)
    scale = (blocks @ weights.T).std(axis=0)[:, None]
    return FilterEnsemble(tuple(found), counted, principal.signs[:, None] * weights / scale, principal)

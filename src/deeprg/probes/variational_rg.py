"""Variational Monte Carlo RG: renormalised couplings as the bias that makes coarse spins independent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain import BlockRule
from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.montecarlo.jackknife import delete_one
from deeprg.probes._biased_chain import BiasedChain
from deeprg.probes.spin_operators import SpinOperator
from deeprg.probes.stability import stability_matrix
from deeprg.runs.errors import UsageError

__all__ = ["RenormalisedCouplings", "variational_rg"]

_FEWEST_CHAINS = 20
_LARGEST = 0.1  # change of a coupling in one iteration
_STILL = 0.05  # change by the last run that is no more than noise of the one before


@dataclass(frozen=True)
class RenormalisedCouplings:
    """K'_a of H'(y) = -sum_a K'_a S_a(y), and the derivatives of them at the same point.

    operators: names; values, errors: of the couplings, [operators]; eigenvalue, eigenvalue_error: the
    largest of dK'_a/dK_b among the even operators; history: of the couplings by iteration; flags: a
    sentence where the iterations had not ended.
    """

    operators: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray
    eigenvalue: float
    eigenvalue_error: float
    history: np.ndarray
    flags: tuple[str, ...] = ()


def variational_rg(
    hamiltonian: AbstractHamiltonian,
    rule: BlockRule,
    operators: Sequence[SpinOperator],
    *,
    chains: int = 128,
    sweeps: int = 200,
    iterations: int = 12,
    final: int = 1000,
    key: PRNGKeyArray,
    on_iteration: Callable[[int, np.ndarray], None] | None = None,
) -> RenormalisedCouplings:
    """The couplings of the coarse spins, from a bias exp(B.S(y)) under which <S_a(y)> = 0 for all operators.

    Wu and Car's functional is convex in the bias and least where the biased coarse spins are independent, so
    that K' = -B and there is no critical slowing down; its gradient is <S>, its Hessian cov(S, S), and
    damped Newton steps need few iterations (Y. Wu, R. Car, Phys. Rev. Lett. 119, 220602 (2017),
    arXiv:1707.08683). With some operators only, K' are what makes just these vanish. With cov(S', S)
    of the same chain there are the derivatives dK'/dK, at this point: with all operators they are Swendsen's
    matrix, with some only they are not.

    Args:
        hamiltonian: of the fine spins ±1, linear in each of them.
        rule: from fine to coarse spins, blocks side by side.
        operators: of the coarse lattice, even ones for an even Hamiltonian; see `spin_operators`.
        chains: independent ones, over which the jackknife goes; sweeps: of each iteration, after as many
            again that are dropped in the first; final: of the last run.
        on_iteration: called with the number and the couplings so far.

    Raises:
        UsageError: fewer than 20 chains, a rule that is no step of spins, operators that do not fit.
        NumericalError: operators that are linear combinations of each other on the coarse lattice.

    >>> from deeprg.coarsegrain import Decimation
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> from deeprg.probes import spin_operators
    >>> ring, pair = Ising(Lattice((12,)), 2.0), spin_operators(Lattice((6,)), even=1, odd=0)
    >>> found = variational_rg(ring, Decimation(ring.lattice), pair, final=200, key=jax.random.key(0))
    >>> exact = np.arctanh(np.tanh(0.5) ** 2)                            # 0.2168, up to tanh(1/2)^12
    >>> bool(abs(found.values[0] - exact) < 4 * found.errors[0] + 1e-3)
    True
    """
    if min(sweeps, final) < 2 or iterations < 1:
        raise UsageError(
            f"sweeps = {sweeps}, final = {final} and iterations = {iterations} are too few; take 2, 2 and 1 "
            "or more."
        )
    if chains < _FEWEST_CHAINS:
        raise UsageError(f"{chains} chains are too few for errors; take {_FEWEST_CHAINS} or more.")
    for operator in operators:
        operator.check(rule.coarse)
        operator.check(rule.fine)
    chain = BiasedChain(hamiltonian, rule, operators)
    first, *keys = jax.random.split(key, iterations + 2)
    spins, bias, history = chain.start(chains, key=first), np.zeros(len(operators)), []
    for number, own in enumerate(keys):
        last = number == iterations
        length = final if last else (2 if number == 0 else 1) * sweeps
        spins, coarse, fine = chain.run(spins, jnp.asarray(bias, jnp.float32), length, key=own)
        drop = 0 if last else length // 2
        parts = _sums(np.asarray(coarse)[drop:], np.asarray(fine)[drop:])
        if last:
            return _judged(bias, parts, final, operators, np.array(history))
        means = {name: part.sum(axis=0) / (len(coarse) - drop) / chains for name, part in parts.items()}
        step = _newton(**means)
        decrement = float(np.sqrt(max(means["after"] @ step, 0.0)))
        # damped: far from the end <S> is large and covariances of few states are noise
        bias = bias - step * min(1 / (1 + decrement), _LARGEST / np.abs(step).max())
        history.append(-bias)
        if on_iteration is not None:
            on_iteration(number, -bias)
    raise AssertionError("the last key belongs to the last run")


def _sums(coarse: np.ndarray, fine: np.ndarray) -> dict[str, np.ndarray]:
    """Sums over the sweeps of every chain: S', S, S'S', S'S."""
    c, f = (np.asarray(s, np.float64) for s in (coarse, fine))
    products = {"outer": np.einsum("tna,tnb->nab", c, c), "inner": np.einsum("tna,tnb->nab", c, f)}
    return {"after": c.sum(axis=0), "before": f.sum(axis=0)} | products


def _newton(*, after: np.ndarray, outer: np.ndarray, **_: Any) -> np.ndarray:
    """cov(S', S')^-1 <S'>, the step that makes <S'> vanish."""
    return stability_matrix(outer - np.outer(after, after), after[:, None])[:, 0]


def _judged(
    bias: np.ndarray,
    parts: dict[str, np.ndarray],
    sweeps: int,
    operators: Sequence[SpinOperator],
    history: np.ndarray,
) -> RenormalisedCouplings:
    even = [i for i, operator in enumerate(operators) if not operator.odd]

    def both(after: np.ndarray, before: np.ndarray, outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
        couplings = _newton(after=after, outer=outer) - bias
        if not even:
            return np.append(couplings, np.nan)
        chosen = np.ix_(even, even)
        covariances = (outer - np.outer(after, after))[chosen], (inner - np.outer(after, before))[chosen]
        return np.append(couplings, np.abs(np.linalg.eigvals(stability_matrix(*covariances))).max())

    found = delete_one(both, parts, np.full(len(parts["after"]), sweeps))
    value, error = np.asarray(found.value), np.asarray(found.error)
    names = tuple(operator.name for operator in operators)
    moved = np.abs(value[:-1] + bias)
    flags = ()
    if np.any(moved > _STILL + 5 * error[:-1]):
        flags = (
            f"the last correction moves a coupling by {moved.max():.2g}: the iterations had not ended, and "
            "the couplings are wrong by more than their errors. Take more iterations, or longer ones.",
        )
    return RenormalisedCouplings(
        names, value[:-1], error[:-1], float(value[-1]), float(error[-1]), history, flags
    )

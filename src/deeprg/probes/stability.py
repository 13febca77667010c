"""Monte Carlo RG: Swendsen's stability matrix of a coarse-graining of spins, and its exponents."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from deeprg.coarsegrain import AbstractCoarseGraining, coarsen_batches, ensemble_size
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.lattice import Lattice
from deeprg.montecarlo.jackknife import block_sums, delete_one
from deeprg.probes.spin_operators import SpinOperator, measure_operators, spin_operators
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["Stability", "exact_stability", "monte_carlo_rg", "most_steps", "stability_matrix"]

_WORST = 1e12  # condition number of ⟨S' S'⟩ beyond which the solution is noise
_MOST_COARSE = 12
_BATCH = 4096


@dataclass(frozen=True)
class Stability:
    """The exponents of one step and parity, from the first 1, 2, ... operators.

    fine, coarse: the lattices before and after the step; scale: b, by which lengths shrink.
    operators: names, in the order in which they are taken.
    eigenvalues: of T with 1, 2, ... operators, the largest and the second, [operators, 2].
    exponents: y = ln(eigenvalue)/ln b, [operators, 2].
    eigenvalue_errors, errors: their jackknife errors, 0 where averages are exact.
    matrix: T[a, b] = dK'_a/dK_b of all operators.

    NaN stands where there is no second eigenvalue, where two form a complex pair, and for the exponent of an
    eigenvalue that is not positive.
    """

    fine: Lattice
    coarse: Lattice
    odd: bool
    scale: float
    operators: tuple[str, ...]
    eigenvalues: np.ndarray
    eigenvalue_errors: np.ndarray
    exponents: np.ndarray
    errors: np.ndarray
    matrix: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain: dict[str, Any] = {"fine": str(self.fine), "coarse": str(self.coarse)}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            plain.setdefault(name, value.tolist() if isinstance(value, np.ndarray) else value)
        return plain


def stability_matrix(
    outer: Float[np.ndarray, "a a"], inner: Float[np.ndarray, "a b"]
) -> Float[np.ndarray, "a b"]:
    """T = A^-1 B, T[a, b] = dK'_a/dK_b, from A = ⟨S' S'⟩ - ⟨S'⟩⟨S'⟩ and B = ⟨S' S⟩ - ⟨S'⟩⟨S⟩.

    R. H. Swendsen, Phys. Rev. Lett. 42, 859 (1979). Raises `NumericalError` when A is singular: an operator
    does not fluctuate on the coarse lattice, or some are linear combinations of others there.

    >>> stability_matrix(np.eye(2), 2 * np.eye(2)).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    variance = np.diag(outer)
    if not np.all(variance > 0):
        raise NumericalError(
            f"The stability matrix is singular: operator {int(np.argmin(variance))} does not fluctuate on "
            "the coarse lattice. Take fewer operators or steps."
        )
    scale = np.sqrt(variance)
    correlation = outer / np.outer(scale, scale)
    if np.linalg.cond(correlation) > _WORST:
        raise NumericalError(
            "The stability matrix is singular: on the coarse lattice some operators are linear combinations "
            "of the others. Take fewer operators, fewer steps or a larger lattice."
        )
    return np.linalg.solve(correlation, inner / scale[:, None]) / scale[:, None]


def monte_carlo_rg(
    rule: Callable[[Lattice], AbstractCoarseGraining],
    lattice: Lattice,
    configurations: Any,
    *,
    steps: int,
    key: PRNGKeyArray,
    even: int = 4,
    odd: int = 3,
    blocks: int = 50,
    temperature: int | None = None,
) -> list[Stability]:
    """Exponents of every step, first of the even operators, then of the odd ones, with jackknife errors.

    Args:
        rule: makes the coarse-graining that starts on a lattice; each step takes what the one before left.
        lattice: of the configurations.
        configurations: spins [(chains,) draws, *lattice], or an ensemble on disk, of a model without a field.
        steps: how often the rule is applied.
        key: of the rule's randomness.
        even, odd: how many operators of each parity, see `spin_operators`; 0 leaves the parity out.
        blocks: of the jackknife.
        temperature: which one of an ensemble on disk, by its number.

    The sign of all coarse spins is a convention, of which a learned rule knows nothing: they are turned where
    their sum and that of the fine ones are anticorrelated.

    Raises:
        UsageError: coarse variables that are no spins, operators that a lattice cannot hold, fewer than 10
            blocks or 2 samples a block.
        NumericalError: a singular stability matrix.

    Independent spins stay so when some are forgotten, and a field on the others stays what it is.

    >>> from deeprg.coarsegrain import Decimation
    >>> spins = np.random.default_rng(0).choice((-1.0, 1.0), size=(4000, 8, 8))
    >>> even, odd = monte_carlo_rg(Decimation, Lattice((8, 8)), spins, steps=1, key=jax.random.key(0))
    >>> odd.operators[0], bool(abs(odd.eigenvalues[0, 0] - 1) < 4 * odd.eigenvalue_errors[0, 0])
    ('s', True)
    """
    if steps < 1:
        raise UsageError(f"steps = {steps}: a rule is applied at least once.")
    found: list[Stability] = []
    before: np.ndarray | None = None
    for number in range(steps):
        link, own = rule(lattice), jax.random.fold_in(key, number)
        operators = spin_operators(link.coarse, even=even, odd=odd)
        before, after, configurations = _step(
            link, operators, configurations, before, key=own, temperature=temperature
        )
        parities = _parities(operators)
        odds = parities.get(True)
        if odds and np.cov(before[..., odds[0]].ravel(), after[..., odds[0]].ravel())[0, 1] < 0:
            after[..., odds], configurations = -after[..., odds], -configurations
        scale = lattice.shape[0] / link.coarse.shape[0]
        for parity, chosen in parities.items():
            names = tuple(operators[i].name for i in chosen)
            parts = _sampled(before[..., chosen], after[..., chosen], scale, blocks)
            found.append(Stability(lattice, link.coarse, parity, scale, names, *parts))
        before, lattice, temperature = after, link.coarse, None
    return found


def most_steps(
    rule: Callable[[Lattice], AbstractCoarseGraining], lattice: Lattice, *, smallest: int = 4
) -> int:
    """How often a rule applies until fewer than `smallest` sites would be left along an axis; once at least.

    It ends earlier where the rule does not fit.

    >>> from deeprg.coarsegrain import Decimation
    >>> most_steps(Decimation, Lattice((32, 32)))
    3
    """
    count = 0
    while True:
        try:
            lattice = rule(lattice).coarse
        except UsageError:
            break
        if min(lattice.shape) < smallest:
            break
        count += 1
    return max(count, 1)


def exact_stability(
    hamiltonian: AbstractHamiltonian, rule: AbstractCoarseGraining, *, even: int = 1, odd: int = 1
) -> list[Stability]:
    """Exponents of one step with exact averages over all states, even operators first.

    Sums over the fine states and, by `rule.log_prob`, over the coarse ones, so that rules may draw at random.
    Raises `UsageError` for a rule without `log_prob`, more than 2^12 coarse or 2^20 fine states.

    >>> from deeprg.coarsegrain import Majority
    >>> from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
    >>> square = Ising(Lattice((4, 4)), temperature=CRITICAL_TEMPERATURE)
    >>> even, odd = exact_stability(square, Majority(square.lattice, ties="random"))
    >>> print(f"{even.eigenvalues[0, 0]:.10f} {odd.eigenvalues[0, 0]:.10f}")
    1.8275004465 3.6539967991
    """
    if not hasattr(rule, "log_prob"):
        raise UsageError(f"A {type(rule).__name__} has no ln p(coarse | fine); use sampled configurations.")
    if rule.coarse.size > _MOST_COARSE:
        raise UsageError(
            f"{rule.coarse} has 2^{rule.coarse.size} states; at most 2^{_MOST_COARSE} are summed."
        )
    operators = spin_operators(rule.coarse, even=even, odd=odd)
    law = enumerate_distribution(hamiltonian)
    coarse = np.array(list(itertools.product((1.0, -1.0), repeat=rule.coarse.size)))
    coarse = coarse.reshape(-1, *rule.coarse.shape)
    fine_s = measure_operators(operators, law.states, rule.fine)
    coarse_s = measure_operators(operators, coarse, rule.coarse)
    joint = law.probabilities[:, None] * _transition(rule, law.states, coarse)
    weights = joint.sum(axis=0)
    parities = _parities(operators)
    odds = parities.get(True)
    if odds and coarse_s[:, odds[0]] @ joint.T @ fine_s[:, odds[0]] < 0:
        coarse_s[:, odds] *= -1
    means = {"after": weights @ coarse_s, "before": law.probabilities @ fine_s}
    means["outer"] = np.einsum("k,ka,kb->ab", weights, coarse_s, coarse_s)
    means["inner"] = np.einsum("nk,ka,nb->ab", joint, coarse_s, fine_s, optimize=True)
    scale = rule.fine.shape[0] / rule.coarse.shape[0]
    found = []
    for parity, chosen in parities.items():
        part = {
            name: value[chosen] if value.ndim == 1 else value[np.ix_(chosen, chosen)]
            for name, value in means.items()
        }
        values = _eigenvalues(**part)
        zeros = np.zeros_like(values)
        names = tuple(operators[i].name for i in chosen)
        parts = (values, zeros, _log(values, scale), zeros, _matrix(**part))
        found.append(Stability(rule.fine, rule.coarse, parity, scale, names, *parts))
    return found


def _parities(operators: tuple[SpinOperator, ...]) -> dict[bool, list[int]]:
    """The numbers of the even (False) and of the odd operators, of those parities that there are."""
    found = {odd: [i for i, one in enumerate(operators) if one.odd is odd] for odd in (False, True)}
    return {odd: chosen for odd, chosen in found.items() if chosen}


def _step(
    link: AbstractCoarseGraining,
    operators: tuple[SpinOperator, ...],
    configurations: Any,
    before: np.ndarray | None,
    *,
    key: PRNGKeyArray,
    temperature: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Operators before and after a step, [chains, draws, operators], and the coarse spins."""
    lead = ensemble_size(link, configurations, temperature)
    coarse = np.empty((*lead, *link.coarse.shape), np.int8)
    after = np.empty((*lead, len(operators)))
    measured = np.empty_like(after) if before is None else before
    for part in coarsen_batches(link, configurations, key=key, temperature=temperature, batch=_BATCH):
        rows = np.unravel_index(part.index, lead)
        after[rows] = measure_operators(operators, part.coarse, link.coarse)
        coarse[rows] = part.coarse
        if before is None:
            measured[rows] = measure_operators(operators, part.fine, link.fine)
    return measured, after, coarse


def _sampled(before: np.ndarray, after: np.ndarray, scale: float, blocks: int) -> tuple[np.ndarray, ...]:
    """Eigenvalues, exponents and their errors, and the matrix, from series [chains, draws, operators]."""
    series = {
        "before": before,
        "after": after,
        "outer": after[..., :, None] * after[..., None, :],
        "inner": after[..., :, None] * before[..., None, :],
    }
    sums = {name: block_sums(list(values), blocks) for name, values in series.items()}
    counts = next(iter(sums.values()))[1]
    parts = {name: part for name, (part, _) in sums.items()}

    def both(**means: np.ndarray) -> np.ndarray:
        values = _eigenvalues(**means)
        return np.stack([values, _log(values, scale)])

    found = delete_one(both, parts, counts)
    (values, exponents), (value_errors, errors) = found.value, found.error
    matrix = _matrix(**{name: part.sum(axis=0) / counts.sum() for name, part in parts.items()})
    return values, value_errors, exponents, errors, matrix


def _matrix(*, before: np.ndarray, after: np.ndarray, outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    return stability_matrix(outer - np.outer(after, after), inner - np.outer(after, before))


def _eigenvalues(
    *, before: np.ndarray, after: np.ndarray, outer: np.ndarray, inner: np.ndarray
) -> np.ndarray:
    """The largest and the second eigenvalue of T with the first 1, 2, ... operators, [operators, 2]."""
    found = np.full((len(after), 2), math.nan)
    for n in range(1, len(after) + 1):
        matrix = _matrix(before=before[:n], after=after[:n], outer=outer[:n, :n], inner=inner[:n, :n])
        values = sorted(np.linalg.eigvals(matrix), key=lambda value: -value.real)[:2]
        for number, value in enumerate(values):
            if np.isreal(value):
                found[n - 1, number] = value.real
    return found


def _log(values: np.ndarray, scale: float) -> np.ndarray:
    positive = values > 0
    return np.log(values, where=positive, out=np.full_like(values, math.nan)) / math.log(scale)


def _transition(rule: Any, fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """p(coarse | fine) of all pairs, [fine, coarse]."""
    with jax.enable_x64(True):
        one = jax.jit(jax.vmap(lambda x: jax.vmap(lambda c: rule.log_prob(c, x))(jnp.asarray(coarse))))
        return np.exp(
            np.concatenate(
                [np.asarray(one(jnp.asarray(part, jnp.float64))) for part in np.array_split(fine, 64)]
            )
        )

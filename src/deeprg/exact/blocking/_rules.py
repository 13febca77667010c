"""Rules P(coarse spin | block): decimation, majority, soft (RBM-like) and any table or function."""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from ...runs.errors import UsageError
from ..couplings._checks import real_numbers
from ._states import spin_table

__all__ = ["Decimation", "Majority", "Rule", "Soft", "UserRule", "rule_tables"]

_TIES = ("random", "first", "last", "plus", "minus")
_TOLERANCE = 1e-12


class Rule(abc.ABC):
    """A coarse spin x = ±1 drawn from the spins of its block."""

    @abc.abstractmethod
    def plus(self, block: np.ndarray) -> np.ndarray:
        """P(x = +1 | Y) of blocks `block` [..., b] with entries ±1, [...]."""

    def probability(self, coarse: int, block: np.ndarray) -> np.ndarray:
        """P(x = coarse | Y) of blocks [..., b] with entries ±1, [...]; `coarse` is +1 or -1.

        >>> Majority().probability(1, np.array([[1, 1, -1], [-1, -1, 1]])).tolist()
        [1.0, 0.0]
        """
        if coarse not in (1, -1):
            raise UsageError(f"A coarse spin is +1 or -1, not {coarse}.")
        plus = self.plus(np.asarray(block, np.float64))
        return plus if coarse == 1 else np.asarray(1.0 - plus)

    def table(self, size: int) -> np.ndarray:
        """P(x | Y) of all states of a block of b spins, [2^b, 2]; column 0 is x = +1, column 1 x = -1.

        Bit i of the row is set where spin i of the block is -1.

        >>> Decimation(0).table(2).astype(int).tolist()
        [[1, 0], [0, 1], [1, 0], [0, 1]]
        """
        plus = self.plus(spin_table(size))
        return np.stack([plus, 1.0 - plus], axis=1)


@dataclass(frozen=True)
class Decimation(Rule):
    """The coarse spin is one spin of the block: P(x | Y) = 1 if x = Y[site].

    Raises `UsageError` when the block has no such spin.

    >>> Decimation(1).probability(1, np.array([-1, 1])).item()
    1.0
    """

    site: int = 0

    def plus(self, block: np.ndarray) -> np.ndarray:
        """1 where the kept spin is +1."""
        if not 0 <= self.site < block.shape[-1]:
            raise UsageError(
                f"Decimation keeps spin {self.site}, but the block has the spins 0 ... {block.shape[-1] - 1}."
            )
        return np.asarray(block[..., self.site] > 0, np.float64)


@dataclass(frozen=True)
class Majority(Rule):
    """The coarse spin is the sign of the block's sum.

    A block of even size can tie, and the rule must then say what happens: `ties="random"` takes each sign
    with probability 1/2, "first" and "last" that spin of the block, "plus" and "minus" a fixed sign. The
    last two break the symmetry under a flip of all spins.

    Raises `UsageError` for an unknown tie rule, and for a block of even size without one.

    >>> Majority(ties="random").table(2)[:, 0].tolist()
    [1.0, 0.5, 0.5, 0.0]
    """

    ties: str | None = None

    def __post_init__(self):
        if self.ties is not None and self.ties not in _TIES:
            raise UsageError(f"Ties are broken by {', '.join(_TIES)}, not '{self.ties}'.")

    def plus(self, block: np.ndarray) -> np.ndarray:
        """1, the value of a tie, or 0."""
        total = np.asarray(block.sum(axis=-1))
        if self.ties is None:
            if block.shape[-1] % 2 == 0:
                raise UsageError(
                    f"A block of {block.shape[-1]} spins can tie, and the rule does not say how. "
                    f"Choose Majority(ties=...) from {', '.join(_TIES)}."
                )
            return np.asarray(total > 0, np.float64)
        tie = {
            "random": np.full(total.shape, 0.5),
            "first": block[..., 0] > 0,
            "last": block[..., -1] > 0,
            "plus": np.ones(total.shape),
            "minus": np.zeros(total.shape),
        }[self.ties]
        return np.asarray(np.where(total == 0, tie, total > 0), np.float64)


@dataclass(frozen=True)
class Soft(Rule):
    """The conditional of an RBM's hidden spin, P(x | Y) = 1/(1 + exp(-2 x sum_i lambda_i v_i)).

    weights (large, 0): decimation; (large, large): majority with random ties (arXiv:1809.09632).

    Raises `UsageError` for weights that are not finite, or of another number than the block's spins.

    >>> Soft((1.0, 0.0)).table(2)[:, 0].round(6).tolist()
    [0.880797, 0.119203, 0.880797, 0.119203]
    """

    weights: Sequence[float | int] | np.ndarray

    def __post_init__(self):
        weights = real_numbers("weights", self.weights)
        if weights.ndim != 1 or weights.size == 0 or not np.isfinite(weights).all():
            raise UsageError(f"A soft rule needs one finite weight per spin, not {self.weights}.")
        object.__setattr__(self, "weights", tuple(weights.tolist()))

    def plus(self, block: np.ndarray) -> np.ndarray:
        """The logistic function of twice the weighted sum."""
        return np.asarray(expit(self._exponent(block)))

    def table(self, size: int) -> np.ndarray:
        """P(x | Y), [2^b, 2], small probabilities to full relative accuracy."""
        exponent = self._exponent(spin_table(size))
        return np.stack([expit(exponent), expit(-exponent)], axis=1)

    def _exponent(self, block: np.ndarray) -> np.ndarray:
        weights = np.asarray(self.weights, np.float64)
        if weights.shape != (block.shape[-1],):
            raise UsageError(
                f"The soft rule has {weights.size} weights, but the block has {block.shape[-1]} spins."
            )
        return np.asarray(2.0 * (block @ weights))


@dataclass(frozen=True, eq=False)
class UserRule(Rule):
    """Any rule: a table [2^b, 2] as `Rule.table` describes, or a function of the spins [..., b].

    The function returns P(x = +1 | Y) [...] or both probabilities [..., 2], +1 first. Raises `UsageError`
    when it is neither, when the numbers are no probabilities, do not sum to 1 to 1e-12, or a table fits
    another block.

    >>> rule = UserRule(lambda spins: 0.5 + 0.2 * spins[..., 0] + 0.1 * spins[..., 1])
    >>> rule.table(2)[:, 0].round(6).tolist()
    [0.8, 0.4, 0.6, 0.2]
    """

    rule: np.ndarray | Callable[[np.ndarray], np.ndarray]

    def __post_init__(self):
        if callable(self.rule):
            return
        table = real_numbers("The table of a rule", self.rule)
        if table.ndim != 2 or table.shape[1] != 2 or table.shape[0].bit_count() != 1:
            raise UsageError(
                f"A rule is a function of the spins, or a table P(x | Y) [2^b, 2], not {table.shape}."
            )

    def plus(self, block: np.ndarray) -> np.ndarray:
        """Column 0 of the table at the blocks' rows."""
        size = block.shape[-1]
        rows = ((block < 0) * (1 << np.arange(size))).sum(axis=-1)  # bit i: spin i is -1
        return np.asarray(self.table(size)[rows, 0])

    def table(self, size: int) -> np.ndarray:
        """The checked table P(x | Y), [2^b, 2]."""
        if callable(self.rule):
            values = np.asarray(self.rule(spin_table(size)), np.float64)
            if values.shape == (1 << size,):
                values = np.stack([values, 1.0 - values], axis=1)
        else:
            values = np.asarray(self.rule, np.float64)
        if values.shape != (1 << size, 2):
            raise UsageError(
                f"A rule for blocks of {size} spins needs P(x | Y) of shape {(1 << size, 2)} "
                f"(x = +1 first), but the shape is {values.shape}."
            )
        bad = ~np.isfinite(values).all(axis=1) | (values < 0).any(axis=1)
        bad |= ~(np.abs(values.sum(axis=1) - 1.0) <= _TOLERANCE)
        if bad.any():
            row = int(np.argmax(bad))
            block = spin_table(size)[row].astype(int).tolist()
            raise UsageError(
                f"The rule is not normalised: P(x | Y) must be >= 0 and sum to 1 over x = ±1, but for "
                f"the block {block} it is {values[row].tolist()}. Divide each row by its sum."
            )
        return values


def rule_tables(rule: Rule | Sequence[Rule], sizes: Sequence[int]) -> list[np.ndarray]:
    """The table of every block, for one rule or one rule per block.

    Raises `UsageError` for another number of rules than blocks, and for a rule that never gives one of the
    signs: the coarse action would be infinite.

    >>> [table.shape for table in rule_tables(Majority(ties="first"), [2, 3])]
    [(4, 2), (8, 2)]
    """
    listed = [rule] * len(sizes) if isinstance(rule, Rule | str) else rule
    rules: list[Any] = list(listed)
    for one in rules:
        if not isinstance(one, Rule):
            raise UsageError(
                f"{one!r} is no rule; take Decimation(), Majority(ties=...), Soft(weights) or UserRule(...)."
            )
    if len(rules) != len(sizes):
        raise UsageError(
            f"There are {len(sizes)} blocks, but {len(rules)} rules; give one, or one per block."
        )
    tables = []
    for index, (one, size) in enumerate(zip(rules, sizes, strict=True)):
        table = one.table(size)
        never = np.flatnonzero(table.max(axis=0) == 0)
        if never.size:
            raise UsageError(
                f"The rule of block {index} never gives x = {1 - 2 * int(never[0]):+d}, so that the coarse "
                "action is infinite there; use a rule that reaches both signs."
            )
        tables.append(table)
    return tables

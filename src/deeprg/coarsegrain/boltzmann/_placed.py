"""Hidden units put on the sites of a lattice: a machine's layer that any probe of block spins can read."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import ArrayLike

from ...lattice import Lattice
from ...runs.errors import UsageError
from .._base import AbstractCoarseGraining
from ._unit import AbstractUnit

__all__ = ["PlacedUnits"]


class PlacedUnits(AbstractCoarseGraining):
    """The coarse variables of `rule` in another order, on the sites of `places`, each with a sign.

    Site I has s_I h_(order(I)), the sign because h -> -h with its weights is a symmetry of a machine. Values
    are decoded by `unit` first, bits to spins ±1, where it is given. Order and sign come from
    `deeprg.probes.place_units`, or from knowing better.

    Raises `UsageError` unless `order` is a permutation of the coarse variables, one for each site of
    `places`, and the signs are ±1.

    >>> import jax
    >>> from deeprg.coarsegrain import Decimation
    >>> turned = PlacedUnits(Decimation(Lattice((6,))), Lattice((3,)), order=[2, 1, 0], sign=[1, 1, -1])
    >>> turned.coarsen(jnp.arange(6.0), key=jax.random.key(0)).tolist()
    [4.0, 2.0, -0.0]
    """

    rule: AbstractCoarseGraining
    places: Lattice = eqx.field(static=True)
    order: np.ndarray
    sign: np.ndarray
    unit: AbstractUnit | None = eqx.field(static=True)

    def __init__(
        self,
        rule: AbstractCoarseGraining,
        places: Lattice,
        *,
        order: ArrayLike,
        sign: ArrayLike | None = None,
        unit: AbstractUnit | None = None,
    ):
        self.rule, self.places, self.unit = rule, places, unit
        self.order = np.asarray(order, np.int32).reshape(-1)
        self.sign = np.ones(len(self.order)) if sign is None else np.asarray(sign, np.float64).reshape(-1)
        count = rule.coarse.size
        if places.size != count or not np.array_equal(np.sort(self.order), np.arange(count)):
            raise UsageError(
                f"order must say which of the {count} coarse variables sits on each of the {places.size} "
                f"sites of {places}, each once."
            )
        if self.sign.shape != self.order.shape or not np.all(np.abs(self.sign) == 1):
            raise UsageError("sign must be +1 or -1 for every site.")

    @property
    def fine(self) -> Lattice:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The lattice of the rule's input."""
        return self.rule.fine

    @property
    def coarse(self) -> Lattice:
        """Where the coarse variables are put."""
        return self.places

    @property
    def deterministic(self) -> bool:
        """Whether the rule is."""
        return self.rule.deterministic

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """A draw of the rule, rearranged."""
        return self._placed(self.rule.coarsen(x, key=key))

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """E[coarse | fine] of the rule, rearranged; `UsageError` for a rule without."""
        if not hasattr(self.rule, "mean"):
            raise UsageError(f"A {type(self.rule).__name__} has no mean, so neither has it rearranged.")
        return self._placed(self.rule.mean(x))  # pyright: ignore[reportAttributeAccessIssue]

    def check(self, x: np.ndarray) -> None:
        """What the rule checks."""
        if hasattr(self.rule, "check"):
            self.rule.check(x)  # pyright: ignore[reportAttributeAccessIssue]

    def _placed(self, coarse: Array) -> Array:
        values = coarse.reshape(-1)
        if self.unit is not None:
            values = self.unit.decode(values)
        placed = values[self.order] * jnp.asarray(self.sign, values.dtype)
        return placed.reshape(self.places.shape)

"""One information with its error, what it cannot exceed, and the reasons not to trust it."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from deeprg.montecarlo._summary import json_ready
from deeprg.runs.errors import UsageError

__all__ = ["InformationEstimate"]

_ERRORS = 3.0


@dataclass(frozen=True)
class InformationEstimate:
    """An information, or an entropy, in nats, with its standard error.

    value: with the estimator's bias correction, so that it can be slightly negative.
    error: statistical only; a bias is not in it.
    n: number of samples.
    method: the estimator in words.
    bound: what the true value cannot exceed, by data processing or as an entropy; None where unknown.
    flags: one sentence for every reason why the number cannot be trusted; empty when there is none.

    >>> found = InformationEstimate(0.5, 0.01, 1000, "plug-in").checked(0.4)
    >>> found.exceeds_bound, len(found.flags)
    (True, 1)
    """

    value: float
    error: float
    n: int
    method: str
    bound: float | None = None
    flags: list[str] = field(default_factory=list)

    @property
    def exceeds_bound(self) -> bool:
        """Whether value - bound > 3 error; False without a bound."""
        return self.bound is not None and self.value - self.bound > _ERRORS * self.error

    def checked(self, bound: float) -> "InformationEstimate":
        """A copy with this bound, and with a flag when the value exceeds it by more than 3 errors.

        Raises `UsageError` for a bound that is NaN.
        """
        if math.isnan(bound):
            raise UsageError("The bound is NaN; give a number of nats, or leave the estimate unchecked.")
        found = dataclasses.replace(self, bound=float(bound), flags=list(self.flags))
        if found.exceeds_bound:
            found.flags.append(
                f"The value {self.value:.4g} +- {self.error:.2g} exceeds its upper bound {bound:.4g}."
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return json_ready(self)

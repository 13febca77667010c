"""One average with its error: the row of every table of results."""

import math
from dataclasses import dataclass
from typing import Any

from deeprg.montecarlo.autocorrelation import GammaEstimate

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """One average with its standard error, the exact value where known, and the pull (value - exact)/error.

    `tau_int` (Γ-method, 0.5 is independent) with its error and `short` (chain shorter than 50 tau_int, so
    that the error may be too small) come from chains; `n` is the number of samples. A quantity that its
    samples do not define, such as the correlation length of a constant, has the value NaN.

    >>> Estimate(1.0, 0.125, exact=0.75).pull
    2.0
    """

    value: float
    error: float
    exact: float | None = None
    tau_int: float | None = None
    short: bool = False
    tau_int_error: float | None = None
    n: int | None = None

    @classmethod
    def from_gamma(cls, found: GammaEstimate, exact: float | None = None) -> "Estimate":
        """The row that a result of `gamma_method` or `gamma_derived` makes."""
        return cls(
            value=found.mean,
            error=found.error,
            exact=exact,
            tau_int=found.tau_int,
            short=found.short,
            tau_int_error=found.tau_int_error,
            n=found.n,
        )

    @property
    def pull(self) -> float | None:
        """(value - exact)/error; None without an exact value or without an error."""
        if self.exact is None or not self.error > 0 or not math.isfinite(self.error):
            return None
        return (self.value - self.exact) / self.error

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, NaN and infinities as None; the fields of chains only where there was one."""
        row: dict[str, Any] = {
            "value": self.value,
            "error": self.error,
            "exact": self.exact,
            "pull": self.pull,
        }
        if self.tau_int is not None:
            row |= {"tau_int": self.tau_int, "short": self.short}
        row |= {k: v for k in ("tau_int_error", "n") if (v := getattr(self, k)) is not None}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}

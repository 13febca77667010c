"""What a real-space scheme is: couplings in, couplings out, and how much the length shrinks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...runs.errors import UsageError

__all__ = ["LARGEST", "Scheme"]

LARGEST = 1e6  # couplings beyond it are at zero temperature


@dataclass(frozen=True, eq=False)
class Scheme:
    """One renormalization scheme of a nearest-neighbour model, K -> K' with the length divided by `scale`.

    Couplings are those of the action exponent (weight exp(+K sum s s')), so K > 0 orders. `recursion` maps
    the vector [n] of the `couplings` to the next one, NumPy to NumPy and JAX to JAX (autodiff gives the
    Jacobian); `scheme(K)` checks the vector first.

    - `scale`: b, and `dimension`: d of the lattice `lattice`. `order`: that of the expansion, None where
      there is none; `orders` those that exist.
    - `magnetic`: couplings -> dh'/dh at h = 0, or None; `field_note` says why not, or what to mind.
    - `constant`: couplings -> what one step adds to ln Z per site of the lattice before the step, or None.
    - `cold`: the recursion in w = exp(-2K), for a scheme whose fixed point is K = infinity.
    - `exact`: critical_coupling and exponents (`known_values`) of the infinite lattice, where known.
      `log_partition`: K -> the exact ln Z per site, or None.

    >>> from deeprg.exact.schemes import SCHEMES
    >>> scheme = SCHEMES["wilson"]
    >>> scheme.couplings, round(scheme.scale, 4), scheme([0.4, 0.0]).round(3)
    (('K', 'L'), 1.4142, array([0.32, 0.16]))
    """

    name: str
    title: str
    couplings: tuple[str, ...]
    scale: float
    dimension: float
    lattice: str
    recursion: Callable[[Any], Any]
    formula: str
    source: str
    order: int | None = None
    orders: tuple[int, ...] = ()
    magnetic: Callable[[Any], Any] | None = None
    field_note: str = ""
    constant: Callable[[Any], Any] | None = None
    cold: Callable[[Any], Any] | None = None
    exact: Mapping[str, float] = field(default_factory=dict)
    log_partition: Callable[[float], float] | None = None

    def __call__(self, couplings: Any) -> Any:
        """One step, [n] -> [n]; a vector of the wrong length is a `UsageError`."""
        return self.recursion(self.vector(couplings))

    def vector(self, couplings: Any) -> np.ndarray:
        """The couplings as a float64 vector [n] of sizes up to 1e6; a number serves a scheme of one coupling.

        >>> from deeprg.exact.schemes import SCHEMES
        >>> SCHEMES["migdal-kadanoff"].vector(0.3)
        array([0.3])
        """
        try:
            vector = np.atleast_1d(np.asarray(couplings, np.float64))
        except (TypeError, ValueError):
            raise UsageError(f"Couplings are real numbers, not {couplings!r}.") from None
        if vector.shape != (len(self.couplings),):
            raise UsageError(
                f"The scheme '{self.name}' has {_count(self)}, but {vector.size} "
                f"{'was' if vector.size == 1 else 'were'} given. Give {','.join(self.couplings)}."
            )
        if not np.isfinite(vector).all():
            raise UsageError(f"The couplings {vector.tolist()} are not all finite; give real numbers.")
        if np.abs(vector).max() > LARGEST:
            raise UsageError(
                f"The couplings {vector.tolist()} are beyond {LARGEST:g}, which is T = 0; give smaller ones."
            )
        return vector


def _count(scheme: Scheme) -> str:
    names = ", ".join(scheme.couplings)
    return (
        f"one coupling ({names})"
        if len(scheme.couplings) == 1
        else f"{len(scheme.couplings)} couplings ({names})"
    )

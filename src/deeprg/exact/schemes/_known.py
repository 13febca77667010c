"""What is exactly known of the models that the schemes approximate."""

import functools
import itertools
import math

from scipy.integrate import quad

from ...hamiltonians import Ising, Potts, critical_point
from ...lattice import Lattice
from ...runs.errors import UsageError
from .._onsager import onsager

__all__ = ["chain_log_partition", "known_values", "square_log_partition", "triangular_log_partition"]


def known_values(lattice: str, states: int = 2) -> dict[str, float]:
    """critical_coupling, y_t, nu, y_h, eta, alpha and beta of a nearest-neighbour model; empty where unknown.

    `lattice` is "chain", "square", "triangular" or "cubic"; `states` above 2 means Potts with the action
    exponent K sum delta(s, s'), 2 the Ising model with K sum s s'. The chain orders at T = 0 only, where
    exp(-2K) is the scaling field with y_t = 1.

    >>> known = known_values("triangular")
    >>> round(known["critical_coupling"], 5), known["y_h"]
    (0.27465, 1.875)
    """
    if lattice == "chain":
        exponents = {"y_t": 1.0, "nu": 1.0, "y_h": 1.0, "eta": 1.0, "alpha": 1.0, "beta": 0.0}
        return {"critical_coupling": math.inf, **exponents}
    if lattice == "triangular":
        point = critical_point(Ising.triangular(Lattice((6, 6)), temperature=1.0))
    elif lattice in ("square", "cubic"):
        shape = Lattice((4,) * (2 if lattice == "square" else 3))
        model = Ising(shape, 1.0) if states == 2 else Potts(shape, temperature=1.0, states=states)
        point = critical_point(model)
    else:
        return {}
    if point is None:
        return {}
    values = {"critical_coupling": 1 / point.value}
    if point.exponents:
        names = {"y_t": "y_T", "nu": "nu", "y_h": "y_H", "eta": "eta"}
        values |= {name: point.exponents[key] for name, key in names.items()}
        d = 3 if lattice == "cubic" else 2
        values |= {"alpha": 2 - d * values["nu"], "beta": point.exponents["beta"]}
    return values


def chain_log_partition(coupling: float) -> float:
    """ln Z per site of the infinite chain, ln(2 cosh K).

    >>> round(chain_log_partition(1.0), 9)
    1.126928011
    """
    return abs(coupling) + math.log1p(math.exp(-2 * abs(coupling)))


def square_log_partition(coupling: float) -> float:
    """ln Z per site of the infinite square lattice (Onsager); an even function of K.

    >>> round(square_log_partition(0.4), 9)
    0.879363821
    """
    return math.log(2) if coupling == 0 else -onsager(1 / abs(coupling)).free_energy_per_site


@functools.lru_cache(maxsize=256)
def triangular_log_partition(coupling: float) -> float:
    """ln Z per site of the infinite triangular Ising lattice.

    ln Z/N = ln 2 + 1/2 int int dp dq/(2 pi)^2 ln[C^3 + S^3 - S (cos p + cos q + cos(p + q))], C = cosh 2K,
    S = sinh 2K (R. M. F. Houtappel, Physica 16, 425 (1950)); one integral is done in closed form, the other
    by quadrature to about 1e-12. Raises `UsageError` for K < 0, which is frustrated.

    >>> round(triangular_log_partition(0.25), 9)
    0.837174541
    """
    if not coupling >= 0:
        raise UsageError(f"The coupling must not be negative, but K = {coupling}.")
    if coupling == 0:
        return math.log(2)
    # everything divided by exp(6K); with u = cos(p/2) the inner integral has the range A ± B
    shrink = math.exp(-4 * coupling)
    whole, slope = (1 + 3 * shrink**2) / 4, (shrink - shrink**2) / 2

    def integrand(angle: float) -> float:
        half = math.cos(angle / 2)
        base, reach = whole - slope * (2 * half * half - 1), 2 * slope * half
        gap = max((base - reach) * (base + reach), 0.0)
        return math.log((base + math.sqrt(gap)) / 2)

    points = (0.0, 1e-4, 1e-2, 0.3, math.pi)
    integral = sum(
        quad(integrand, a, b, epsabs=1e-14, epsrel=1e-13, limit=200)[0] for a, b in itertools.pairwise(points)
    )
    return math.log(2) + 3 * coupling + integral / (2 * math.pi)

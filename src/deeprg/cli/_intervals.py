"""An option of a Hamiltonian that is an interval, LOW:HIGH: what a conditioned flow is trained for."""

from collections.abc import Mapping
from typing import Any

from deeprg.hamiltonians import HAMILTONIANS, HamiltonianFamily
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

__all__ = ["family_of", "interval_of", "parse_interval"]


def parse_interval(value: Any) -> tuple[float, float] | None:
    """The ends of 'LOW:HIGH'; None for what has no colon. Raises `UsageError` for other texts with one.

    >>> parse_interval("1.8:3.0"), parse_interval("critical"), parse_interval(2.5)
    ((1.8, 3.0), None, None)
    """
    if not isinstance(value, str) or ":" not in value:
        return None
    try:
        low, high = (float(part) for part in value.split(":"))
    except ValueError:
        raise UsageError(f"'{value}' is no interval: write LOW:HIGH, such as 1.8:3.0.") from None
    return low, high


def interval_of(hamiltonian: Mapping[str, Any]) -> str | None:
    """The name of the option that is an interval, None when there is none; `UsageError` for two.

    >>> interval_of({"name": "ising", "temperature": "1.8:3.0", "shift": 0.1})
    'temperature'
    """
    names = [name for name, value in hamiltonian.items() if name != "shape" and parse_interval(value)]
    if len(names) > 1:
        raise UsageError(f"Only one option can be an interval, not {' and '.join(names)}.")
    return names[0] if names else None


def family_of(name: str, lattice: Lattice, options: Mapping[str, Any]) -> HamiltonianFamily | None:
    """The family that the options describe, None when no option is an interval. Errors of the family.

    >>> family_of("phi4", Lattice((4, 4)), {"quartic": "4.0:6.0"}).describe_interval
    'quartic in [4, 6]'
    """
    parameter = interval_of(options)
    if parameter is None:
        return None
    interval = parse_interval(options[parameter])
    assert interval is not None
    low, high = interval
    model = HAMILTONIANS[name].build(lattice, **{**options, parameter: 0.5 * (low + high)})
    return HamiltonianFamily(model, parameter, low, high)

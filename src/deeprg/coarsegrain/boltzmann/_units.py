"""All kinds of units by name."""

import inspect
from typing import Any

from ...runs.errors import UsageError, nearest
from ._finite_units import Binary, Potts, Spin
from ._real_units import Gaussian, Rectified
from ._unit import AbstractUnit

__all__ = [
    "UNITS",
    "AbstractUnit",
    "Binary",
    "Gaussian",
    "Potts",
    "Rectified",
    "Spin",
    "build_unit",
]

# Every kind of unit by name; the tests walk it.
UNITS: dict[str, type[AbstractUnit]] = {
    unit.name: unit for unit in (Spin, Binary, Gaussian, Rectified, Potts)
}


def build_unit(name: str | AbstractUnit, **options: Any) -> AbstractUnit:
    """A unit by its name and options, such as "gaussian" with variance=2.0 or "potts" with q=3.

    A unit that is made already is returned as it is. Raises `UsageError` for an unknown name and for options
    that the unit does not have or lacks.

    >>> build_unit("potts", q=3).q, build_unit("spin").name
    (3, 'spin')
    """
    if isinstance(name, AbstractUnit):
        if options:
            raise UsageError(f"The unit {name} is made already and takes no options: {sorted(options)}.")
        return name
    if name not in UNITS:
        raise UsageError(
            f"The unit '{name}' is unknown; take one of {', '.join(UNITS)}.{nearest(name, UNITS)}"
        )
    signature = inspect.signature(UNITS[name])
    try:
        signature.bind(**options)
    except TypeError as error:
        raise UsageError(f"Unit '{name}': {error}; its options are {signature}.") from None
    return UNITS[name](**options)

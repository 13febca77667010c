"""The schemes that a command line can name. A new one is one entry here."""

from collections.abc import Callable

from ...runs.errors import UsageError, nearest
from ._blocks import majority_square, niemeijer_van_leeuwen
from ._bond_moving import decimation_1d, maris_kadanoff, migdal_kadanoff
from ._scheme import Scheme
from ._wilson import wilson

__all__ = ["SCHEMES", "find_scheme"]


class _Registry(dict[str, Scheme]):
    def __missing__(self, name: str) -> Scheme:
        raise UsageError(f"There is no scheme '{name}'.{nearest(name, self)} Known: {', '.join(self)}.")


_HIGHER: dict[str, Callable[[int], Scheme]] = {"niemeijer-van-leeuwen": niemeijer_van_leeuwen}

SCHEMES: dict[str, Scheme] = _Registry(
    {
        "migdal-kadanoff": migdal_kadanoff(),
        "maris-kadanoff": maris_kadanoff(),
        "wilson": wilson(),
        "niemeijer-van-leeuwen": niemeijer_van_leeuwen(),
        "majority-square": majority_square(),
        "decimation-1d": decimation_1d(),
    }
)
"""Scheme by name, each at its lowest order; `find_scheme` gives the others."""


def find_scheme(scheme: str | Scheme, order: int | None = None) -> Scheme:
    """The scheme of that name and order (the lowest where none is said); a `Scheme` passes through.

    Raises:
        UsageError: an unknown name (with the nearest one), an order that the scheme does not have.

    >>> find_scheme("niemeijer-van-leeuwen", order=2).couplings
    ('K', 'L', 'M')
    """
    found = SCHEMES[scheme] if isinstance(scheme, str) else scheme
    if order is None or order == found.order:
        return found
    if not found.orders:
        raise UsageError(
            f"order = {order} was asked of '{found.name}', which is no expansion; leave the order out."
        )
    if order not in found.orders:
        known = " and ".join(map(str, found.orders))
        raise UsageError(f"The scheme '{found.name}' has no order {order}; it is known to order {known}.")
    return _HIGHER[found.name](order)

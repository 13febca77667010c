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


_SHAPED: dict[str, Callable[..., Scheme]] = {
    "migdal-kadanoff": lambda dimension, scale: migdal_kadanoff(dimension, scale),
    "decimation-1d": lambda dimension, scale: decimation_1d(scale),
}
_CHOICES = {"dimension": ("migdal-kadanoff",), "scale": ("migdal-kadanoff", "decimation-1d")}
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


def find_scheme(
    scheme: str | Scheme,
    order: int | None = None,
    *,
    dimension: float | int | None = None,
    scale: float | int | None = None,
) -> Scheme:
    """The scheme of that name and order (the lowest where none is said); a `Scheme` passes through.

    `dimension` d and `scale` b are those of `migdal_kadanoff`; `decimation_1d` has a scale too.

    Raises:
        UsageError: an unknown name (with the nearest one), an order that the scheme does not have, a
            dimension or scale for a scheme that has no choice of it, or out of range.

    >>> find_scheme("niemeijer-van-leeuwen", order=2).couplings
    ('K', 'L', 'M')
    >>> find_scheme("migdal-kadanoff", dimension=3).lattice
    'cubic'
    """
    found = SCHEMES[scheme] if isinstance(scheme, str) else scheme
    wanted = {
        name: value for name, value in (("dimension", dimension), ("scale", scale)) if value is not None
    }
    for name, value in wanted.items():
        if found.name not in _CHOICES[name]:
            raise UsageError(
                f"{name} = {value} was asked of '{found.name}', whose {name} is fixed at "
                f"{getattr(found, name):.6g}; only {' and '.join(_CHOICES[name])} has a choice of it."
            )
    if wanted:
        found = _SHAPED[found.name](**{"dimension": found.dimension, "scale": found.scale} | wanted)
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

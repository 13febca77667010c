"""How the study says a deviation in words."""

__all__ = ["amount"]


def amount(deviation: float) -> str:
    """A deviation at the scale of rounding, or that there is none at all.

    >>> amount(2.2e-16), amount(0.0)
    ('2.2e-16', 'exactly 0')
    """
    return f"{deviation:.1e}" if deviation else "exactly 0"

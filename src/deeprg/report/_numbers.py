"""Numbers as people write them: as many digits as the error allows."""

import math

__all__ = ["concise", "error_text", "number", "rounded", "with_error"]


def number(value: float | int | None, digits: int = 4) -> str:
    r"""The number to so many digits; a dash for what is missing or not finite.

    >>> number(0.123456), number(1234567), number(None)
    ('0.1235', '1\u2009234\u2009567', '—')
    """
    if value is None or not math.isfinite(value):
        return "—"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}".replace(",", "\u2009").replace("-", "−")
    return f"{value:.{digits}g}".replace("-", "−")


def rounded(value: float | None, error: float | None) -> str:
    """The value to the second digit of its error.

    >>> rounded(-1.45321, 0.0123)
    '−1.453'
    """
    if value is None:
        return "—"
    if error is None or not error > 0 or not math.isfinite(error):
        return number(value, 9)
    digits = min(max(1 - math.floor(math.log10(error)), 0), 12)
    return f"{value:.{digits}f}".replace("-", "−")


def error_text(error: float | None) -> str:
    """± and the error to two digits; nothing without an error."""
    return "" if error is None or not error > 0 else f"± {rounded(error, error)}"


def with_error(value: float | None, error: float | None) -> str:
    """The value with its error, both to two digits of the error.

    >>> with_error(4.8712, 0.214), with_error(1.0, None)
    ('4.87 ± 0.21', '1')
    """
    return " ".join(part for part in (rounded(value, error), error_text(error)) if part)


def concise(value: float | None, error: float | None) -> str:
    """The value with its error in units of the last digits, in parentheses.

    >>> concise(0.97901, 0.00035), concise(508.3, 96.0), concise(1.29, 0.13), concise(1.5, None)
    ('0.97901(35)', '508(96)', '1.29(13)', '1.5')
    """
    if value is None or not math.isfinite(value):
        return "—"
    if error is None or not error > 0 or not math.isfinite(error):
        return number(value, 6)
    text = rounded(error, error)
    return f"{rounded(value, error)}({text if float(text) >= 1 else text.replace('.', '').lstrip('0')})"

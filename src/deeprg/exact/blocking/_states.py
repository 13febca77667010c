"""Spin states as bit patterns: their numbering, tables, contractions block by block, and the size limit."""

import numpy as np

from ...runs.errors import UsageError

__all__ = ["MAX_SPINS", "check_enumerable", "contract", "log_contract", "log_sum", "spin_table"]

MAX_SPINS = 24
"""The largest number of spins whose states are listed in memory."""


def spin_table(size: int) -> np.ndarray:
    """The spins ±1 of all states, [2^size, size]; bit i of a state's number is set where s_i = -1.

    >>> spin_table(2).astype(int).tolist()
    [[1, 1], [-1, 1], [1, -1], [-1, -1]]
    """
    return 1.0 - 2.0 * ((np.arange(1 << size)[:, None] >> np.arange(size)) & 1)


def check_enumerable(size: int, hint: str, *, most: int = MAX_SPINS, passes: int = 1) -> None:
    """Raise `UsageError`, with the memory and the time of `passes` over all states, above `most` spins.

    >>> check_enumerable(8, "")
    """
    if size <= most:
        return
    memory, seconds = 8 * 4 * 2.0**size, 1e-8 * passes * 2.0**size
    raise UsageError(
        f"A table over all states of {size} spins has 2^{size} rows: about {_amount(memory)} of memory and "
        f"{seconds:.2g} s; at most {most} spins are enumerated. {hint}"
    )


def log_sum(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """ln sum exp(values) along one axis; -inf where every value is -inf.

    >>> log_sum(np.zeros(4)).round(6).item()
    1.386294
    """
    highest = np.max(values, axis=axis, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.sum(np.exp(values - highest), axis=axis)) + np.squeeze(highest, axis))


def contract(values: np.ndarray, tables: list[np.ndarray]) -> np.ndarray:
    """sum_Y prod_i tables[i][Y_i, x_i] values[Y], [2^N] -> [2^n]; block 0 and its x are the lowest bits.

    >>> contract(np.arange(4.0), [np.full((2, 2), 0.5)] * 2).tolist()
    [1.5, 1.5, 1.5, 1.5]
    """
    done = 1
    for table in reversed(tables):  # the highest bits first, so that the rows of the sum are contiguous
        values = np.matmul(table.T, values.reshape(done, table.shape[0], -1)).reshape(-1)
        done *= table.shape[1]
    return values


def log_contract(values: np.ndarray, log_tables: list[np.ndarray]) -> np.ndarray:
    """ln sum_Y exp(sum_i log_tables[i][Y_i, x_i] + values[Y]), [2^N] -> [2^n], without underflow.

    >>> log_contract(np.zeros(4), [np.log(np.full((2, 2), 0.5))] * 2).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    done = 1
    for table in reversed(log_tables):
        stacked = values.reshape(done, table.shape[0], -1)
        columns = []
        for column in table.T:
            rows = np.isfinite(column)
            columns.append(log_sum(stacked[:, rows] + column[rows, None], axis=1))
        values = np.stack(columns, axis=1).reshape(-1)
        done *= table.shape[1]
    return values


def _amount(memory: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if memory < 1024:
            return f"{memory:.3g} {unit}"
        memory /= 1024
    return f"{memory:.3g} PiB"

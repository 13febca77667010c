"""What the schemes refuse, and how they say it."""

import math

import pytest

from deeprg.exact.schemes import (
    SCHEMES,
    critical_coupling,
    decimate_chain,
    decimate_square_field,
    exponents,
    find_scheme,
    fixed_point,
    flow,
    free_energy,
    migdal_kadanoff,
    triangular_log_partition,
)
from deeprg.runs.errors import NumericalError, UsageError


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SCHEMES["migdal-kadanof"], "Did you mean 'migdal-kadanoff'"),
        (lambda: fixed_point("wilson", order=2), "leave the order out"),
        (lambda: exponents("niemeijer-van-leeuwen", order=3), "known to order 1 and 2"),
        (lambda: exponents("majority-square", order=2), "known to order 1"),
        (lambda: flow("wilson", [0.1]), "2 couplings (K, L)"),
        (lambda: flow("migdal-kadanoff", [0.1, 0.2]), "one coupling (K)"),
        (lambda: flow("migdal-kadanoff", [math.nan]), "not all finite"),
        (lambda: flow("migdal-kadanoff", 0.1, steps=-1), "must not be negative"),
        (lambda: free_energy(migdal_kadanoff(2.5), 0.3), "keeps no constants"),
        (lambda: critical_coupling("wilson", others=[0.1, 0.2]), "1 other couplings"),
        (lambda: migdal_kadanoff(dimension=0.5), "between 1 and 10"),
        (lambda: migdal_kadanoff(dimension=math.nan), "between 1 and 10"),
        (lambda: migdal_kadanoff(dimension=11), "between 1 and 10"),
        (lambda: migdal_kadanoff(scale=1), "between 1.001"),
        (lambda: migdal_kadanoff(scale=math.inf), "between 1.001"),
        (lambda: find_scheme("wilson", scale=2), "whose scale is fixed at 1.41421"),
        (lambda: find_scheme("decimation-1d", dimension=2), "only migdal-kadanoff has a choice"),
        (lambda: decimate_square_field("warm"), "must be a real number"),
        (lambda: flow("migdal-kadanoff", 1e7), "beyond 1e+06"),
        (lambda: flow("migdal-kadanoff", 0.1, steps=10**6), "nor above 100000"),
        (lambda: migdal_kadanoff(states=1), "at least 2"),
        (lambda: decimate_chain("warm"), "must be a real number"),
        (lambda: decimate_chain(math.nan), "NaN"),
        (lambda: triangular_log_partition(-0.1), "must not be negative"),
    ],
)
def test_bad_input_is_one_clear_error(call, message):
    with pytest.raises(UsageError) as caught:
        call()
    assert message in str(caught.value)


def test_no_change_of_phase_is_said():
    with pytest.raises(NumericalError, match="No change of phase"):
        critical_coupling("wilson", others=[5.0])

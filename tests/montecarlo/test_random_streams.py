"""The random numbers of the kernels: reference values, distinct streams, uniformity."""

import numpy as np
import pytest
from scipy import stats

from deeprg.montecarlo.samplers._numba import kernel
from deeprg.montecarlo.samplers._random import next_bits, splitmix64, step, streams, uniform
from deeprg.runs.errors import UsageError

# From the authors' C code (xoshiro256plusplus.c with the state 1, 2, 3, 4; splitmix64.c with 1234567).
XOSHIRO = [
    41943041,
    58720359,
    3588806011781223,
    3591011842654386,
    9228616714210784205,
    9973669472204895162,
    14011001112246962877,
    12406186145184390807,
    15849039046786891736,
    10450023813501588000,
]
SPLITMIX = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]


def test_xoshiro_gives_the_reference_values():
    state = np.array([1, 2, 3, 4], np.uint64)
    scalars = [1, 2, 3, 4]
    for expected in XOSHIRO:
        bits, *scalars = step(*(np.uint64(s) for s in scalars))
        assert int(bits) == expected == int(next_bits(state))
    assert [int(s) for s in scalars] == state.tolist()


def test_splitmix_gives_the_reference_values():
    counter = 1234567
    for expected in SPLITMIX:
        bits, counter = splitmix64(np.uint64(counter))
        assert int(bits) == expected


def test_streams_differ_in_every_argument_and_are_reproducible():
    seen = {}
    for seed in (0, 1, 2**32, 2**32 + 1, 2**80):
        for temperature in (0.0, 2.269, np.nextafter(2.269, 3), 2.5):
            for block in (-(2**62), -1, 0, 1, 2, 2**32):
                words = streams(seed, temperature, 3, block)
                assert (words == streams(seed, temperature, 3, block)).all()
                for chain in range(3):
                    seen[words[chain].tobytes()] = (seed, temperature, block, chain)
    assert len(seen) == 5 * 4 * 6 * 3


def test_a_chain_does_not_depend_on_how_many_run_beside_it():
    assert (streams(5, 2.0, 8, 3)[:2] == streams(5, 2.0, 2, 3)).all()


def test_streams_do_not_change_between_versions():
    assert streams(0, 2.5, 1, 0).tolist() == [
        [11463299827208339290, 17773361339215859540, 2951474472599583048, 7749902154090528082]
    ]


@pytest.mark.parametrize(("seed", "chains"), [(-1, 1), (0, 0)])
def test_streams_refuse(seed, chains):
    with pytest.raises(UsageError, match="seed must be 0 or more"):
        streams(seed, 2.0, chains, 0)


@kernel
def fill(out, state):
    for i in range(out.size):
        out[i] = uniform(state)


def test_uniform_numbers_are_uniform_and_independent():
    first, second = np.empty(40000), np.empty(40000)
    for out, state in zip((first, second), streams(7, 2.0, 2, 0), strict=True):
        fill(out, state)
    assert first.min() >= 0
    assert first.max() < 1
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert stats.kstest(first**1.03, "uniform").pvalue < 1e-3
    for a, b in ((first, second), (first[1:], first[:-1])):
        cells = np.histogram2d(a, b, bins=10, range=((0, 1), (0, 1)))[0]
        assert stats.chisquare(cells.ravel()).pvalue > 1e-3

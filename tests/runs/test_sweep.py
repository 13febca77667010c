"""Grids of settings, and the lock of one process at a time."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from deeprg.runs.errors import UsageError
from deeprg.runs.lock import exclusive
from deeprg.runs.sweep import MOST_POINTS, Axis, expand, parse_axis


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed=0:4", (0, 1, 2, 3, 4)),
        ("size=8:32:8", (8, 16, 24, 32)),
        ("size=8:31:8", (8, 16, 24)),
        ("seed=-1:1,7", (-1, 0, 1, 7)),
        ("temperature=2.0,2.1,2.269", (2.0, 2.1, 2.269)),
        ("temperature=critical, 2.5", ("critical", 2.5)),
        ("flow.layout=mera,conditional", ("mera", "conditional")),
        ("shape=[4, 4],8x8", ([4, 4], "8x8")),
        ("train.batch=[[0.0, 64], [0.5, 256]],64", ([[0.0, 64], [0.5, 256]], 64)),
        ("flow.shared=true,false", (True, False)),
        ('temperature="2.0:2.5"', ("2.0:2.5",)),
        ("machine.units=potts:3,spin", ("potts:3", "spin")),
    ],
)
def test_values(text, values):
    axis = parse_axis(text)
    assert axis.values == values
    assert [type(value) for value in axis.values] == [type(value) for value in values]


def test_ranges_of_real_numbers_include_both_ends():
    np.testing.assert_allclose(parse_axis("t=2.0:2.6:0.05").values, np.linspace(2.0, 2.6, 13), rtol=1e-14)
    np.testing.assert_allclose(parse_axis("t=1.9:2.5/7").values, np.linspace(1.9, 2.5, 7), rtol=1e-12)
    assert parse_axis("t=0.1:0.3:0.1").values == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "is not NAME=VALUES"),
        ("=1", "is not NAME=VALUES"),
        ("seed=", "is not NAME=VALUES"),
        ("seed=1,,2", "a comma too many"),
        ("seed=1,2,1", "value 1 twice"),
        ("temperature=2,2.0", "twice"),
        ("temperature=2.0:2.5", "has no step"),
        ("temperature=2.5:2.0:0.1", "FIRST <= LAST"),
        ("temperature=2.0:2.5:0", "STEP above 0"),
        ("temperature=2.0:2.5:0.1:3", "must be FIRST:LAST"),
        ("temperature=2.0:2.5:x", "must be FIRST:LAST"),
        ("temperature=2.0:2.5/1", "from 2 to"),
        ("temperature=2.0:2.5/x", "from 2 to"),
        ("temperature=nan", "finite"),
        (f"seed=0:{MOST_POINTS}", "at most"),
        ("temperature=2:3:1e-9", "at most"),
        ("shape=[4,4", "not valid TOML"),
    ],
)
def test_refusals_name_the_value(text, message):
    with pytest.raises(UsageError, match=message):
        parse_axis(text)


def test_points_are_the_cartesian_product_with_names_of_their_own():
    axes = [parse_axis("temperature=2.0,critical"), parse_axis("size=8,16"), parse_axis("seed=0:2")]
    points = expand(axes)
    product = itertools.product((2.0, "critical"), (8, 16), (0, 1, 2))
    assert [tuple(point.values.values()) for point in points] == list(product)
    assert points[0].name == "temperature-2.0_size-8_seed-0"
    assert len({point.name for point in points}) == 12


def test_names_can_be_folders_and_differ():
    names = [point.name for point in expand([parse_axis("a.width=1,2"), parse_axis("b.width=3")])]
    assert names == ["a.width-1_b.width-3", "a.width-2_b.width-3"]
    odd = expand([Axis("x", ("a/b", "a b", 1e30, -1.5, [4, 8]))])
    assert [point.name for point in odd] == ["point-0000", "point-0001", "x-1e30", "x--1.5", "x-4x8"]
    (long,) = expand([Axis("x", ("y" * 300,))])
    assert long.name == "point-0000"


def test_grids_that_are_none():
    with pytest.raises(UsageError, match="no grid"):
        expand([])
    with pytest.raises(UsageError, match="two grids of 'seed'"):
        expand([parse_axis("seed=1"), parse_axis("seed=2")])
    with pytest.raises(UsageError, match="1000000 points together"):
        expand([parse_axis("seed=1:1000"), parse_axis("size=1:1000")])


_HOLD = """
import sys
from deeprg.runs.lock import exclusive
with exclusive(sys.argv[1], "taken"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_free_when_its_holder_is_killed(tmp_path):
    place = tmp_path / "new" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=r"it is taken\."), exclusive(place, "it is taken."):
            pass
        holder.kill()
        with exclusive(place, "it is taken.", wait=10.0):
            pass

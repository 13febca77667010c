"""Configurations above their reconstructions."""

import numpy as np
import pytest

from deeprg.report.reconstructions import plot_reconstructions
from deeprg.report.style import data_uri, style
from deeprg.runs.errors import UsageError


def test_rows_and_columns_hold_what_was_given():
    spins = np.random.default_rng(0).choice([-1.0, 1.0], (3, 6, 5))
    with style():
        fig = plot_reconstructions({"configuration": spins, "guess, of few": 0.3 * spins})
        assert data_uri(fig, "png", dpi=40).startswith("data:image/png")
    pictures = [ax for ax in fig.axes if ax.images]
    assert [pictures[k].get_ylabel() for k in (0, 1, 3)] == ["configuration", "", "guess,\nof few"]
    np.testing.assert_array_equal(pictures[4].images[0].get_array(), 0.3 * spins[1])
    assert {ax.images[0].get_clim() for ax in pictures[:6]} == {(-1, 1)}


def test_rows_must_be_alike():
    with pytest.raises(UsageError, match="the same"):
        plot_reconstructions({"a": np.ones((2, 4, 4)), "b": np.ones((3, 4, 4))})
    with pytest.raises(UsageError, match="the same"):
        plot_reconstructions({"a": np.ones((4, 4))})

"""Figures of latents show what they were given: numbers are read back from the pictures."""

import itertools

import numpy as np
import pytest
from PIL import Image

from deeprg.probes import KernelSet
from deeprg.report import (
    animate,
    plot_correlation_matrix,
    plot_frames,
    plot_information_map,
    plot_kernels,
)
from deeprg.report.style import data_uri, figure, style
from deeprg.runs.errors import UsageError

RNG = np.random.default_rng(0)


def kernels(*shape):
    mean = RNG.normal(size=shape) * np.arange(1, shape[0] + 1).reshape(-1, *(1,) * (len(shape) - 1))
    return KernelSet(mean, np.abs(mean), np.zeros((shape[0], len(shape) - 1), int), 1)


@pytest.mark.parametrize("shape", [(3, 8), (3, 4, 6), (2, 4, 4, 4)])
def test_every_scale_has_its_own_axes_and_range(shape):
    given = kernels(*shape)
    with style():
        fig, axes = figure(9.0, 3.0, ncols=shape[0])
        images = plot_kernels(axes, given)
        assert data_uri(fig, "png", dpi=30)
    for scale, (ax, image) in enumerate(zip(axes, images, strict=True)):
        kernel = given.mean[scale] if len(shape) < 4 else given.mean[scale][..., shape[-1] // 2]
        np.testing.assert_array_equal(image.get_array(), kernel if kernel.ndim == 2 else kernel[None])
        assert image.get_clim() == (-np.abs(kernel).max(), np.abs(kernel).max())
        assert ax.get_title(loc="left").startswith(f"scale {scale}")
    with pytest.raises(UsageError, match=f"{shape[0]} scales but 1 axes"):
        plot_kernels(axes[:1], given)


def test_a_matrix_has_its_borders_and_labels(ax):
    matrix = np.corrcoef(RNG.normal(size=(64, 200)))
    image = plot_correlation_matrix(ax, matrix, [0, 1, 4, 16, 64], list("0123"), title="Latents")
    shown = image.get_array()
    off = ~np.eye(64, dtype=bool)
    np.testing.assert_array_equal(shown[off], matrix[off])
    assert np.ma.getmaskarray(shown).diagonal().all() or np.isnan(shown.diagonal()).all()
    assert image.get_clim()[1] == np.abs(matrix[off]).max()
    assert sorted(line.get_xdata()[0] for line in ax.lines[::2]) == [0.5, 3.5, 15.5]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0, 1", "2", "3"]
    assert ax.get_xticks().tolist() == [1.5, 9.5, 39.5]


def test_an_information_map_is_centred_on_its_site(ax):
    values = RNG.random((6, 8))
    values[1, 7] = 50.0
    image = plot_information_map(ax, values, (1, 7), title="Between sites")
    shown = image.get_array()
    assert np.argwhere(np.ma.getmaskarray(shown)).tolist() == [[3, 4]]
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-4.5, 3.5, 2.5, -3.5)
    assert shown[3 + 2, 4 - 1] == values[3, 6]  # two down, one to the left of the site
    assert image.get_clim() == (0, np.delete(values.ravel(), 15).max())


def test_information_on_a_ring_and_in_three_dimensions():
    with style():
        fig, (first, second) = figure(ncols=2)
        ring = plot_information_map(first, [0.1, 0.2, 9.0, 0.3], [2])
        assert ring.get_array().tolist() == [[0.1, 0.2, None, 0.3]]
        values = RNG.random((4, 4, 4))
        plane = plot_information_map(second, values, (3, 0, 0))
        assert plane.get_array()[3, 3] == values[0, 1, 0]
        assert second.get_title(loc="left") == "a plane"
        assert data_uri(fig, "png", dpi=30)


@pytest.mark.parametrize("shape", [(8, 5), (4, 6, 5), (4, 4, 4, 5)])
def test_frames_share_one_range(shape):
    x = RNG.normal(size=shape)
    with style():
        fig = plot_frames(x, list("abcde"), title="Path", most=3)
        assert data_uri(fig, "png", dpi=30)
    frames = fig.axes[:-1]  # the last is the colour bar
    assert [ax.get_title() for ax in frames] == ["a", "c", "e"]
    assert len({ax.images[0].get_clim() for ax in frames}) == 1
    plane = x[..., 2] if len(shape) < 4 else x[..., 0, 2]
    np.testing.assert_array_equal(frames[1].images[0].get_array(), np.atleast_2d(plane))


@pytest.mark.parametrize("shape", [(8, 4), (4, 6, 4)])
def test_an_animation_has_a_frame_for_every_step(tmp_path, shape):
    path = animate(RNG.normal(size=shape), tmp_path / "wander.gif", fps=10)
    with Image.open(path) as found:
        assert (found.format, found.n_frames, found.info["duration"]) == ("GIF", 4, 100)
        frames = []
        for number in range(4):
            found.seek(number)
            frames.append(np.asarray(found.convert("RGB")))
    assert all(np.any(a != b) for a, b in itertools.pairwise(frames))
    assert [file.name for file in tmp_path.iterdir()] == ["wander.gif"]


def test_bad_input_to_figures(tmp_path):
    _, ax = figure()
    eye = np.eye(4)
    with pytest.raises(UsageError, match="is square"):
        plot_correlation_matrix(ax, eye[:3], [0, 3], ["0"])
    for edges in ([0, 3], [1, 4], [0, 2, 2, 4], [4], []):
        with pytest.raises(UsageError, match="upwards from 0 to 4"):
            plot_correlation_matrix(ax, eye, edges, ["0"] * max(len(edges) - 1, 0))
    with pytest.raises(UsageError, match="2 blocks but 1 labels"):
        plot_correlation_matrix(ax, eye, [0, 1, 4], ["0"])
    with pytest.raises(UsageError, match="1 to 3 axes"):
        plot_information_map(ax, np.array(1.0), ())
    for centre in ((4, 0), (0, -1), (0,)):
        with pytest.raises(UsageError, match="is no site of a map"):
            plot_information_map(ax, eye, centre)
    with pytest.raises(UsageError, match="4 configurations but 3 titles"):
        plot_frames(np.zeros((2, 2, 4)), list("abc"))
    with pytest.raises(UsageError, match=r"\[\*lattice, steps\]"):
        plot_frames(np.zeros(4), list("abcd"))
    for bad, message in (
        (lambda: animate(np.zeros((2, 2, 3)), tmp_path / "a.mp4"), r"end in \.gif, unlike 'a\.mp4'"),
        (lambda: animate(np.zeros((2, 2, 1)), tmp_path / "a.gif"), "2 configurations or more, not 1"),
        (lambda: animate(np.zeros(3), tmp_path / "a.gif"), r"\[\*lattice, steps\]"),
        (lambda: animate(np.zeros((2, 2, 3)), tmp_path / "a.gif", fps=0), "1 to 50 frames a second"),
        (lambda: animate(np.zeros((2, 2, 3)), tmp_path / "no" / "a.gif"), "cannot write"),
    ):
        with pytest.raises(UsageError, match=message):
            bad()
    assert list(tmp_path.iterdir()) == []

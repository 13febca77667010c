"""Samples of a run on images: integers on disk, a figure at every scale, and the control against copies."""

import numpy as np
import pytest

from deeprg.cli._image_samples import run_image_sampling
from deeprg.report.image_samples import nearest_rows
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder

TINY = (
    "--steps=60", "--batch=64", "flow.scalar=affine", "flow.width=4", "flow.depth=1", "flow.disentanglers=0",
    "flow.colours=1", "train.learning_rate=0.01",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(cli, tmp_path_factory):
    """Images with bright left and dark right halves."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 3, (300, 4, 4)) + np.array([5, 5, 0, 0])
    np.save(folder / "images.npy", images)
    answer = cli("train", "flow", "--data", folder / "images.npy", "--levels=8", *TINY, "--out", folder / "r")
    assert answer.code == 0, answer.err
    assert "next: deeprg sample" in answer.err
    return folder / "r"


def test_samples_are_integers_like_the_data(run, capsys):
    assert run_image_sampling(str(run), 300, 0, True) == 0
    samples = np.load(run / "samples-seed0.npy")
    assert samples.shape == (300, 4, 4)
    assert samples.dtype == np.uint8
    assert samples.max() < 8
    assert np.all(np.abs(samples.mean(axis=0) - np.array([6, 6, 1, 1])) < 0.8)
    assert (run / "samples-seed0.png").stat().st_size > 1000
    document = RunFolder.open(run).path / "samples-seed0.json"
    assert '"nearest"' in document.read_text()
    with pytest.raises(UsageError, match="never overwritten"):
        run_image_sampling(str(run), 300, 0, False)
    # Without the data the samples are drawn all the same.
    data = run.parent / "images.npy"
    data.rename(run.parent / "gone.npy")
    try:
        assert run_image_sampling(str(run), 20, 1, False) == 0
    finally:
        (run.parent / "gone.npy").rename(data)
    assert "not compared with data" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(run / "samples-seed1.npy").shape, (20, 4, 4))


def test_page_and_findings(run, cli):
    answer = cli("report", run)
    assert answer.code == 0, answer.err
    page = (run / "report.html").read_text()
    assert "A flow fitted to" in page
    assert "bits per dimension" in page
    assert cli("diagnose", run, "--json").json["checks"] == ["status", "finiteness", "overfitting"]


def test_copies_are_nearer_than_new_images():
    """The control that finds memorisation, and its twin: new draws of the same law."""
    rng = np.random.default_rng(1)
    seen, new = rng.integers(0, 8, (2, 500, 4, 4))
    copies = seen[:100] + rng.normal(0, 0.1, (100, 4, 4))
    assert nearest_rows(copies, seen)[1].max() < 0.3
    assert nearest_rows(copies, seen)[0].tolist() == list(range(100))
    assert nearest_rows(new, seen)[1].min() > 0.5
    direct = np.sqrt(((new[:5, None] - seen[None]) ** 2).mean(axis=(2, 3)))
    np.testing.assert_allclose(nearest_rows(new[:5], seen)[1], direct.min(axis=1))
    with pytest.raises(UsageError, match="cannot be compared"):
        nearest_rows(new, seen[:, :2])

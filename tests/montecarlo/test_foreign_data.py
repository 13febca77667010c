"""Configurations of other programs: each format gives the same ensemble, and wrong data are refused."""

import hashlib

import h5py
import jax
import numpy as np
import pytest

from deeprg.hamiltonians import build_model
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import Ensemble, import_configurations
from deeprg.montecarlo.ensembles import _foreign as foreign
from deeprg.runs.errors import UsageError

SHAPE = (4, 6)
SPINS = np.where(np.random.default_rng(1).random((50, *SHAPE)) < 0.6, 1, -1)


def write(path, array):
    path = str(path)
    if path.endswith(".npy"):
        np.save(path, array)
    elif ".h5" in path:
        file, _, name = path.partition(":")
        with h5py.File(file, "w") as opened:
            opened[name or "spins"] = array
    else:
        np.savetxt(path, array.reshape(len(array), -1), fmt="%g")
    return path


def load(source, tmp_path, **changes):
    settings = {"model": "ising", "temperature": 2.0, "shape": SHAPE, **changes}
    return import_configurations(source, tmp_path / "E.zarr", **settings)


@pytest.fixture(scope="module")
def measured():
    return jax.vmap(build_model("ising", Lattice(SHAPE), 2.0).scalars)(SPINS.astype(np.int8))


@pytest.mark.parametrize("name", ["a.npy", "a.h5", "a.h5:run/spins", "a.txt"])
@pytest.mark.parametrize("flat", [True, False])
def test_formats(tmp_path, monkeypatch, measured, name, flat):
    monkeypatch.setattr(foreign, "_SITES_AT_ONCE", 10 * 24)  # five pieces
    source = write(tmp_path / name, SPINS.reshape(50, -1) if flat else SPINS)
    ensemble = load(source, tmp_path)
    assert ensemble.configurations(0).dtype == np.int8
    np.testing.assert_array_equal(ensemble.configurations(0), SPINS[None])
    assert set(ensemble.series_names) == set(measured)
    for key, values in measured.items():
        np.testing.assert_allclose(ensemble.series(key, 0)[0], values, rtol=1e-12)


def test_provenance(tmp_path):
    source = write(tmp_path / "a.npy", SPINS)
    ensemble = load(source, tmp_path, shape=None)
    checksum = hashlib.sha256((tmp_path / "a.npy").read_bytes()).hexdigest()
    stored = ensemble.provenance
    assert stored["reason"] == f"imported from a.npy (sha256 {checksum}), autocorrelation unknown"
    assert (stored["algorithm"], stored["model"], stored["temperatures"]) == ("imported", "ising", [2.0])
    assert stored["describe"][0].startswith("Ising spins on 4x6")
    assert str(tmp_path) not in str(stored)
    assert ensemble.dataset().sizes["draw"] == 50
    with (
        pytest.raises(UsageError, match="no sampler state"),
        Ensemble.open(ensemble.path, writable=True) as again,
    ):
        again.extend(100)


@pytest.mark.parametrize("layout", ["rows", "lines", "commas", "digits", "comments"])
def test_text(tmp_path, layout):
    bits = (SPINS + 1) // 2
    rows = bits.reshape(50, 24) if layout != "lines" else bits.reshape(200, 6)
    separator = {"commas": ", ", "digits": ""}.get(layout, " ")
    lines = [separator.join(map(str, row)) for row in rows]
    if layout == "comments":
        lines = ["# spins", "", *(f"{line}  # one" for line in lines), ""]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    ensemble = load(tmp_path / "a.txt", tmp_path, zero_one=True)
    np.testing.assert_array_equal(ensemble.configurations(0), SPINS[None])
    assert ensemble.provenance["settings"] == {"zero_one": True}


def test_several_temperatures(tmp_path):
    both = np.stack([SPINS, -SPINS])
    files = [write(tmp_path / f"{t}.npy", both[t]) for t in range(2)]
    stacked = write(tmp_path / "both.h5", both)
    for number, source in enumerate((files, stacked)):
        folder = tmp_path / str(number)
        ensemble = load(source, folder, temperature=[2.0, 2.5])
        assert ensemble.temperatures.tolist() == [2.0, 2.5]
        np.testing.assert_array_equal(ensemble.configurations(1), -SPINS[None])
        np.testing.assert_array_equal(
            ensemble.series("magnetization", 0), -ensemble.series("magnetization", 1)
        )
    with pytest.raises(UsageError, match="3 files and 2 temperatures do not match"):
        load([*files, stacked], tmp_path, temperature=[2.0, 2.5])
    with pytest.raises(UsageError, match="the first axis must be that long"):
        load(stacked, tmp_path, temperature=[2.0, 2.5, 3.0])
    short = write(tmp_path / "short.npy", SPINS[:20])
    with pytest.raises(UsageError, match=r"equally many .* 50 of 4x6.* 20 of 4x6"):
        load([files[0], short], tmp_path, temperature=[2.0, 2.5])


def test_other_models(tmp_path):
    states = write(tmp_path / "q.npy", np.arange(96).reshape(4, 4, 6) % 3)
    assert load(states, tmp_path / "1", model="potts", options={"states": 3}).valid_draws(0) == 4
    angles = write(tmp_path / "xy.npy", np.linspace(-9, 9, 96).reshape(4, 4, 6))
    stored = load(angles, tmp_path / "2", model="xy").configurations(0)
    assert stored.dtype == np.float64
    assert stored.min() >= -np.pi
    assert stored.max() < np.pi
    np.testing.assert_allclose(np.exp(1j * stored[0]), np.exp(1j * np.load(angles)), atol=1e-12)
    edge = write(tmp_path / "edge.npy", np.full((1, 4, 6), np.pi, np.float32))
    stored = load(edge, tmp_path / "3", model="xy").configurations(0)
    assert stored.dtype == np.float32
    assert (stored == np.float32(-np.pi)).all()
    field = write(tmp_path / "phi.npy", np.linspace(-1, 1, 96, dtype=np.float32).reshape(4, 4, 6))
    ensemble = load(field, tmp_path / "4", model="phi4", temperature=None)
    np.testing.assert_array_equal(ensemble.configurations(0)[0], np.load(field))
    assert "action_per_site" in ensemble.series_names
    columns = build_model("dimers", Lattice(SHAPE), 1.0).columnar()
    dimers = write(tmp_path / "d.npy", np.stack([columns, np.roll(columns, 1, 0)]))
    assert load(dimers, tmp_path / "5", model="dimers").series("abs_magnetization", 0).tolist() == [
        [1.0, 1.0]
    ]
    columns[1, 2] = 3
    broken = write(tmp_path / "e.npy", columns[None])
    with pytest.raises(UsageError, match="dimers have one end only"):
        load(broken, tmp_path, model="dimers")


def test_wrong_values(tmp_path):
    holes = SPINS.astype(float)
    holes[3, 1, 2] = holes[7, 0, 0] = np.nan
    three = SPINS.copy()
    three[40, 0, :2] = 0, 3
    cases = [
        (
            "n.npy",
            holes,
            {},
            r"configurations 0 to 49: 2 numbers are NaN or infinite, the first one at \(3, 1, 2\)",
        ),
        (
            "w.npy",
            three,
            {},
            r"found -1 \(\d+ times\), 0 \(1 times\), 1 \(\d+ times\), 3 \(1 times\), but .* -1, 1 only",
        ),
        ("h.npy", SPINS * 0.5, {}, r"found -0.5 \(\d+ times\), 0.5 "),
        ("b.npy", (SPINS + 1) // 2, {}, "0 means -1"),
        ("z.npy", SPINS, {"zero_one": True}, r"found -1 .* the model knows 0, 1 only"),
        ("m.npy", np.arange(50 * 24), {"shape": (24,)}, "neither"),
        ("r.npy", np.arange(1200.0).reshape(50, 4, 6), {}, "and 1194 other values"),
        ("t.txt", holes, {}, "2 numbers are NaN"),
        (
            "p.npy",
            np.full((1, 4, 6), 3),
            {"model": "potts"},
            r"found 3 \(24 times\), but the model knows 0, 1, 2 only",
        ),
        ("o.npy", SPINS, {"model": "xy", "zero_one": True}, "Only Ising spins can be read from 0 and 1"),
    ]
    for name, array, changes, message in cases:
        source = write(tmp_path / name, array)
        with pytest.raises(UsageError, match=message):
            load(source, tmp_path, **changes)
    assert not [entry for entry in tmp_path.iterdir() if "E.zarr" in entry.name]


def test_bad_data_late_in_a_long_file(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "_SITES_AT_ONCE", 10 * 24)
    late = SPINS.copy()
    late[45] = 7
    with pytest.raises(UsageError, match="configurations 40 to 49: found"):
        load(write(tmp_path / "a.npy", late), tmp_path)
    assert not [entry for entry in tmp_path.iterdir() if "E.zarr" in entry.name]


def test_wrong_shapes(tmp_path):
    spins = write(tmp_path / "a.npy", SPINS)
    flat = write(tmp_path / "f.npy", SPINS.reshape(50, 24))
    with pytest.raises(UsageError, match=r"shape \(50, 4, 6\), which is neither \[n, 6, 4\] nor \[n, 24\]"):
        load(spins, tmp_path, shape=(6, 4))
    with pytest.raises(UsageError, match="does not tell the lattice"):
        load(flat, tmp_path, shape=None)
    with pytest.raises(UsageError, match="is empty"):
        load(write(tmp_path / "e.npy", SPINS[:0]), tmp_path)
    (tmp_path / "e.txt").write_text("# nothing\n\n")
    with pytest.raises(UsageError, match="is empty"):
        load(tmp_path / "e.txt", tmp_path)
    np.savetxt(tmp_path / "l.txt", SPINS.reshape(-1, 6)[:-1])
    with pytest.raises(UsageError, match="199 rows of 6 numbers, which is no multiple of the 4 rows"):
        load(tmp_path / "l.txt", tmp_path)
    (tmp_path / "ragged.txt").write_text("1 -1 1 1\n1 -1 1\n")
    with pytest.raises(UsageError, match="not a table of numbers"):
        load(tmp_path / "ragged.txt", tmp_path, shape=(4,))
    (tmp_path / "words.txt").write_text("up down up up\n")
    with pytest.raises(UsageError, match="not a table of numbers"):
        load(tmp_path / "words.txt", tmp_path, shape=(4,))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*no.npy"):
        load(tmp_path / "no.npy", tmp_path)
    whole = write(tmp_path / "a.npy", SPINS)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:500])
    with pytest.raises(UsageError, match=r"cannot be read as .npy"):
        load(tmp_path / "cut.npy", tmp_path)
    np.savez(tmp_path / "a.npz", spins=SPINS)
    with pytest.raises(UsageError, match="npz or zip archive"):
        load(tmp_path / "a.npz", tmp_path)
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match=r"neither .npy nor HDF5 nor text"):
        load(tmp_path / "noise", tmp_path)
    np.save(tmp_path / "c.npy", SPINS * 1j)
    with pytest.raises(UsageError, match="holds complex128, not real numbers"):
        load(tmp_path / "c.npy", tmp_path)
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["first"], file["runs/second"] = SPINS, SPINS[:3]
    with pytest.raises(UsageError, match=r"holds 2 arrays.*first \(50, 4, 6\), runs/second \(3, 4, 6\)"):
        load(tmp_path / "two.h5", tmp_path)
    with pytest.raises(UsageError, match=r"has no array 'frist'. Did you mean 'first'"):
        load(f"{tmp_path / 'two.h5'}:frist", tmp_path)
    (tmp_path / "cut.h5").write_bytes((tmp_path / "two.h5").read_bytes()[:3000])
    with pytest.raises(UsageError, match=r"cannot read .*cut.h5"):
        load(tmp_path / "cut.h5", tmp_path)
    load(whole, tmp_path)
    with pytest.raises(UsageError, match="exists already"):
        load(whole, tmp_path)

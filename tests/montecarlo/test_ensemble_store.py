"""Ensembles on disk: what is written comes back, survives every kill, and refuses what does not belong."""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import xarray
import zarr

from deeprg.hamiltonians import Ising
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.runs.errors import NumericalError, UsageError

SHAPE, CHAINS, DRAWS, BLOCK = (4, 6), 2, 10, 4
SETTINGS = dict(
    model="ising",
    options={"field": 0.1},
    shape=SHAPE,
    temperatures=[2.0, 2.5],
    algorithm="toy",
    settings={"order": "hot"},
    seed=5,
    chains=CHAINS,
    block=BLOCK,
    thin=3,
    thermalise=7,
)


# A toy sampler with a state: a linear congruential generator for every chain, whose bits are the spins.
def start(t):
    return {"stream": np.arange(1, CHAINS + 1, dtype=np.uint64) + np.uint64(100 * t), "steps": np.array(0)}


def advance(state, draws):
    stream, kept = state["stream"].copy(), []
    for _ in range(draws):
        stream = stream * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        bits = (stream[:, None] >> np.arange(24, 48, dtype=np.uint64)) & np.uint64(1)
        kept.append(2 * bits.astype(np.int8).reshape(CHAINS, *SHAPE) - 1)
    spins = np.stack(kept)
    series = {"magnetization": spins.mean(axis=(2, 3)), "energy_per_site": spins[..., 0, 0] / 3}
    return {"stream": stream, "steps": state["steps"] + draws}, spins, series


def create(path, *, draws=DRAWS, **changes):
    series = ["magnetization", "energy_per_site"]
    return Ensemble.create(
        path, **{**SETTINGS, "series": series, "state": start(0), "draws": draws, **changes}
    )


def fill(ensemble, stop=None):
    """Continue the toy sampler from the stored state until `stop` blocks are there."""
    for number in range(min(ensemble.blocks_done), ensemble.blocks if stop is None else stop):
        for t in np.flatnonzero(ensemble.blocks_done == number).tolist():
            first, last = ensemble.block_range(number)
            state, spins, series = advance(ensemble.state(t) or start(t), last - first)
            info = {"seconds": 0.5 + number}
            ensemble.append(t, spins, series, state, info, expected_block=number)
    return ensemble


def expected(t, draws):
    state, spins, series = advance(start(t), draws)
    return state, spins.swapaxes(0, 1), {name: values.T for name, values in series.items()}


def assert_right(ensemble):
    """All that is valid, and the state that belongs to it, have the bits of an uninterrupted run."""
    for t in range(2):
        draws = ensemble.valid_draws(t)
        if draws == 0:
            assert ensemble.state(t) is None
            continue
        state, spins, series = expected(t, draws)
        np.testing.assert_array_equal(ensemble.configurations(t), spins)
        for name, values in series.items():
            np.testing.assert_array_equal(ensemble.series(name, t), values)
        for name, value in ensemble.state(t).items():
            assert value.dtype == state[name].dtype
            np.testing.assert_array_equal(value, state[name])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "E.zarr"


@pytest.fixture
def full(path):
    with create(path) as ensemble:
        fill(ensemble)
    return path


def test_round_trip(full):
    ensemble = Ensemble.open(full)
    assert_right(ensemble)
    assert (ensemble.blocks, ensemble.blocks_done.tolist(), ensemble.valid_draws(1)) == (3, [3, 3], 10)
    assert [b.shape[1] for b in ensemble.configuration_blocks(0)] == [4, 4, 2]
    np.testing.assert_array_equal(ensemble.configurations(1, 3, 9), expected(1, 10)[1][:, 3:9])
    assert ensemble.configurations(0).dtype == np.int8
    assert ensemble.info(1)["seconds"].tolist() == [0.5, 1.5, 2.5]
    assert ensemble.temperatures.tolist() == [2.0, 2.5]
    ensemble.verify()


def test_provenance_and_hamiltonian(full):
    ensemble = Ensemble.open(full)
    stored = ensemble.provenance
    assert {name: stored[name] for name in SETTINGS} == {**SETTINGS, "shape": list(SHAPE)}
    assert stored["environment"]["seed"] == 5
    assert stored["environment"]["packages"]["numpy"] == np.__version__
    model = ensemble.hamiltonian(1)
    assert isinstance(model, Ising)
    assert (model.temperature, model.field, model.lattice.shape) == (2.5, 0.1, SHAPE)


def test_a_model_without_temperature(path):
    settings = dict(
        model="gaussian", options={}, temperatures=[None], dtype="float64", state={}, series=["action"]
    )
    with create(path, **settings) as ensemble:
        x = np.linspace(-1, 1, 4 * 2 * 24).reshape(4, 2, *SHAPE)
        ensemble.append(0, x, {"action": np.ones((4, 2))})
        np.testing.assert_array_equal(ensemble.configurations(0), x.swapaxes(0, 1))
        assert ensemble.temperatures.tolist() == [1.0]
        assert ensemble.provenance["temperatures"] == [None]
        assert ensemble.hamiltonian(0).describe().startswith("Gaussian")


def test_dataset_is_lazy_and_shows_valid_draws_only(path):
    with create(path) as ensemble:
        fill(ensemble, 2)
        state, spins, series = advance(ensemble.state(0), 2)
        ensemble.append(0, spins, series, state)
        data = ensemble.dataset()
        assert dict(data.sizes) == {"temperature": 2, "chain": 2, "draw": 8, "x0": 4, "x1": 6}
        for t in range(2):
            np.testing.assert_array_equal(data.configurations[t], expected(t, 8)[1])
        assert data.configurations.dtype == np.int8
        assert not np.isnan(data.energy_per_site).any()
        assert data.temperature.values.tolist() == [2.0, 2.5]
        assert json.loads(data.attrs["provenance"])["algorithm"] == "toy"
    damage(path, "configurations/c/1/0/1/0/0")
    data = Ensemble.open(path).dataset()  # nothing is read yet
    np.testing.assert_array_equal(data.configurations[1, :, :4], expected(1, 4)[1])
    with pytest.raises(ValueError, match="checksum"):
        data.configurations[1, :, 4:].load()


def test_plain_xarray_and_netcdf(full, tmp_path):
    raw = xarray.open_zarr(full, consolidated=False)
    assert raw.configurations.dims == ("temperature", "chain", "draw", "x0", "x1")
    assert raw.magnetization.dims == ("temperature", "chain", "draw")
    assert raw.blocks_done.values.tolist() == [3, 3]
    assert set(raw.variables) == {
        *("configurations", "magnetization", "energy_per_site", "temperature", "chain", "blocks_done")
    }
    data = Ensemble.open(full).dataset()
    data.to_netcdf(tmp_path / "E.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "E.nc", engine="h5netcdf") as copy:
        xarray.testing.assert_identical(copy.load(), data.load())


def test_series_only(path):
    with create(path, keep_configurations=False) as ensemble:
        state, _, series = advance(start(0), 4)
        ensemble.append(0, None, series, state)
        np.testing.assert_array_equal(ensemble.series("magnetization", 0), series["magnetization"].T)
        with pytest.raises(UsageError, match="keeps series only"):
            ensemble.configurations(0)
        assert "configurations" not in ensemble.dataset()


def test_spins_are_packed_and_written_fast(path):
    spins = np.sign(np.random.default_rng(0).random((20, 200, 32, 32)) - 0.5).astype(np.int8)
    settings = dict(shape=(32, 32), temperatures=[2.0], chains=200, block=20, state={}, series=["m"])
    begin = time.perf_counter()
    with create(path, draws=200, **settings) as ensemble:
        for _ in range(10):
            ensemble.append(0, spins, {"m": spins.mean(axis=(2, 3))})
    assert time.perf_counter() - begin < 5  # 40 000 configurations; 0.4 s on a laptop
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert 8 * size < 1.15 * 200 * 200 * 32 * 32  # 1 bit is the entropy of these spins


# Continuing.


def test_resume_has_the_same_bits(path):
    with create(path) as ensemble:
        fill(ensemble, 1)
    for stop in (2, None):
        with Ensemble.open(path, writable=True) as ensemble:
            fill(ensemble, stop)
    ensemble = Ensemble.open(path)
    assert ensemble.valid_draws(0) == 10
    assert_right(ensemble)


def test_extend(full):
    with Ensemble.open(full, writable=True) as ensemble:
        ensemble.extend(10)
        with pytest.raises(UsageError, match="There is no block 3"):
            ensemble.append(0, np.zeros((4, 2, *SHAPE), np.int8), {}, {})
        ensemble.extend(17)
        assert [ensemble.block_range(k) for k in range(ensemble.blocks)] == [
            (0, 4),
            (4, 8),
            (8, 10),
            (10, 14),
            (14, 17),
        ]
        fill(ensemble)
        with pytest.raises(UsageError, match="17 draws per chain already; 16 are fewer"):
            ensemble.extend(16)
    ensemble = Ensemble.open(full)
    assert ensemble.draws == ensemble.valid_draws(0) == 17
    assert_right(ensemble)
    assert ensemble.info(0)["seconds"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert ensemble.dataset().sizes["draw"] == 17


def test_an_extension_cut_short_is_repaired(full):
    zarr.open_group(full)["magnetization"].resize((2, 2, 20))
    reader = Ensemble.open(full)
    assert_right(reader)
    with pytest.raises(UsageError, match="extending it was interrupted"):
        reader.dataset()
    with Ensemble.open(full, writable=True) as ensemble:
        assert ensemble.dataset().sizes["draw"] == 10
        ensemble.extend(12)
        assert_right(fill(ensemble))


def test_the_state_before_the_last_block_is_kept(path):
    """For samplers that move all temperatures: a kill between their appends leaves some one block ahead."""
    with create(path) as ensemble:
        fill(ensemble, 1)
        state, spins, series = advance(ensemble.state(0), 4)
        ensemble.append(0, spins, series, state)
        for t in range(2):
            for name, value in ensemble.state(t, 1).items():
                np.testing.assert_array_equal(value, expected(t, 4)[0][name])
        assert ensemble.state(1, 0) is None
        with pytest.raises(UsageError, match="keeps the states after 2 and 1 blocks, not 3"):
            ensemble.state(0, 3)
        fill(ensemble)
        with pytest.raises(UsageError, match="keeps the states after 3 and 2 blocks, not 1"):
            ensemble.state(0, 1)


def test_threads_share_a_writer(path):
    with create(path, temperatures=[1.0 + t for t in range(8)], draws=40) as ensemble:

        def work(t):
            state = start(t)
            for number in range(ensemble.blocks):
                state, spins, series = advance(state, 4)
                ensemble.append(t, spins, series, state, {"seconds": t}, expected_block=number)

        threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    ensemble = Ensemble.open(path)
    for t in range(8):
        np.testing.assert_array_equal(ensemble.configurations(t), expected(t, 40)[1])
        assert ensemble.info(t)["seconds"].tolist() == [t] * 10


def test_check_same_names_every_difference(full):
    ensemble = Ensemble.open(full)
    ensemble.check_same(**SETTINGS)
    with pytest.raises(UsageError) as error:
        ensemble.check_same(
            **{**SETTINGS, "model": "potts", "seed": 6, "options": {"field": 0.1, "diagonal": 1.0}}
        )
    text = str(error.value)
    assert 'model: "ising" -> "potts"' in text
    assert "seed: 5 -> 6" in text
    assert "options.diagonal: none -> 1.0" in text
    assert "algorithm" not in text


# Kills.


class Killed(BaseException):
    pass


def test_a_death_between_any_two_writes(path, monkeypatch):
    """The n-th file never takes its name: every stage of a block, and what zarr leaves behind then."""
    with create(path) as ensemble:
        fill(ensemble, 1)
    replace = pathlib.Path.replace
    stages = set()
    for n in range(30):
        copy = path.with_name(f"{n}.zarr")
        shutil.copytree(path, copy)
        left = n

        def failing(self, target):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return replace(self, target)

        ensemble = Ensemble.open(copy, writable=True)
        with monkeypatch.context() as patch:
            patch.setattr(pathlib.Path, "replace", failing)
            try:
                fill(ensemble)
                ended = True
            except Killed:
                ended = False
                stages.add(len(list(copy.rglob("*.partial"))))
        ensemble.close()
        if ended:
            break
        assert_right(Ensemble.open(copy))
        with Ensemble.open(copy, writable=True) as again:
            assert not list(copy.rglob("*.partial"))
            assert_right(fill(again))
    else:
        pytest.fail("more than 30 files for four blocks")
    assert n > 20
    assert stages == {1}


WORKER = """
import os, sys
sys.path.insert(0, sys.argv[1])
import test_ensemble_store as toy
from deeprg.montecarlo.ensembles import Ensemble
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        with Ensemble.open(sys.argv[2], writable=True) as ensemble:
            toy.fill(ensemble, int(line))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_kill_at_random_moments(path):
    """SIGKILL in a loop of appends, time and again: valid blocks are whole, and the end has the same bits."""
    with create(path, draws=10**6):
        pass
    moments, done = random.Random(3), 0
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, os.path.dirname(__file__), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def begin(stop):
            process.stdin.write(f"{stop}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        assert process.stdout.readline() == "ready\n"
        for attempt in range(6):
            child = begin(10**5)
            while attempt % 2 and Ensemble.open(path).blocks_done.sum() < done + 5:
                time.sleep(0.005)  # every second time let it work, otherwise hit it while it opens
            time.sleep(moments.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            assert int(process.stdout.readline()) == signal.SIGKILL
            ensemble = Ensemble.open(path)
            ensemble.verify()
            assert_right(ensemble)
            assert ensemble.blocks_done.sum() >= done
            done = ensemble.blocks_done.sum()
        begin(max(ensemble.blocks_done) + 3)
        assert int(process.stdout.readline()) == 0
        process.stdin.close()
    assert done >= 15
    assert_right(Ensemble.open(path))
    assert Ensemble.open(path).blocks_done.tolist() == [max(ensemble.blocks_done) + 3] * 2


def test_full_disk_loses_nothing(path):
    noise = np.random.default_rng(0).normal(size=(4, 2, *SHAPE, 40)).astype(np.float32)
    settings = dict(shape=(*SHAPE, 40), dtype="float32", state={}, series=["m"], temperatures=[1.0])
    with create(path, **settings) as ensemble:
        ensemble.append(0, noise, {"m": np.ones((4, 2))})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        try:
            with pytest.raises(UsageError, match=r"cannot write .*E.zarr.*Free some space"):
                ensemble.append(0, noise, {"m": np.ones((4, 2))})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert ensemble.blocks_done.tolist() == [1]
        ensemble.append(0, noise + 1, {"m": np.ones((4, 2))})
    np.testing.assert_array_equal(Ensemble.open(path).configurations(0, 4), (noise + 1).swapaxes(0, 1))


def test_creation_is_all_or_nothing(path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Group, "create_group", full)
        with pytest.raises(UsageError, match="No space left"):
            create(path)
    assert list(path.parent.iterdir()) == []


# Bad input.


def damage(path, name):
    """Flip one bit in the middle of a file."""
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (path / name).write_bytes(data)


def test_two_writers_refuse_each_other(path):
    with create(path) as ensemble:
        with pytest.raises(UsageError, match="is being written by another process"):
            Ensemble.open(path, writable=True)
        Ensemble.open(path)
        fill(ensemble, 1)
    with pytest.raises(UsageError, match="open for reading only"):
        ensemble.append(0, None, {})
    Ensemble.open(path, writable=True).close()


def test_nothing_is_overwritten(full):
    before = sorted(full.rglob("*"))
    with pytest.raises(UsageError, match="exists already"):
        create(full)
    assert sorted(full.rglob("*")) == before


def test_not_an_ensemble(tmp_path):
    zarr.open_group(tmp_path / "foreign.zarr", mode="w", zarr_format=3, attributes={"format": "other"})
    zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.npy").write_bytes(b"")
    for name, message in {
        "nowhere.zarr": "there is no ensemble",
        "file.npy": "is a file, not an ensemble",
        "folder": "a folder without zarr.json",
        "old.zarr": "a zarr store of format 2",
        "foreign.zarr": "a zarr store, but not an ensemble",
    }.items():
        with pytest.raises(UsageError, match=message):
            Ensemble.open(tmp_path / name)


def test_another_version_is_refused(full):
    header = json.loads((full / "zarr.json").read_text())
    header["attributes"]["schema_version"] = 2
    (full / "zarr.json").write_text(json.dumps(header))
    with pytest.raises(UsageError, match=r"format version 2; this version of deeprg reads 1"):
        Ensemble.open(full)


@pytest.mark.parametrize(
    "name",
    [
        "configurations/c/1/0/2/0/0",
        "energy_per_site/c/0/0/1",
        "state/stream/c/0/1/0",
        "state/steps/c/0/0",
        "blocks_done/c/1",
        "temperature/c/0",
        "blocks_done/zarr.json",
        "magnetization/zarr.json",
        "zarr.json",
    ],
)
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_cut_short(full, name, how):
    if how == "missing":
        (full / name).unlink()
    else:
        (full / name).write_bytes(b"")
    with pytest.raises(UsageError, match=r"cut short|damaged"):
        Ensemble.open(full)


@pytest.mark.parametrize("how", ["one bit", "half"])
def test_damaged_chunks_are_noticed(full, how):
    for name, read in {
        "configurations/c/1/0/1/0/0": lambda e: e.configurations(1),
        "magnetization/c/0/0/0": lambda e: e.series("magnetization", 0),
        "state/stream/c/0/1/0": lambda e: e.state(1),
    }.items():
        kept = (full / name).read_bytes()
        if how == "half":
            (full / name).write_bytes(kept[: len(kept) // 2])
        else:
            damage(full, name)
        ensemble = Ensemble.open(full)
        with pytest.raises(UsageError, match="is damaged or was cut short"):
            read(ensemble)
        with pytest.raises(UsageError, match="is damaged or was cut short"):
            ensemble.verify()
        (full / name).write_bytes(kept)
    Ensemble.open(full).verify()


def test_reading_beyond_the_valid_draws(path):
    with create(path) as ensemble:
        fill(ensemble, 1)
        with pytest.raises(
            UsageError, match=r"Draws 0 to 5 were asked at temperature 1 .* 4 of 10 are finished"
        ):
            ensemble.configurations(1, 0, 5)
        with pytest.raises(UsageError, match="no temperature 2"):
            ensemble.configurations(2)
        with pytest.raises(
            UsageError, match=r"has no series 'energy'. It has: magnetization, energy_per_site"
        ):
            ensemble.series("energy", 0)


def test_blocks_that_do_not_fit(path):
    with create(path) as ensemble:
        state, spins, series = advance(start(0), 4)
        wrong = [
            ((spins[:3], series, state), "shape"),
            ((spins.astype(np.float32), series, state), "type float32, not int8"),
            ((None, series, state), "needs configurations"),
            (
                (spins, {"magnetization": series["magnetization"]}, state),
                "needs configurations, magnetization",
            ),
            ((spins, series, None), "stores the sampler state"),
            ((spins, series, {**state, "steps": np.array(1.0)}), "'steps' is float64"),
            ((spins, series, {**state, "steps": "x"}), "only numbers"),
        ]
        for arguments, message in wrong:
            with pytest.raises(UsageError, match=message):
                ensemble.append(0, *arguments)
        with pytest.raises(UsageError, match=r"Block 1 cannot be written .* the next one is 0"):
            ensemble.append(0, spins, series, state, expected_block=1)
        broken = {**series, "magnetization": np.where(np.eye(4, 2) > 0, np.nan, 1.0)}
        with pytest.raises(NumericalError, match="2 numbers that are not finite"):
            ensemble.append(0, spins, broken, state)
        assert ensemble.blocks_done.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block": 0}, "at least 1 for 'block'"),
        ({"temperatures": []}, "at least 1 for 'temperatures'"),
        ({"dtype": "int32"}, "stored as int8, float32, float64"),
        ({"series": ["state"]}, "cannot be called 'state'"),
        ({"series": ["a b"]}, "cannot be called 'a b'"),
        ({"series": ["a", "a"]}, "must differ"),
        ({"series": [], "keep_configurations": False}, "at least one series"),
        ({"state": {"a": "text"}}, "only numbers"),
        ({"block": 10**6, "chains": 1000}, "at most 1 GiB"),
    ],
)
def test_impossible_ensembles(path, changes, message):
    with pytest.raises(UsageError, match=message):
        create(path, **changes)
    assert list(path.parent.iterdir()) == []


def test_imported_data_cannot_be_extended(path):
    with create(path, state={}) as ensemble, pytest.raises(UsageError, match="no sampler state"):
        ensemble.extend(100)


def test_nothing_heavy_is_imported():
    code = (
        "import sys, deeprg.montecarlo; assert not {'zarr', 'xarray', 'h5py', 'numba'} & set(sys.modules);"
        "import deeprg.montecarlo.ensembles; assert not {'xarray', 'h5py', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

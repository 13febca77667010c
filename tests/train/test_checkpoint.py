"""Checkpoints: exact, written in one step, and refused with the path when they cannot be used."""

import errno
import json
import os

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.runs.errors import UsageError
from deeprg.train import (
    Checkpoints,
    Plan,
    TrainState,
    key_batches,
    load_checkpoint,
    load_model,
    read_header,
    save_checkpoint,
    train,
)

PLAN = Plan(steps=12, batch=4, learning_rate=0.05, clip_norm=1.0, ema_decay=0.9)


class Toy(eqx.Module):
    net: eqx.nn.MLP
    scale: float  # a Python number is stored too
    count: jax.Array
    half: jax.Array

    def __init__(self, width, *, key):
        self.net = eqx.nn.MLP(2, "scalar", width, 1, key=key)
        self.scale = 2.0
        self.count = jnp.arange(3)
        self.half = jnp.ones(2, jnp.bfloat16)

    def __call__(self, x):
        return self.scale * self.net(x)


def objective(model, keys):
    x = jax.vmap(lambda k: jax.random.normal(k, (2,)))(keys)
    return jnp.mean((jax.vmap(model)(x) - x[:, 0]) ** 2), {}


def fresh(width=3, plan=PLAN, seed=0):
    return TrainState.create(Toy(width, key=jax.random.key(seed)), plan, key=jax.random.key(seed))


@pytest.fixture(scope="module")
def trained():
    return train(fresh(), objective, key_batches, PLAN).state


@pytest.fixture
def path(trained, tmp_path):
    save_checkpoint(tmp_path / "last.eqx", trained, config={"train": {"steps": 12}})
    return tmp_path / "last.eqx"


def equal(a, b):
    def raw(x):
        key = eqx.is_array(x) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(x) if key else x)

    a, b = (jax.tree.leaves(eqx.filter(tree, eqx.is_array_like)) for tree in (a, b))
    return len(a) == len(b) and all(raw(x).tobytes() == raw(y).tobytes() for x, y in zip(a, b, strict=True))


def test_round_trip_is_exact(path, trained):
    state, header = load_checkpoint(path, like=fresh(seed=5))
    assert equal(state, trained)
    assert state.model.half.dtype == jnp.bfloat16
    assert header["step"] == 12
    assert header["seconds"] == trained.seconds
    assert header["config"] == {"train": {"steps": 12}}
    assert header["smoothed"] == pytest.approx(float(trained.smoothed))


def test_the_header_is_one_line_of_json(path):
    first = path.read_bytes().split(b"\n", 1)[0]
    assert json.loads(first) == read_header(path)


def test_model_without_optimiser(path, trained):
    assert equal(load_model(path, fresh(seed=5).model), trained.averaged)
    assert equal(load_model(path, fresh(seed=5).model, averaged=False), trained.model)
    with pytest.raises(UsageError, match=r"another model: .*net.*"):
        load_model(path, fresh(width=4).model)


@pytest.mark.parametrize("keep", [0, 40, 2000, -1])
def test_truncated(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[:keep])
    with pytest.raises(UsageError, match=rf"'{path}' is (empty|truncated|not a checkpoint)"):
        load_checkpoint(path, like=fresh())


def test_damaged_and_too_long(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UsageError, match="checksum is wrong"):
        load_checkpoint(path, like=fresh())
    path.write_bytes(bytes(data) + b"more")
    with pytest.raises(UsageError, match="too long"):
        load_checkpoint(path, like=fresh())


@pytest.mark.parametrize(
    "content", [b"\x89HDF\r\n\x1a\n" * 9, b"{}\n", b"[1]\n", b'{"format": "x"}\n', b"\x00" * 99]
)
def test_foreign(tmp_path, content):
    path = tmp_path / "other.eqx"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"other\.eqx' is not a checkpoint of this package"):
        load_checkpoint(path, like=fresh())


def test_newer_format_missing_file_and_folder(path, tmp_path):
    path.write_bytes(path.read_bytes().replace(b'"version": 1', b'"version": 9', 1))
    with pytest.raises(UsageError, match="format 9; only 1"):
        read_header(path)
    for place in (tmp_path / "none.eqx", tmp_path):
        with pytest.raises(UsageError, match=rf"cannot read '{place}'"):
            read_header(place)


def test_other_model_other_optimiser_other_precision(path):
    with pytest.raises(UsageError, match=r"float64\[3, 2\] in the file, but float64\[4, 2\] is expected"):
        load_checkpoint(path, like=fresh(width=4))
    arrays, rest = eqx.partition(fresh(), eqx.is_inexact_array)
    single = eqx.combine(jax.tree.map(lambda x: x.astype(jnp.float32), arrays), rest)
    with pytest.raises(UsageError, match=r"but float32\[3, 2\] is expected"):
        load_checkpoint(path, like=single)
    deeper = eqx.tree_at(lambda s: s.best, fresh(), (jnp.zeros(()), jnp.zeros(())))
    with pytest.raises(UsageError, match="another model"):
        load_checkpoint(path, like=deeper)


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_full_disk_keeps_the_old_checkpoint(path, trained, monkeypatch, broken):
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(UsageError, match=rf"cannot write '{path}': No space left"):
        save_checkpoint(path, fresh())
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["last.eqx"]


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write '.*file/ckpt'"):
        Checkpoints(tmp_path / "file" / "ckpt").save(fresh())
    with pytest.raises(UsageError, match=r"cannot write '.*file/ckpt'"):
        train(fresh(), objective, key_batches, PLAN, checkpoints=Checkpoints(tmp_path / "file" / "ckpt"))


def test_best_is_the_lowest_smoothed_loss(tmp_path):
    kept = Checkpoints(tmp_path)
    for step, loss in enumerate([3.0, 1.0, 2.0]):
        values = (jnp.array(step, jnp.int32), jnp.array(loss))
        kept.save(eqx.tree_at(lambda s: (s.step, s.smoothed), fresh(), values))
    assert read_header(kept.best)["step"] == 1
    assert read_header(kept.last)["step"] == 2
    again = Checkpoints(tmp_path)  # after a restart the file, not the memory, knows the best
    again.save(eqx.tree_at(lambda s: s.smoothed, fresh(), jnp.array(1.5)))
    assert read_header(again.best)["step"] == 1


def test_cadence(tmp_path, monkeypatch):
    monkeypatch.setattr("deeprg.train.loop._chunk_length", lambda per_step, room: 4)
    steps = []

    class Counting(Checkpoints):
        def save(self, state):
            steps.append(int(state.step))
            super().save(state)

    train(fresh(), objective, key_batches, PLAN, checkpoints=Counting(tmp_path, every=0.0))
    assert steps == [4, 8, 12, 12]
    steps.clear()
    train(fresh(), objective, key_batches, PLAN, checkpoints=Counting(tmp_path, every=1000.0))
    assert steps == [12]

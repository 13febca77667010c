"""Signals, kills and several processes: everything that needs a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys

import equinox as eqx
import jax
import numpy as np
import pytest

from deeprg.runs.errors import UsageError
from deeprg.train import StopRequest
from deeprg.train.distributed import agree, global_array, start

COMMON = """
import sys, time
import jax, jax.numpy as jnp
from deeprg.train import Checkpoints, Plan, TrainState, key_batches, train
import deeprg.train.loop as loop

def objective(model, keys):
    x = jax.vmap(lambda k: jax.random.normal(k, (3,)))(keys)
    return jnp.mean((x @ model["w"] - jnp.sin(x).sum(axis=1)) ** 2), {}

def new(plan):
    return TrainState.create({"w": jnp.zeros(3)}, plan, key=jax.random.key(7))
"""

# Chunks of 5 steps and a pause in each, so that a signal finds the training half way.
SLOW = (
    COMMON
    + """
loop._chunk_length = lambda per_step, room: 5
plan = Plan(steps=60, batch=8, learning_rate=0.05, warmup=0.1)
folder, pause = sys.argv[1], float(sys.argv[2])
kept = Checkpoints(folder, every=0.0)
state = kept.load(new(plan))[0] if kept.last.exists() else new(plan)

def on_chunk(record):
    print(record["step"], flush=True)
    time.sleep(pause)

result = train(state, objective, key_batches, plan, checkpoints=kept, on_chunk=on_chunk)
print(result.reason, int(result.state.step), flush=True)
sys.exit(result.exit_code)
"""
)


def spawn(code, *arguments, devices=1):
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(process, step):
    for line in process.stdout:
        if line.strip() and int(line) >= step:
            return
    raise AssertionError(process.stderr.read())


def final(folder):
    like = {"w": np.zeros(3, np.float32)}
    with open(folder / "last.eqx", "rb") as file:
        file.readline()
        return eqx.tree_deserialise_leaves(file, (like, like))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("whole")
    assert spawn(SLOW, folder, 0.0).communicate(timeout=60)[0].endswith("done 60\n")
    return folder


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_interrupted_and_resumed_equals_uninterrupted(kind, whole, tmp_path):
    process = spawn(SLOW, tmp_path / "cut", 0.1)
    until(process, 15)
    process.send_signal(kind)
    out, err = process.communicate(timeout=60)
    assert (tmp_path / "cut" / "last.eqx").exists(), err
    if kind == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        reason = {signal.SIGTERM: "sigterm", signal.SIGINT: "interrupt"}[kind]
        assert process.returncode == {"sigterm": 75, "interrupt": 130}[reason], err
        stopped, step = out.split("\n")[-2].split()
        assert stopped == reason
        assert 15 <= int(step) < 60
    again = spawn(SLOW, tmp_path / "cut", 0.0)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert out.endswith("60\ndone 60\n")
    for ours, theirs in zip(
        jax.tree.leaves(final(tmp_path / "cut")), jax.tree.leaves(final(whole)), strict=False
    ):
        assert np.array_equal(ours, theirs)
        assert np.abs(ours).max() > 0.1
    assert [path.name for path in sorted((tmp_path / "cut").iterdir())] == ["best.eqx", "last.eqx"]


def test_a_second_interrupt_is_immediate():
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == "interrupt"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    with pytest.raises(ValueError, match="'bored'"):
        StopRequest().request("bored")


TWO = (
    COMMON
    + """
import json
from deeprg.train.distributed import agree, data_mesh, global_array, is_writer, start
import numpy as np
folder, process, port = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if port != "0":
    start(f"127.0.0.1:{port}", 2, process)
    part = global_array(np.arange(8.0, dtype=np.float32), data_mesh(), "data").addressable_shards[0].data
    assert np.array_equal(part, np.arange(4.0) + 4 * process)
    assert np.array_equal(agree([process, 0.5]), [[0.0, 0.5], [1.0, 0.5]])
losses, draws = [], {}
plan = Plan(steps=40, batch=8, learning_rate=0.05, clip_norm=1.0)
loop._chunk_length = lambda per_step, room: 1
result = train(new(plan), objective, key_batches, plan, on_chunk=lambda r: losses.append(r["loss"]),
               checkpoints=Checkpoints(f"{folder}/{process}"))
clock = Plan(steps=100, minutes=0.5, batch=8)
timed = train(new(clock), objective, key_batches, clock)
assert timed.reason == "done"
w = [float(x) for x in timed.state.model["w"]]
v = [float(x) for x in result.state.model["w"]]
print(json.dumps([losses, v, len(jax.devices()), w, int(timed.state.step)]))
"""
)


def test_two_processes_give_the_losses_of_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pair = [spawn(TWO, tmp_path / "pair", i, port) for i in range(2)]
    results = {"first": pair[0], "second": pair[1]}
    outputs = {name: process.communicate(timeout=60) for name, process in results.items()}
    assert all(process.returncode == 0 for process in results.values()), outputs
    outputs["one"] = spawn(TWO, tmp_path, 0, 0).communicate(timeout=60)
    values = {name: json.loads(out.splitlines()[-1]) for name, (out, _) in outputs.items()}
    assert [values[name][2] for name in ("first", "second", "one")] == [2, 2, 1]
    for name in ("first", "second"):
        np.testing.assert_allclose(values[name][0], values["one"][0], rtol=1e-5)
        np.testing.assert_allclose(values[name][1], values["one"][1], rtol=1e-4)
    # Also when the clock rules, both processes make the same steps at the same rates.
    assert values["first"][3:] == values["second"][3:]
    assert (tmp_path / "pair" / "0" / "last.eqx").exists()
    assert not (tmp_path / "pair" / "1").exists()


def test_start_refuses_incomplete_arguments():
    with pytest.raises(UsageError, match="give all three"):
        start("host:1234", 2)
    with pytest.raises(UsageError, match="must be host:port"):
        start("host", 2, 0)
    with pytest.raises(UsageError, match=r"process_id = 2 must be in 0 \.\. 1"):
        start("host:1234", 2, 2)


def test_one_process_agrees_with_itself():
    assert agree([1.0, 2.0]).tolist() == [[1.0, 2.0]]


def test_global_array_does_not_share_memory():
    from deeprg.train.distributed import data_mesh

    host = np.arange(4.0)
    array = global_array(host, data_mesh(), "data")
    host[:] = 0
    assert np.array_equal(array, np.arange(4.0))
    assert len({shard.device for shard in array.addressable_shards}) == 2

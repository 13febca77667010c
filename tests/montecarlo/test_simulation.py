"""A simulation plans, runs, resumes bit for bit, extends, and refuses what cannot be."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from deeprg.montecarlo.analysis import analyse
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.montecarlo.running import simulate
from deeprg.montecarlo.samplers import ALGORITHMS, choose_algorithm
from deeprg.montecarlo.simulation import Simulation
from deeprg.runs.errors import UsageError

T_C = 2.269185314213022
# One small simulation per algorithm.
SMALL = {
    "metropolis": Simulation("ising", (4, 4), (2.0, 2.5), algorithm="metropolis", chains=4),
    "heat-bath": Simulation("potts", (4, 4), (1.0, 1.1), algorithm="heat-bath", chains=4),
    "multispin": Simulation("ising", (4, 4), (2.0, 2.5), algorithm="multispin", chains=64),
    "bit-parallel": Simulation("ising", (4, 4), (2.0, 2.5), algorithm="bit-parallel", chains=32),
    "wolff": Simulation("ising", (4, 4), (2.0, 2.5), algorithm="wolff", chains=3),
    "swendsen-wang": Simulation("potts", (4, 4), (1.0, 1.1), algorithm="swendsen-wang", chains=3),
    "embedded-wolff": Simulation("xy", (4, 4), (0.8, 0.9), algorithm="embedded-wolff", chains=3),
    "embedded-swendsen-wang": Simulation("phi4", (4, 4), algorithm="embedded-swendsen-wang", chains=3),
    "hmc": Simulation("phi4", (4, 4), algorithm="hmc", chains=3),
    "nuts": Simulation("gaussian", (4, 4), algorithm="nuts", chains=3),
    "tempering": Simulation("random-bond", (4, 4), (1.0, 1.5), algorithm="tempering", chains=4),
    "worm": Simulation("dimers", (4, 4), (1.0,), algorithm="worm", chains=3),
}


def _planned(name, samples=None):
    plan = SMALL[name]
    chains = plan.chains or 1
    values = {**plan.to_dict(), "samples": samples or 30 * chains, "thermalise": 20, "block": 0}
    plan = Simulation.from_dict(values).plan()
    return Simulation.from_dict({**plan.to_dict(), "block": 7})


def _content(ensemble):
    return [
        [ensemble.configurations(t)] + [ensemble.series(name, t) for name in ensemble.series_names]
        for t in range(len(ensemble.temperatures))
    ]


def _same(a, b):
    return all(
        np.array_equal(x, y) for one, two in zip(a, b, strict=True) for x, y in zip(one, two, strict=True)
    )


def test_every_algorithm_is_tried():
    assert set(SMALL) == set(ALGORITHMS)


@pytest.mark.parametrize("name", SMALL)
def test_resume_is_bit_for_bit(name, tmp_path):
    plan = _planned(name)
    whole = simulate(plan, tmp_path / "whole.zarr", workers=2)
    assert whole.valid_draws(0) == plan.draws == 30
    assert whole.configurations(0).shape == (plan.chains, 30, *plan.shape)
    assert whole.info(0)["updates"].sum() > 0
    seen = []

    def stop_after_two():
        seen.append(1)
        return len(seen) >= 2

    part = simulate(plan, tmp_path / "part.zarr", workers=1, should_stop=stop_after_two)
    assert part.blocks_done.sum() < whole.blocks_done.sum()
    again = simulate(plan, tmp_path / "part.zarr", workers=1)
    assert _same(_content(again), _content(whole))
    assert {n: v.dtype for n, v in whole.state(0).items()} == {n: v.dtype for n, v in again.state(0).items()}


@pytest.mark.parametrize(("name", "several"), [("wolff", True), ("swendsen-wang", False), ("worm", True)])
def test_updates_between_draws_when_none_are_asked_for(name, several, tmp_path):
    warm = {"wolff": (4.0,), "swendsen-wang": (4.0,), "worm": (1.0,)}[name]
    plan = Simulation.from_dict({**_planned(name).to_dict(), "temperatures": warm, "thin": None})
    thin = simulate(plan, tmp_path / "a.zarr").info(0)["thin"]
    assert (thin[0] > 1) == several
    assert (thin == thin[0]).all()


def test_more_samples_extend_an_ensemble(tmp_path):
    short, long = _planned("wolff"), _planned("wolff", samples=3 * 49)
    simulate(short, tmp_path / "a.zarr")
    grown = simulate(long, tmp_path / "a.zarr")
    assert grown.valid_draws(0) == 49
    fresh = simulate(short, tmp_path / "b.zarr")
    assert np.array_equal(grown.configurations(0, 0, 30), fresh.configurations(0))
    with pytest.raises(UsageError, match="more than"):
        simulate(short, tmp_path / "a.zarr")


def test_another_simulation_is_refused(tmp_path):
    simulate(_planned("wolff"), tmp_path / "a.zarr")
    other = Simulation.from_dict({**_planned("wolff").to_dict(), "temperatures": (2.0, 2.6), "seed": 3})
    with pytest.raises(UsageError, match=r"(?s)seed.*temperatures"):
        simulate(other, tmp_path / "a.zarr")


_CHILD = """
import sys
from deeprg.montecarlo.running import simulate
from deeprg.montecarlo.simulation import Simulation
import json
plan = Simulation.from_dict(json.loads(sys.argv[1]))
simulate(plan, sys.argv[2], workers=2, on_progress=lambda row: print(row.done, flush=True))
"""


@pytest.mark.slow
def test_a_killed_simulation_continues_with_the_same_bits(tmp_path):
    plan = Simulation("ising", (16, 16), (2.0, 2.5), samples=4000, chains=2, algorithm="wolff").plan()
    plan = Simulation.from_dict({**plan.to_dict(), "block": 20})
    path = tmp_path / "killed.zarr"
    for lines in (3, 30):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, json.dumps(plan.to_dict()), str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"},
        )
        for _ in range(lines):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert 0 < Ensemble.open(path).blocks_done.sum() < 200
    resumed = simulate(plan, path)
    assert _same(_content(resumed), _content(simulate(plan, tmp_path / "whole.zarr")))


def test_errors_in_a_thread_reach_the_caller(tmp_path, monkeypatch):
    plan = _planned("wolff")
    cls = ALGORITHMS["wolff"].load()

    def broken(self, *arguments, **options):
        raise RuntimeError("broken kernel")

    monkeypatch.setattr(cls, "run", broken)
    begun = time.monotonic()
    with pytest.raises(RuntimeError, match="broken kernel"):
        simulate(plan, tmp_path / "a.zarr", workers=2)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("model", "temperatures", "options", "algorithm", "word"),
    [
        ("ising", (2.0,), {}, "wolff", "slow down"),
        ("potts", (1.0,), {}, "wolff", "slow down"),
        ("ising", (2.0,), {"field": 0.1}, "heat-bath", "field"),
        ("ising", (2.0,), {"diagonal": -1.0}, "heat-bath", "frustrated"),
        ("random-bond", (1.0, 1.5), {}, "tempering", "frustrated"),
        ("random-bond", (1.0,), {}, "heat-bath", "frustrated"),
        ("random-bond", (1.0,), {"antiferro": 0.0}, "wolff", "slow down"),
        ("xy", (1.0,), {}, "embedded-wolff", "reflections"),
        ("phi4", (), {}, "embedded-wolff", "sign"),
        ("gaussian", (), {}, "nuts", "gradient"),
        ("dimers", (1.0,), {}, "worm", "dimers"),
    ],
)
def test_the_algorithm_that_is_chosen_and_why(model, temperatures, options, algorithm, word):
    choice = choose_algorithm(Simulation(model, (4, 4), temperatures, options).hamiltonians())
    assert choice.algorithm == algorithm
    assert word in choice.reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "izing"}, "ising"),
        ({"temperatures": ()}, "needs a temperature"),
        ({"temperatures": (2.0, 2.0)}, "twice"),
        ({"temperatures": (-1.0,)}, "positive"),
        ({"samples": 0}, "samples = 0"),
        ({"chains": 0}, "chains = 0"),
        ({"thin": 0}, "thin = 0"),
        ({"thermalise": -1}, "thermalise = -1"),
        ({"algorithm": "wulff"}, "wolff"),
        ({"algorithm": "wolff", "options": {"field": 0.5}}, "heat-bath"),
        ({"algorithm": "swendsen-wang", "options": {"diagonal": -1.0}}, "frustrat"),
        ({"algorithm": "multispin", "shape": (5, 5)}, "even"),
        ({"options": {"feild": 0.5}}, "field"),
        ({"model": "phi4"}, "no temperature"),
    ],
)
def test_what_cannot_be_simulated_is_refused(changes, message):
    values = {"model": "ising", "shape": (4, 4), "temperatures": (2.0,), **changes}
    with pytest.raises(UsageError, match=message):
        Simulation(**values).plan()


def test_analysis_flags_what_is_not_to_be_believed(tmp_path):
    cold = Simulation(
        "ising", (24, 24), (T_C,), algorithm="metropolis", samples=4 * 60, chains=4, thermalise=0, thin=1
    ).plan()
    flagged = analyse(simulate(cold, tmp_path / "cold.zarr"), 0)
    assert flagged.observables["abs_magnetization"].short
    assert max(flagged.r_hat.values()) > 1.1
    good = Simulation("ising", (4, 4), (T_C,), samples=8000).plan()
    believed = analyse(simulate(good, tmp_path / "good.zarr"), 0)
    assert believed.unequilibrated is None
    assert believed.replica_q > 1e-3
    assert max(believed.r_hat.values()) < 1.01
    assert not any(believed.observables[name].short for name in ("energy_per_site", "abs_magnetization"))
    assert believed.observables["binder_cumulant"].exact == pytest.approx(0.6171993184)
    assert abs(believed.observables["binder_cumulant"].pull) < 4
    with pytest.raises(UsageError, match="at least 8"):
        analyse(simulate(good, tmp_path / "good.zarr"), 0, discard=1995)

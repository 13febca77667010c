"""HMC in the latents of a trained 16x16 flow against HMC in its fields and Wolff's algorithm.

    python benchmarks/latent_hmc.py RUN [--chains 512] [--updates 200] [--physical 2000] [--step-size 0.2]

RUN is a run folder (`make demo` makes runs/demo). Prints the cost of a trajectory of all chains, the approach
of the mean squared magnetization from cold latents and from noise, and autocorrelation times.
"""

import argparse
import json

import numpy as np

from deeprg.cli._setup import open_run, trained
from deeprg.probes import compare_dynamics
from deeprg.report import plot_approach, plot_forgetting
from deeprg.report.style import figure
from deeprg.runs.folder import RunFolder

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("run")
parser.add_argument("--chains", type=int, default=512)
parser.add_argument("--updates", type=int, default=200)
parser.add_argument("--physical", type=int, default=2000)
parser.add_argument("--step-size", type=float, default=None, help="of both; default: each tuned")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--figure", default=None)
arguments = parser.parse_args()

run = RunFolder.open(arguments.run)
setup = open_run(run)
exact = setup.reference.observables.get("magnetization_squared") if setup.reference else None
courses = compare_dynamics(
    trained(run, setup),
    setup.hamiltonian,
    chains=arguments.chains,
    updates=arguments.updates,
    physical_updates=arguments.physical,
    step_size=arguments.step_size,
    seed=arguments.seed,
)
rows = {}
for name, course in courses.items():
    value, error = course.mean("magnetization_squared")
    at = [u for u in (10, 50, 100, 200, 490, 1000, 2000) if u <= course.updates]
    row = {
        "chains": course.chains,
        "seconds_per_update": course.seconds,
        "acceptance": course.acceptance,
        "step_size": course.step_size,
        "divergences": course.divergences,
        "m2_after": {u: [round(float(value[u - 1]), 4), round(float(error[u - 1]), 4)] for u in at},
    }
    for observable in ("abs_magnetization", "energy_per_site", "magnetization", "structure_factor_min"):
        estimate = course.estimate(observable)
        row[f"tau_{observable}"] = [estimate.tau_int, estimate.tau_int_error, estimate.short]
    row["seconds_per_independent_sample"] = course.seconds_per_independent_sample("abs_magnetization")
    late = course.estimate("magnetization_squared")
    row["m2"] = [late.mean, late.error, exact]
    rows[name] = row
print(json.dumps(rows, indent=1, default=float))
if arguments.figure:
    fig, axes = figure(11.0, 3.4, ncols=3)
    plot_approach(axes[0], courses, exact=exact)
    plot_approach(axes[1], courses, by="seconds", exact=exact)
    plot_forgetting(axes[2], courses)
    fig.savefig(arguments.figure)
    np.savez(
        arguments.figure + ".npz", **{f"{n}-{k}": v for n, c in courses.items() for k, v in c.series.items()}
    )

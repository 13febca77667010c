"""The spins that `deeprg compare` judges on: configurations that are there, or a critical ensemble."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from deeprg.cli._boltzmann_data import Configurations
from deeprg.cli._console import say
from deeprg.cli._mera_setup import spin_models
from deeprg.cli._probing import one_temperature
from deeprg.cli._simulating import plan, run_simulation
from deeprg.hamiltonians import MODELS
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.montecarlo.simulation import Simulation
from deeprg.runs.errors import UsageError

__all__ = ["CriticalEnsemble", "asked_data", "critical_ensemble", "is_whole"]

_SAMPLES = 10_000


@dataclass(frozen=True)
class CriticalEnsemble:
    """A planned simulation at T_c that will lie at `path`."""

    simulation: Simulation
    path: Path

    @property
    def lattice(self) -> Lattice:
        """Where the spins will live."""
        return Lattice(self.simulation.shape)

    def simulate(self) -> int:
        """What `deeprg simulate` does, without its table; returns its exit code."""
        model, count = self.simulation.model, self.simulation.samples
        say(f"simulating {count} configurations of {model} on {self.lattice} at T_c")
        with contextlib.redirect_stdout(io.StringIO()):
            return run_simulation(self.simulation, self.path, workers=None, json=True)


def critical_ensemble(model: str, size: int, path: Path, samples: int = _SAMPLES) -> CriticalEnsemble:
    """The simulation of a model at T_c on size x size, planned, the rest of it where it was stopped.

    Raises `UsageError` for what cannot be.
    """
    if model in MODELS and model not in spin_models():
        raise UsageError(f"The bench judges spins ±1, which the model '{model}' has not; take ising:{size}.")
    simulation, path = plan(
        model,
        (),
        shape=f"{size}x{size}",
        temperature="critical",
        out=path,
        resume=path if path.exists() else None,
        samples=samples,
    )
    return CriticalEnsemble(simulation, path)


def is_whole(path: Path) -> bool:
    """Whether the ensemble is there, with all draws that were planned."""
    if not path.exists():
        return False
    ensemble = Ensemble.open(path)
    return ensemble.valid_draws(0) == ensemble.draws


def asked_data(
    data: str | None, source: Path | None, temperature: str | None
) -> Configurations | CriticalEnsemble:
    """The configurations of --with, or of --data MODEL:SIZE, planned where they are not there yet."""
    if data is None and source is None:
        raise UsageError(
            "which configurations? Give --data ising:32, or --with E.zarr (see deeprg simulate)."
        )
    if source is not None:
        if data is not None:
            raise UsageError(
                f"--data {data} and --with {source} exclude each other. Give --data ising:32, or --with "
                "E.zarr, not both."
            )
        return one_temperature(source, temperature)
    model, colon, size = str(data).partition(":")
    if not colon or not size.isdigit():
        raise UsageError(f"--data {data}: write MODEL:SIZE, for example ising:32.")
    if temperature is not None:
        raise UsageError(
            "--data is at the critical temperature; for others simulate, and give --with E.zarr."
        )
    path = Path("ensembles") / f"{model}-{size}x{size}-critical.zarr"
    if is_whole(path):
        say(f"configurations of {path}, which is there already")
        return one_temperature(path, None)
    return critical_ensemble(model, int(size), path)

"""What others read: weighted draws of a model as a zarr store, chains as a tree in ArviZ's schema."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deeprg.runs.atomic import jsonable
from deeprg.runs.errors import UsageError

from ._disk import disk_guard, new_folder
from ._reading import EnsembleReader

__all__ = ["write_arviz", "write_weighted"]


def write_weighted(
    path: str | Path,
    configurations: np.ndarray,
    log_weights: np.ndarray,
    scalars: Mapping[str, np.ndarray],
    *,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Independent draws x ~ q with their ln w as a zarr store that `xarray.open_zarr` reads.

    `configurations` [sample, x0, x1, …], `log_weight` [sample] with w = exp(-H(x))/q(x), and the scalars
    [sample]; averages over the target are Σ w O / Σ w. The folder appears whole or not at all. It is not an
    ensemble: its draws are of the model. Raises `UsageError` when `path` exists or the disk is full.

    >>> import tempfile, xarray
    >>> path = tempfile.mkdtemp() + "/W.zarr"
    >>> write_weighted(path, np.ones((5, 4, 4)), np.zeros(5), {"m": np.ones(5)}, attributes={"seed": 0})
    >>> float(xarray.open_zarr(path, consolidated=False, chunks=None)["m"].sum())
    5.0
    """
    import xarray

    axes = [f"x{axis}" for axis in range(configurations.ndim - 1)]
    data = xarray.Dataset(
        {
            "configurations": (["sample", *axes], configurations),
            "log_weight": (["sample"], log_weights),
            **{name: (["sample"], values) for name, values in scalars.items()},
        },
        attrs={"about": json.dumps(jsonable(dict(attributes or {})), allow_nan=False)},
    )
    with new_folder(Path(path)) as hidden:
        data.to_zarr(hidden, zarr_format=3, consolidated=False)


def write_arviz(ensemble: EnsembleReader, path: str | Path, *, temperature_index: int = 0) -> None:
    """The series of one temperature as netCDF with the groups of ArviZ, for `arviz.from_netcdf(path)`.

    `posterior` has every series [chain, draw]; the attributes say what was sampled and how. Raises
    `UsageError` when nothing is finished, when `path` exists, and when it cannot be written.

    >>> import tempfile, xarray
    >>> from deeprg.montecarlo.running import simulate
    >>> from deeprg.montecarlo.simulation import Simulation
    >>> folder = tempfile.mkdtemp()
    >>> ensemble = simulate(Simulation("ising", (4, 4), (2.0,), samples=64), folder + "/E.zarr")
    >>> write_arviz(ensemble, folder + "/E.nc")
    >>> tree = xarray.open_datatree(folder + "/E.nc", engine="h5netcdf")
    >>> dict(tree["posterior"].sizes)
    {'chain': 4, 'draw': 16}
    """
    import xarray

    path = Path(path)
    if path.exists():
        raise UsageError(f"'{path}' exists and is never overwritten. Choose another place.")
    draws = ensemble.valid_draws(temperature_index)
    if draws == 0:
        raise UsageError(f"'{ensemble.path}' has no finished block yet; there is nothing to write.")
    series = {
        name: (["chain", "draw"], ensemble.series(name, temperature_index)) for name in ensemble.series_names
    }
    coordinates = {"chain": np.arange(ensemble.chains), "draw": np.arange(draws)}
    origin = json.dumps(jsonable(ensemble.provenance), allow_nan=False)
    posterior = xarray.Dataset(
        series,
        coords=coordinates,
        attrs={
            "inference_library": "deeprg",
            "sampler": ensemble.provenance["algorithm"],
            "temperature": str(ensemble.provenance["temperatures"][temperature_index]),
            "provenance": origin,
        },
    )
    hidden = path.with_name(f".{path.name}.new")
    try:
        with disk_guard(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            xarray.DataTree.from_dict({"posterior": posterior}).to_netcdf(hidden, engine="h5netcdf")
            hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)

"""Data that a flow's density is fitted to: what they are, what they say about the run, and their parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import ConfigDict

from deeprg.cli._boltzmann_data import Configurations, load_configurations, parts
from deeprg.cli._schema import DataConfig, lattice_shape
from deeprg.cli._settings import Settings
from deeprg.coarsegrain.flow import (
    AbstractDequantiser,
    AsFields,
    DualFields,
    Logit,
    Standardise,
    UniformNoise,
)
from deeprg.hamiltonians import HAMILTONIANS, MODELS, AbstractHamiltonian, ContinuousDual
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.runs.config import Resolved, inside
from deeprg.runs.errors import UsageError
from deeprg.runs.schema import Config, validate

__all__ = ["FlowData", "Kind", "Series", "fixed_maps", "read_data"]

Kind = Literal["spins", "fields", "images", "arrays"]
_FEWEST, _FEWEST_HELD_OUT = 100, 10
_REPEATS = 0.01  # part of all entries that one value of real fields may take
_FEW_VALUES = 1024
_SMALLEST_SCALE = 1e-3


@dataclass(frozen=True, eq=False)
class Series:
    """Rows [n, *lattice] of data that follow each other in time: chains of draws, n = chains x draws."""

    rows: np.ndarray
    chains: int
    draws: int
    ordered: bool

    @classmethod
    def of(cls, group: np.ndarray, ordered: bool) -> "Series":
        """The rows of configurations [chains, draws, *lattice]."""
        return cls(group.reshape(-1, *group.shape[2:]), group.shape[0], group.shape[1], ordered)

    def folded(self, values: np.ndarray) -> np.ndarray:
        """One number per row as [chains, draws], or [n] where the rows are independent."""
        return values.reshape(self.chains, self.draws) if self.ordered else values


@dataclass(frozen=True, eq=False)
class FlowData:
    """The data of a run: rows to train on, others that choose the best checkpoint, others for the judgement.

    `kind`: "spins" (fitted through the continuous dual), "fields" of a known Hamiltonian, "images" (integers)
    and "arrays" (real numbers) without one. `layer` is what the data decide about the configuration.
    """

    config: DataConfig
    configurations: Configurations
    kind: Kind
    train: Series
    validation: Series
    test: Series
    layer: dict[str, Any]

    @property
    def has_hamiltonian(self) -> bool:
        """Whether the law behind the data is known."""
        return self.kind in ("spins", "fields")

    def dequantiser(self, hamiltonian: AbstractHamiltonian | None, dtype: Any) -> AbstractDequantiser:
        """What turns a row into a field that has a density."""
        if self.kind == "spins":
            assert isinstance(hamiltonian, ContinuousDual)
            return DualFields(hamiltonian, dtype)
        if self.kind == "images":
            assert self.config.levels is not None
            return UniformNoise(self.config.levels, dtype)
        return AsFields(dtype)

    def describe(self) -> str:
        """One line."""
        counts = [len(part.rows) for part in (self.train, self.validation, self.test)]
        return (
            f"{self.configurations.describe()}: {counts[0]} to train on, {counts[1]} choose the best "
            f"checkpoint, {counts[2]} judge"
        )


class _Wanted(Config):
    """The part of a configuration that is about data."""

    model_config = ConfigDict(extra="ignore")

    data: DataConfig


def read_data(settings: Settings, run: Mapping[str, Any] | None) -> FlowData:
    """The data that the settings name; `run` is the configuration of the run that is continued.

    Raises `UsageError` for data that cannot be read or have no density, for too few of them, and where they
    contradict the settings.
    """
    resolved = settings.resolved
    table = {"data": resolved.values["data"]}
    sources = {path: source for path, source in resolved.sources.items() if inside(path, "data")}
    config = validate(_Wanted, Resolved(table, sources)).data
    given = dict(settings.given.get("hamiltonian", {}))
    is_array = Path(config.path).suffix == ".npy"
    if not is_array and run is None and "temperature" in given:
        config = config.model_copy(update={"temperature": str(given["temperature"])})
    try:
        found = load_configurations(config.path, config.temperature, single=True)
    except UsageError as error:
        if run is None:
            raise
        raise UsageError(f"the data of the run cannot be read: {error}") from error
    if config.checksum and config.checksum != found.checksum:
        raise UsageError(f"'{config.path}' has changed since the run was started. Restore it, or start anew.")
    if not all(np.isfinite(group).all() for group in found.groups if group.dtype.kind == "f"):
        raise UsageError(f"'{found.path}' holds NaN or infinity; find where they come from.")
    if found.count < _FEWEST:
        raise UsageError(
            f"'{found.path}' holds {found.count} configurations; a density needs {_FEWEST} or more."
        )
    if run is not None:
        kind, layer = _kind_of_run(run, config), {}
    elif is_array:
        kind, layer = _array(found, config, given)
    else:
        kind, layer = _ensemble(found, config, given)
    seed = resolved.values.get("seed", 0)
    (train, rest), *_ = parts(found, config.held_out, seed if isinstance(seed, int) and seed >= 0 else 0)
    first, second = _halves(rest, found, config)
    facts: dict[str, Any] = {
        "path": str(Path(config.path).resolve()),
        "temperature": config.temperature,
        "shape": list(found.lattice.shape),
        "checksum": found.checksum,
    }
    if kind in ("images", "arrays") and not config.scale:
        facts |= _standardisation(train, config.levels)
    config = config.model_copy(update=facts)
    three = (Series.of(group, found.ordered) for group in (train, first, second))
    return FlowData(config, found, kind, *three, layer=layer | {"data": facts})


def fixed_maps(config: DataConfig, lattice: Lattice) -> list[Standardise | Logit]:
    """The untrained maps from the flow's variable to arrays: a standardisation, for images a logit too."""
    shape = lattice.shape
    maps: list[Standardise | Logit] = [
        Standardise(shape, centre=np.reshape(config.centre, shape), scale=np.reshape(config.scale, shape))
    ]
    return maps if config.levels is None else [*maps, Logit(lattice.ndim)]


def _kind_of_run(run: Mapping[str, Any], config: DataConfig) -> Kind:
    if run.get("kind") == "images":
        return "arrays" if config.levels is None else "images"
    return "spins" if run["hamiltonian"]["name"] == "ising" else "fields"


def _ensemble(
    data: Configurations, config: DataConfig, given: Mapping[str, Any]
) -> tuple[Kind, dict[str, Any]]:
    """An ensemble says which Hamiltonian it is of."""
    made = Ensemble.open(data.path).provenance
    name = made["model"]
    all_options = MODELS[name].values(made["options"])
    if config.levels is not None:
        raise UsageError(
            f"--levels {config.levels} is for images; '{data.path}' is an ensemble of '{name}'. Leave it out."
        )
    entry = HAMILTONIANS.get(name)
    plain = {"geometry": "square", "diagonal": 0.0}  # a dual knows nearest neighbours only
    foreign = [
        f"{option} = {value}"
        for option, value in all_options.items()
        if entry is not None and option not in entry.options and plain.get(option) != value
    ]
    if entry is None or foreign:
        what = f"the model '{name}'{' with ' + ', '.join(foreign) if foreign else ''}"
        raise UsageError(
            f"'{data.path}' is an ensemble of {what}; densities are fitted to ensembles of "
            f"{', '.join(HAMILTONIANS)} (nearest neighbours on the square lattice) and to arrays .npy."
        )
    options = {option: value for option, value in all_options.items() if option in entry.options}
    derived = {"name": name, "shape": list(data.lattice.shape), **options}
    _refuse_contradictions(data.path, derived, given)
    if data.temperatures[0] is not None:
        derived["temperature"] = data.temperatures[0]
    return ("spins" if name == "ising" else "fields"), {"hamiltonian": derived}


def _array(data: Configurations, config: DataConfig, given: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]]:
    """What the numbers of an array and the settings say together."""
    values, name = data.groups[0], given.get("name")
    shape = {"shape": list(data.lattice.shape)}
    _refuse_contradictions(data.path, shape, given)
    named = sorted(set(given) - {"shape"})
    whole = values.dtype.kind in "iu" or bool(np.all(values == np.round(values)))
    spins = whole and bool(np.all(np.abs(values) == 1))
    if config.levels is not None:
        if named:
            raise UsageError(
                f"--levels {config.levels} says that '{data.path}' holds images, which have no Hamiltonian; "
                f"leave {', '.join(f'hamiltonian.{one}' for one in named)} out."
            )
        _check_levels(data.path, values, whole, config.levels)
        return "images", {"kind": "images"}
    if spins:
        if name not in (None, "ising") or "temperature" not in given:
            raise UsageError(
                f"'{data.path}' holds spins ±1, which have no density: a flow fitted to them as they are "
                "would gain likelihood without bound. Give --hamiltonian ising --temperature T "
                "of their sampling; they are then fitted through the continuous dual."
            )
        return "spins", {"hamiltonian": {"name": "ising", **shape}}
    if name == "ising" or (name is None and "temperature" in given):
        raise UsageError(
            f"'{data.path}' holds values from {values.min():g} to {values.max():g}; a Hamiltonian 'ising' "
            "needs spins -1 and +1."
        )
    _refuse_repeats(data.path, values, whole)
    if name is not None:
        return "fields", {"hamiltonian": shape}
    if named:
        raise UsageError(
            f"hamiltonian.{named[0]} is given, but not which Hamiltonian '{data.path}' is sampled from. Give "
            "--hamiltonian NAME too, or leave it out."
        )
    return "arrays", {"kind": "images"}


def _refuse_contradictions(path: Path, derived: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for option, value in derived.items():
        if option not in given:
            continue
        try:
            wanted = lattice_shape(given[option]) if option == "shape" else type(value)(given[option])
        except (TypeError, ValueError):  # refused by the schema, or here as another value
            wanted = given[option]
        if wanted != (tuple(value) if option == "shape" else value):
            shown = ["x".join(map(str, x)) if isinstance(x, list | tuple) else x for x in (wanted, value)]
            raise UsageError(
                f"hamiltonian.{option} is {shown[0]}, but the data in '{path}' have {shown[1]}. Leave "
                f"hamiltonian.{option} out, or take other data."
            )


def _check_levels(path: Path, values: np.ndarray, whole: bool, levels: int) -> None:
    if not whole:
        odd = values[values != np.round(values)].ravel()[0]
        raise UsageError(
            f"'{path}' holds {odd:g}, but --levels {levels} asks for the integers 0 ... {levels - 1}. Leave "
            "--levels out for real numbers, or round them."
        )
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= levels:
        hint = f" Take --levels {high + 1}." if low >= 0 else " Shift them to begin at 0."
        raise UsageError(
            f"'{path}' holds integers from {low} to {high}, but --levels {levels} allows 0 ... {levels - 1}."
            f"{hint}"
        )


def _refuse_repeats(path: Path, values: np.ndarray, whole: bool) -> None:
    """Values that come back again and again have no density."""
    distinct, counts = np.unique(values, return_counts=True)
    share = counts.max() / values.size
    if share <= _REPEATS and not (len(distinct) < _FEW_VALUES and values.size > 10 * len(distinct)):
        return
    levels = whole and distinct[0] >= 0
    remedy = (
        f"--levels {int(distinct[-1]) + 1}"
        if levels
        else "the integers 0 ... N - 1 behind them and --levels N"
    )
    raise UsageError(
        f"'{path}' holds {len(distinct)} different values, {distinct[counts.argmax()]:g} in {share:.0%} of "
        "all places: they have no density, and a flow fitted to them as they are would gain likelihood "
        f"without bound. Give {remedy}."
    )


def _halves(rest: np.ndarray, data: Configurations, config: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """The held-out configurations in two parts, the later draws (or the last chains) for the judgement."""
    chains, draws = rest.shape[:2]
    if draws >= 2:
        halves = rest[:, : draws // 2], rest[:, draws // 2 :]
    else:
        halves = rest[: chains // 2], rest[chains // 2 :]
    counts = [half.shape[0] * half.shape[1] for half in halves]
    if min(counts) < _FEWEST_HELD_OUT:
        raise UsageError(
            f"--held-out {config.held_out:g} of {data.count} configurations leaves {min(counts)} for a "
            f"judgement; {2 * _FEWEST_HELD_OUT} or more must be held out. Raise it, or give more data."
        )
    return halves


def _standardisation(train: np.ndarray, levels: int | None) -> dict[str, list[float]]:
    """Mean and standard deviation of every site over the training rows; for images with noise, as logits."""
    rows = jnp.asarray(train.reshape(-1, *train.shape[2:]), jnp.float32)
    if levels is not None:
        keys = jax.random.split(jax.random.key(0), len(rows))
        noisy = jax.vmap(lambda row, key: UniformNoise(levels, jnp.float32)(row, key=key))(rows, keys)
        rows, _ = Logit(rows.ndim - 1).inverse(jnp.moveaxis(noisy, 0, -1))
        rows = jnp.moveaxis(rows, -1, 0)
    table = np.asarray(rows, np.float64).reshape(len(rows), -1)
    spread = np.maximum(table.std(axis=0), _SMALLEST_SCALE)
    return {
        "centre": [float(f"{value:.6g}") for value in table.mean(axis=0)],
        "scale": [float(f"{value:.6g}") for value in spread],
    }

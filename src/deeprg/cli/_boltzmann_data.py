"""Rows for Boltzmann machines and configurations for probes, from an ensemble on disk or a .npy file."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np

from deeprg.coarsegrain.boltzmann import AbstractUnit
from deeprg.hamiltonians import AbstractHamiltonian, Ising, critical_temperature_of
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.runs.atomic import disk_error
from deeprg.runs.errors import UsageError

__all__ = [
    "Configurations",
    "OnLattice",
    "Split",
    "encoded",
    "load_configurations",
    "parts",
    "require_lattice",
    "split",
    "with_data",
]

_TEMPERATURE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Configurations:
    """Configurations [chains, draws, *lattice] at each of some temperatures.

    `hamiltonians` are those of the temperatures, empty for a .npy file; `ordered` says that draws of a chain
    follow each other in time.
    """

    path: Path
    groups: list[np.ndarray]
    temperatures: list[float | None]
    hamiltonians: list[AbstractHamiltonian]
    lattice: Lattice
    ordered: bool

    @property
    def count(self) -> int:
        """The number of configurations."""
        return sum(group.shape[0] * group.shape[1] for group in self.groups)

    @property
    def hamiltonian(self) -> AbstractHamiltonian | None:
        """The model behind the data where they are at one temperature."""
        return self.hamiltonians[0] if len(self.hamiltonians) == 1 else None

    @property
    def measure(self) -> AbstractHamiltonian:
        """What measures energy and magnetization: the model of the data, else Ising with J = 1."""
        return self.hamiltonians[0] if self.hamiltonians else Ising(self.lattice, temperature=1.0)

    @property
    def checksum(self) -> str:
        """Of all numbers, so that a resumed run can tell whether the file is the same."""
        value = 0
        for group in self.groups:
            value = zlib.crc32(group.tobytes(), value)
        return f"{value:08x}"

    def describe(self) -> str:
        """One line."""
        where = ", ".join(f"T = {t:.6g}" for t in self.temperatures if t is not None)
        return f"{self.count} configurations on {self.lattice} of '{self.path}'{', ' if where else ''}{where}"


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of statistics [n, features] to train on and to test with.

    `*_series` are the lengths (chains, draws) of the pieces that the rows are made of, in order: one piece
    for each temperature.
    """

    train: np.ndarray
    held_out: np.ndarray | None
    train_series: list[tuple[int, int]]
    held_out_series: list[tuple[int, int]]


def load_configurations(
    path: str | Path, temperature: str | None = None, *, single: bool = False
) -> Configurations:
    """The configurations of an ensemble E.zarr or a file of shape [n, L, L], [n, L, L, L] or [n, features].

    `temperature` is one of the ensemble's temperatures, 'critical', its number, or, unless `single`, 'all'.
    Raises `UsageError` for what cannot be read, several temperatures without a choice, and a choice that does
    not exist.
    """
    path = Path(path)
    if path.suffix == ".npy":
        if temperature is not None:
            raise UsageError(f"'{path}' is an array without temperatures; leave --temperature out.")
        return _array(path)
    if path.suffix != ".zarr" and not path.is_dir():
        hint = "there is no such file" if not path.exists() else f"the ending is '{path.suffix}'"
        raise UsageError(f"'{path}' cannot be read: {hint}. Give an ensemble E.zarr or an array .npy.")
    ensemble = Ensemble.open(path)
    chosen = _chosen(ensemble, temperature, single)
    groups = [ensemble.configurations(k) for k in chosen]
    if empty := [k for k, group in zip(chosen, groups, strict=True) if group.shape[1] == 0]:
        raise UsageError(f"'{path}' has no finished configurations at temperature number {empty[0]}.")
    has_temperature = ensemble.provenance["temperatures"]
    return Configurations(
        path=path,
        groups=groups,
        temperatures=[has_temperature[k] for k in chosen],
        hamiltonians=[ensemble.hamiltonian(k) for k in chosen],
        lattice=ensemble.lattice,
        ordered=True,
    )


def encoded(group: np.ndarray, unit: AbstractUnit, lattice: Lattice, what: str) -> np.ndarray:
    """The statistics [n, features] of configurations [chains, draws, *lattice].

    Bits may be given as they are, 0 and 1, or as spins ±1. `UsageError` for all that the unit does not take.
    """
    rows = group.reshape(-1, lattice.size)
    if unit.name == "binary" and rows.min() >= 0:
        unit.check(rows, what)
        return rows
    unit.check_values(rows, what)
    return np.asarray(unit.encode(jnp.asarray(rows, jnp.float32)))


def split(data: Configurations, unit: AbstractUnit, held_out: float, seed: int) -> Split:
    """Rows to train on and the part `held_out` of them to test with.

    Of every chain the last draws are held out, since neighbours in time are alike; of an array random rows.
    """
    train, test, train_series, test_series = [], [], [], []
    for kept, rest in parts(data, held_out, seed):
        train.append(encoded(kept, unit, data.lattice, f"'{data.path}'"))
        train_series.append((kept.shape[0], kept.shape[1]))
        if rest.shape[1]:
            test.append(encoded(rest, unit, data.lattice, f"'{data.path}'"))
            test_series.append((rest.shape[0], rest.shape[1]))
    others = np.concatenate(test) if test else None
    return Split(np.concatenate(train), others, train_series, test_series)


def parts(data: Configurations, held_out: float, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """At each temperature the configurations to train on and those held out, [chains, draws, *lattice] each.

    Of every chain the last draws are held out, since neighbours in time are alike; of an array random rows.
    """
    if not 0 <= held_out < 1:
        raise UsageError(f"--held-out {held_out:g} must be in [0, 1): a part of the configurations.")
    found = []
    for group in data.groups:
        if not data.ordered:
            group = group[:, np.random.default_rng(seed).permutation(group.shape[1])]
        draws = group.shape[1]
        kept = draws - round(held_out * draws)
        if kept < 1:
            raise UsageError(f"--held-out {held_out:g} leaves nothing of {draws} configurations to train on.")
        found.append((group[:, :kept], group[:, kept:]))
    return found


def _array(path: Path) -> Configurations:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise disk_error(path, error, "read") from None
    except (ValueError, EOFError):
        raise UsageError(
            f"'{path}' is no .npy array of numbers: it is text or pickled objects, or cut short. Write it "
            "with numpy.save."
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or not 2 <= array.ndim <= 4:
        shape = getattr(array, "shape", "?")
        raise UsageError(
            f"'{path}' has shape {shape}; numbers of shape [n, L, L] or [n, features] are needed."
        )
    if 0 in array.shape:
        raise UsageError(f"'{path}' is empty: its shape is {array.shape}.")
    if not np.isfinite(array).all():
        raise UsageError(f"'{path}' holds NaN or infinity; find where they come from.")
    array = array.astype(np.int8) if array.dtype.kind == "b" else array
    return Configurations(path, [array[None]], [None], [], Lattice(array.shape[1:]), ordered=False)


def _chosen(ensemble: Ensemble, text: str | None, single: bool) -> list[int]:
    """The numbers of the temperatures that `text` names."""
    values = ensemble.temperatures
    listed = ", ".join(f"{k}: {t:.6g}" for k, t in enumerate(values))
    words = " or 'critical'" if single else ", 'critical' or 'all'"
    if text is None:
        if len(values) > 1:
            raise UsageError(
                f"'{ensemble.path}' has {len(values)} temperatures. Choose one with --temperature, by "
                f"its value or its number ({listed}){'' if single else ', or take --temperature all'}."
            )
        return [0]
    if text == "all" and not single:
        return list(range(len(values)))
    if text == "critical":
        made = ensemble.provenance
        wanted = critical_temperature_of(made["model"], ensemble.lattice, **made["options"])
    else:
        try:
            wanted = float(text)
        except ValueError:
            raise UsageError(
                f"--temperature '{text}' is no number{words}. '{ensemble.path}' has {listed}."
            ) from None
    near = int(np.argmin(np.abs(values - wanted)))
    if abs(values[near] - wanted) <= _TEMPERATURE_TOLERANCE * abs(wanted):
        return [near]
    if text.isdigit() and int(text) < len(values):
        return [int(text)]
    raise UsageError(
        f"'{ensemble.path}' has no temperature {text}; it has {listed}. Sample it with deeprg simulate "
        f"{ensemble.provenance['model']} --shape {ensemble.lattice} --temperature {text}"
    )


@runtime_checkable
class OnLattice(Protocol):
    """Configurations that are, or will be, at `path`."""

    @property
    def path(self) -> Path:
        """Where they are."""
        ...

    @property
    def lattice(self) -> Lattice:
        """The lattice that they live on."""
        ...


def require_lattice(data: OnLattice, lattice: Any, owner: str) -> None:
    """`UsageError` unless the data live on the lattice of `owner`."""
    if data.lattice != lattice:
        raise UsageError(
            f"'{data.path}' lives on {data.lattice}, but {owner} on {lattice}. Only coarse-grainings of one "
            "lattice can see the same data."
        )


def with_data(path: str | Path, temperature: str | None) -> str:
    """The flags of a next command that takes the same configurations, of one temperature where all were used.

    >>> with_data("E.zarr", "all"), with_data("rows.npy", None)
    ('--with E.zarr --temperature critical', '--with rows.npy')
    """
    one = "critical" if temperature == "all" else temperature
    return f"--with {path}" + (f" --temperature {one}" if one else "")

"""Every coarse-graining before every judge, on the same spins; what cannot be judged says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain import AbstractCoarseGraining, coarsen_ensemble
from deeprg.hamiltonians import AbstractHamiltonian, critical_point
from deeprg.lattice import Lattice
from deeprg.montecarlo import gamma_method
from deeprg.probes.patterns import pattern_statistics
from deeprg.probes.site_information import site_information
from deeprg.probes.spin_couplings import fit_pair_couplings
from deeprg.probes.stability import monte_carlo_rg, most_steps
from deeprg.probes.two_point import scaling_dimension, two_point
from deeprg.probes.vh_maps import maps_of
from deeprg.runs.errors import DeeprgError, NumericalError, UsageError, nearest

__all__ = [
    "JUDGES",
    "Cell",
    "Column",
    "Contestant",
    "Judge",
    "abs_magnetization",
    "exact_values",
    "judge_all",
    "judges_named",
]


@dataclass(frozen=True)
class Column:
    """A number that a judge finds: its key, its label in tables, and what it is in words."""

    key: str
    label: str
    meaning: str


@dataclass(frozen=True)
class Cell:
    """One number with its error, or the reason why there is none."""

    value: float | None = None
    error: float | None = None
    reason: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """What is there, as plain values."""
        said = {"value": self.value, "error": self.error, "reason": self.reason, "note": self.note}
        return {name: x for name, x in said.items() if x not in (None, "")}


@dataclass(frozen=True, eq=False)
class Contestant:
    """A coarse-graining that is to be judged.

    step: from the lattice of the data. repeat: makes it for any lattice, None where it is known for one only.
    block: the side of the block that a coarse variable reads, None where it reads beyond one.
    placed: whether coarse variables lie on the coarse lattice, so that distances between them mean something.
    spins: whether they are ±1. seconds: what training cost, None for rules that are not trained.
    why: for what it lacks of these, in words.
    """

    name: str
    step: AbstractCoarseGraining
    repeat: Callable[[Lattice], AbstractCoarseGraining] | None = None
    block: int | None = None
    placed: bool = True
    spins: bool = True
    seconds: float | None = None
    why: Mapping[str, str] = field(default_factory=dict)

    def require(self, *needs: str) -> None:
        """`UsageError` with the reason where one of "spins", "placed", "block" is missing."""
        plain = {
            "spins": "its coarse variables are no spins ±1",
            "placed": "its coarse variables have no places on a lattice",
            "block": "its coarse variables read the whole lattice, which leaves no environment",
        }
        for need in needs:
            if not getattr(self, need):
                raise UsageError(self.why.get(need, plain[need]))


@dataclass(frozen=True)
class Judge:
    """A judge: its columns, and what it finds of a contestant on spins [chains, draws, *lattice]."""

    name: str
    columns: tuple[Column, ...]
    run: Callable[[Contestant, np.ndarray, PRNGKeyArray], dict[str, Cell]]


def _exponents(one: Contestant, x: np.ndarray, key: PRNGKeyArray) -> dict[str, Cell]:
    """Of the last step that leaves four sites along an axis; of the one step of a rule for one lattice."""
    one.require("spins", "placed")
    step, make, count = one.step, lambda lattice: one.step, 1
    if one.repeat is not None:
        make, count = one.repeat, most_steps(one.repeat, step.fine)
    found = monte_carlo_rg(make, step.fine, x, steps=count, key=key)[-2:]
    note = f"step {count}, {found[0].fine} to {found[0].coarse}"
    return {
        name: Cell(float(s.exponents[-1, 0]), float(s.errors[-1, 0]), note=note)
        for name, s in zip(("y_T", "y_H"), found, strict=True)
    }


def _information(one: Contestant, x: np.ndarray, key: PRNGKeyArray) -> dict[str, Cell]:
    one.require("placed", "block")
    assert one.block is not None
    found = site_information(one.step, x, side=one.block, buffer=1, environment=1, key=key)
    return {"information": Cell(found.value, found.error, note=" ".join(found.flags))}


def _correlators(one: Contestant, x: np.ndarray, key: PRNGKeyArray) -> dict[str, Cell]:
    one.require("placed")
    coarse = np.asarray(coarsen_ensemble(one.step, x, key=key)).astype(np.float32)
    cells = {}
    for name in ("spin", "energy"):
        cells[f"delta_{name}"] = _dimension(coarse, name, one.step.coarse)
    cells["abs_magnetization"] = Cell(*abs_magnetization(coarse))
    return cells


def _dimension(coarse: np.ndarray, operator: str, lattice: Lattice) -> Cell:
    """Δ of an operator. The window is the default one, so only the lattice can be too small for it."""
    try:
        curve = two_point(coarse, operator)
    except DeeprgError as error:
        return Cell(reason=_sentence(error))
    try:
        fit = scaling_dimension(curve)
    except UsageError:
        reason = f"a coarse lattice of {lattice} is too small for a fit of a power law; take a larger lattice"
        return Cell(reason=reason)
    except NumericalError as error:
        return Cell(reason=_sentence(error))
    return Cell(fit.value, fit.error)


def abs_magnetization(coarse: np.ndarray) -> tuple[float, float]:
    """⟨|mean_a h_a|⟩ of coarse configurations [chains, draws, *coarse], with the error of correlated draws.

    >>> abs_magnetization(np.ones((2, 10, 4, 4)))
    (1.0, 0.0)
    """
    m = np.abs(coarse.reshape(*coarse.shape[:2], -1).mean(axis=-1)).astype(np.float64)
    try:
        found = gamma_method(m)
    except NumericalError:  # no fluctuations, no error
        return float(m.mean()), 0.0
    return found.mean, found.error


def _couplings(one: Contestant, x: np.ndarray, key: PRNGKeyArray) -> dict[str, Cell]:
    one.require("spins", "placed")
    coarse = np.asarray(coarsen_ensemble(one.step, x, key=key))
    found = fit_pair_couplings(np.sign(coarse.reshape(-1, *one.step.coarse.shape)))
    pairs = zip(("K_1", "K_2"), found.values, found.errors, strict=True)
    return {name: Cell(float(value), float(error)) for name, value, error in pairs}


def _patterns(one: Contestant, x: np.ndarray, key: PRNGKeyArray) -> dict[str, Cell]:
    maps = maps_of(one.step, x, key)
    plain = pattern_statistics(maps.maps).to_dict()
    return {"peak": Cell(*maps.peak), "width": Cell(float(plain["median_width"]))}


def _sentence(error: Exception) -> str:
    return str(error).partition("\n")[0]


JUDGES: dict[str, Judge] = {
    judge.name: judge
    for judge in (
        Judge(
            "exponents",
            (
                Column("y_T", "y_T", "thermal exponent by Monte Carlo RG, four even operators"),
                Column("y_H", "y_H", "magnetic exponent by Monte Carlo RG, three odd operators"),
            ),
            _exponents,
        ),
        Judge(
            "information",
            (
                Column(
                    "information", "I(H:E)", "nats that a coarse variable keeps of the frame beyond a buffer"
                ),
            ),
            _information,
        ),
        Judge(
            "correlators",
            (
                Column("delta_spin", "Δσ", "scaling dimension of the coarse spin, coarse lattice"),
                Column("delta_energy", "Δε", "scaling dimension of the coarse energy, coarse lattice"),
                Column("abs_magnetization", "⟨|m'|⟩", "of the coarse variables"),
            ),
            _correlators,
        ),
        Judge(
            "couplings",
            (
                Column("K_1", "K'₁", "nearest-neighbour coupling of the coarse spins, pseudo-likelihood"),
                Column("K_2", "K'₂", "diagonal coupling of the coarse spins, pseudo-likelihood"),
            ),
            _couplings,
        ),
        Judge(
            "patterns",
            (
                Column("peak", "max ⟨vh⟩", "largest correlation of a coarse variable with a fine spin"),
                Column("width", "width", "median width of these correlations, lattice spacings"),
            ),
            _patterns,
        ),
    )
}


def judges_named(names: Sequence[str]) -> list[Judge]:
    """The judges of these names, all for none; `UsageError` for an unknown one.

    >>> [judge.name for judge in judges_named(["exponents", "patterns"])]
    ['exponents', 'patterns']
    """
    for name in names:
        if name not in JUDGES:
            raise UsageError(
                f"There is no probe '{name}'.{nearest(name, JUDGES)} Known: {', '.join(JUDGES)}."
            )
    return [JUDGES[name] for name in dict.fromkeys(names or JUDGES)]


def exact_values(hamiltonian: AbstractHamiltonian | None, temperature: float | None) -> dict[str, float]:
    """What columns are on an infinite lattice, where it is known: at a critical point only.

    >>> from deeprg.hamiltonians import Ising, critical_temperature
    >>> t = critical_temperature(Lattice((8, 8)))
    >>> exact_values(Ising(Lattice((8, 8)), t), t)["y_H"]
    1.875
    """
    point = None if hamiltonian is None else critical_point(hamiltonian)
    if hamiltonian is None or point is None or point.parameter != "temperature" or temperature is None:
        return {}
    if abs(temperature / point.value - 1) > 1e-3:
        return {}
    known = {name: point.exponents[name] for name in ("y_T", "y_H") if name in point.exponents}
    d = hamiltonian.lattice.ndim
    dimensions = {"delta_spin": "y_H", "delta_energy": "y_T"}
    return known | {name: d - known[y] for name, y in dimensions.items() if y in known}


def judge_all(
    contestants: Sequence[Contestant],
    judges: Sequence[Judge],
    configurations: np.ndarray,
    *,
    key: PRNGKeyArray,
    on_row: Callable[[str, str], None] | None = None,
) -> dict[str, dict[str, Cell]]:
    """Every contestant before every judge, name -> column -> cell; a refusal is a cell with its reason.

    `configurations` are spins ±1, [chains, draws, *lattice]; `on_row(contestant, judge)` is called before
    each judgement.

    >>> from deeprg.coarsegrain import BlockAverage, Decimation
    >>> lattice = Lattice((8, 8))
    >>> spins = np.random.default_rng(0).choice((-1, 1), size=(2, 400, 8, 8))
    >>> rules = [
    ...     Contestant("decimation", Decimation(lattice), Decimation, block=2),
    ...     Contestant("average", BlockAverage(lattice, side=2), block=2, spins=False),
    ... ]
    >>> found = judge_all(rules, judges_named(["couplings"]), spins, key=jax.random.key(0))
    >>> found["average"]["K_1"].reason
    'its coarse variables are no spins ±1'
    """
    rows: dict[str, dict[str, Cell]] = {}
    for number, one in enumerate(contestants):
        cells: dict[str, Cell] = {}
        for place, judge in enumerate(judges):
            if on_row is not None:
                on_row(one.name, judge.name)
            own = jax.random.fold_in(jax.random.fold_in(key, number), place)
            try:
                cells |= judge.run(one, configurations, own)
            except DeeprgError as error:
                cells |= {column.key: Cell(reason=_sentence(error)) for column in judge.columns}
        rows[one.name] = cells
    return rows

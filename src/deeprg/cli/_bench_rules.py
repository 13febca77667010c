"""From the name of a coarse-graining, 'majority', 'rsmi:FILE', 'flow:RUN', to what the bench judges."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deeprg.cli._boltzmann_data import Configurations, OnLattice, require_lattice
from deeprg.cli._boltzmann_setup import open_boltzmann, trained_network
from deeprg.cli._comparing import placed_units
from deeprg.cli._exponents import filter_rule
from deeprg.cli._mera_setup import open_mera, trained_mera
from deeprg.cli._probes import rule_of
from deeprg.cli._rule_text import rule_options
from deeprg.cli._setup import open_run, trained
from deeprg.coarsegrain import (
    BLOCK_RULES,
    BlockAverage,
    Decimation,
    FlowCoarseGraining,
    FlowSpins,
    MERAStep,
    PrincipalCut,
    build_block_rule,
)
from deeprg.hamiltonians import ContinuousDual
from deeprg.lattice import Lattice
from deeprg.probes import maps_of, pattern_statistics
from deeprg.probes.bench import Contestant
from deeprg.runs.atomic import read_json
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import RunFolder

__all__ = ["Maker", "contestant", "known_kinds", "spins_of"]

Maker = Callable[[np.ndarray], Contestant]  # of spins [chains, draws, *lattice]

_PCA_SHARE = 4  # of the modes one in four stays, as many numbers as a block rule of side 2 keeps


def known_kinds() -> str:
    """The names that there are, for a message."""
    return f"{', '.join(BLOCK_RULES)}, {', '.join(f'{kind}:{what}' for kind, what in _RUNS.items())}, pca"


def contestant(text: str, data: OnLattice) -> Maker:
    """The coarse-graining of a name, on the lattice of the data: a function of the spins to come.

    Raises `UsageError` for all that can be wrong with it before the spins are there.
    """
    name, _, given = text.partition(":")
    if name in BLOCK_RULES:
        return _block_rule(text, name, given, data.lattice)
    if name == "pca":
        return _principal(text, given, data.lattice)
    makers: dict[str, Callable[[str, str, OnLattice], Maker]] = {
        "rsmi": _filter, "filter": _filter, "rbm": _machine, "flow": _flow, "mera": _mera,
    }  # fmt: skip
    if name not in makers:
        raise UsageError(
            f"'{text}' is no coarse-graining.{nearest(name, [*BLOCK_RULES, *makers, 'pca'])} Known: "
            f"{known_kinds()}."
        )
    if not given:
        raise UsageError(f"'{text}' lacks where it lies; write {name}:{_RUNS[name]}.")
    return makers[name](text, given, data)


_RUNS = {"rsmi": "FILE.npy", "filter": "FILE.npy", "rbm": "RUN", "flow": "RUN", "mera": "RUN"}


def _block_rule(text: str, name: str, given: str, lattice: Lattice) -> Maker:
    options = rule_options(name, given, text)
    step = build_block_rule(name, lattice, **options)
    repeat = partial(_built, name, options) if "steps" not in options else None
    side = lattice.shape[0] // step.coarse.shape[0]
    one = Contestant(text, step, repeat, block=side, spins=BLOCK_RULES[name] is not BlockAverage)
    return lambda x: one


def _built(name: str, options: dict[str, Any], lattice: Lattice) -> Any:
    return build_block_rule(name, lattice, **options)


def _principal(text: str, given: str, lattice: Lattice) -> Maker:
    if given and not given.isdigit():
        raise UsageError(f"'{text}': write pca, or pca:KEPT with the number of modes that stay.")
    kept = int(given) if given else max(lattice.size // _PCA_SHARE, 1)
    if not 1 <= kept <= lattice.size:
        raise UsageError(f"'{text}': from 1 to {lattice.size} modes of {lattice} can stay.")
    why = {
        "spins": "a field without some of its modes is real, no spins ±1",
        "placed": "a cut in the spectrum leaves the lattice as fine as it was, so no distance is rescaled",
        "block": "every mode reads the whole lattice, which leaves no environment",
    }

    def fitted(x: np.ndarray) -> Contestant:
        step = PrincipalCut.fitted(lattice, x.reshape(-1, *lattice.shape), kept)
        return Contestant(text, step, spins=False, placed=False, why=why)

    return fitted


def _filter(text: str, given: str, data: OnLattice) -> Maker:
    folder = Path(given)
    path, seconds = folder, None
    if folder.is_dir():
        path = folder / "filter.npy"
        found = read_json(folder / "results.json") if (folder / "results.json").is_file() else {}
        seconds = found.get("seconds")
    make = filter_rule(str(path))
    step = make(data.lattice)
    side = data.lattice.shape[0] // step.coarse.shape[0]
    one = Contestant(text, step, make, block=side, seconds=seconds)
    return lambda x: one


def _machine(text: str, given: str, data: OnLattice) -> Maker:
    run, setup = open_boltzmann(given)
    require_lattice(data, setup.lattice, f"the machine of '{run.path}'")
    rule = rule_of(trained_network(run, setup), setup.lattice)
    states = setup.machines[-1].hidden.states
    two_valued = states is not None and len(states) == 2

    def placed(x: np.ndarray) -> Contestant:
        maps = maps_of(rule, x, jax.random.key(0))
        step, place, regular = placed_units(rule, maps.maps, pattern_statistics(maps.maps).sign)
        far = "" if place is None else f", {place.displacement:.2f} coarse spacings off their sites"
        why = {
            "placed": f"its hidden units do not lie on a coarse lattice (no better than chance{far})",
            "block": "its hidden units read beyond any block",
            "spins": "its hidden units are not two-valued",
        }
        return Contestant(text, step, placed=regular, spins=two_valued, seconds=_cost(run), why=why)

    return placed


def _flow(text: str, given: str, data: OnLattice) -> Maker:
    run = RunFolder.open(given)
    setup = open_run(run)
    require_lattice(data, setup.hamiltonian.lattice, f"the flow of '{run.path}'")
    if not isinstance(setup.hamiltonian, ContinuousDual):
        raise UsageError(f"'{run.path}' is a flow for {setup.hamiltonian.describe()}, which has no spins.")
    step = FlowSpins(FlowCoarseGraining(trained(run, setup)), setup.hamiltonian)
    why = {"block": "its coarse field reads beyond a block, through the disentanglers and the dual field"}
    one = Contestant(text, step, seconds=_cost(run), why=why)
    return lambda x: one


def _mera(text: str, given: str, data: OnLattice) -> Maker:
    run, setup = open_mera(given)
    require_lattice(data, setup.hamiltonian.lattice, f"the MERA of '{run.path}'")
    step = MERAStep(trained_mera(run, setup))
    one = Contestant(text, step, Decimation, block=2, seconds=_cost(run))
    return lambda x: one


def _cost(run: RunFolder) -> float | None:
    return (run.results() or {}).get("train_seconds")


def spins_of(data: Configurations) -> np.ndarray:
    """The spins [chains, draws, *lattice]; `UsageError` for other values or too few of them."""
    x = np.asarray(data.groups[0])
    if x.ndim < 3 or (wrong := x[np.abs(x) != 1]).size:
        held = f"{wrong.flat[0]:g}" if x.ndim >= 3 else f"the shape {x.shape}"
        raise UsageError(f"The bench judges spins ±1 on a lattice, but '{data.path}' holds {held}.")
    return x

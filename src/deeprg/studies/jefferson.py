"""Deep learning and the renormalization group: what a Gaussian machine shares with decimation, computed."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import numpy as np
import pydantic

from deeprg.exact.layered import GaussianMachine, IsingPrior, SpinHamiltonian
from deeprg.report.study import Claim, StudyFigure, StudyResult, StudyTable
from deeprg.runs.schema import Config
from deeprg.studies import _jefferson_counterexample as counterexample
from deeprg.studies import _jefferson_cumulants as cumulants
from deeprg.studies import _jefferson_decimation as decimation
from deeprg.studies import _jefferson_existence as existence
from deeprg.studies import _jefferson_figures as figures
from deeprg.studies import _jefferson_learning as learning
from deeprg.studies import _jefferson_machine as machines
from deeprg.studies._study import Say, Study

__all__ = ["JEFFERSON", "JeffersonSettings"]

_ORDERS = 6  # cumulants and coupling orders that are shown
_REACHES = (0.5, 0.9, 1.25)  # radii of convergence that the tables show
_GRID = tuple(round(0.1 * k, 1) for k in range(2, 16))  # and the figure
_CHAIN = (0.1, 0.3, 0.45, 0.49, 0.5, 0.51, 0.55)  # w/λ of the uniform chain
_STRENGTHS = tuple(round(0.5 + 0.1 * k, 1) for k in range(12))
_RING_COUPLING, _RING_CHANGE = 0.5, 0.5  # of the operator that keeps Z and nothing else
_TAIL = 4  # further steps of the closed flow in the figure


class JeffersonSettings(Config):
    """Every setting of the study. Sizes are bounded by the sums over all visible states."""

    seed: int = pydantic.Field(default=0, ge=0, lt=2**31)
    visibles: int = pydantic.Field(default=6, ge=4, le=12)
    hidden: tuple[int, ...] = pydantic.Field(default=(5, 4, 3), min_length=1, max_length=12)
    machine: Literal["general", "post"] = "general"
    spins: Literal["pm", "binary"] = "pm"
    beta: float = pydantic.Field(default=0.7, gt=0, le=10)
    strength: float = pydantic.Field(default=0.7, gt=0, lt=1)
    weight: float = pydantic.Field(default=0.8, gt=0, le=5)
    bias: float = pydantic.Field(default=0.3, gt=0, le=5)
    rate: float = pydantic.Field(default=0.1, gt=0, le=1)
    order: int = pydantic.Field(default=24, ge=8, le=40)
    ring: int = pydantic.Field(default=16, ge=4, le=20)
    coupling: float = pydantic.Field(default=0.8, ge=-4, le=4)
    field: float = pydantic.Field(default=0.1, ge=-4, le=4)
    steps: int = pydantic.Field(default=3, ge=1, le=4)
    draws: int = pydantic.Field(default=200, ge=10, le=100_000)
    widths: tuple[int, ...] = pydantic.Field(default=(4, 10, 24), min_length=1, max_length=5)

    @pydantic.field_validator("hidden", "widths")
    @classmethod
    def _sizes(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= size <= 256 for size in sizes):
            raise ValueError("every layer needs 1 to 256 units")
        return sizes

    @pydantic.field_validator("steps")
    @classmethod
    def _halves(cls, steps: int, info: Any) -> int:
        ring = info.data.get("ring", 0)
        if ring % 2**steps or ring < 2 ** (steps + 1):
            raise ValueError(f"a ring of {ring} spins cannot be halved {steps} times down to 2 spins or more")
        return steps


@dataclass
class _Part:
    """What one section of the study adds to the result."""

    claims: list[Claim]
    tables: list[StudyTable]
    figures: list[StudyFigure]
    numbers: dict[str, Any] = field(default_factory=dict)


def run(settings: JeffersonSettings, say: Say) -> StudyResult:
    """Answer the question; everything is computed in float64 on the CPU.

    Raises:
        NumericalError: settings for which a machine does not exist after the step of learning.
    """
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        parts = []
        for text, part in _PARTS.items():
            say(f"  {text}")
            parts.append(part(settings))
    return StudyResult(
        JEFFERSON.name,
        JEFFERSON.title,
        JEFFERSON.question,
        claims=[claim for part in parts for claim in part.claims],
        tables=[table for part in parts for table in part.tables],
        figures=[figure for part in parts for figure in part.figures],
        numbers={key: value for part in parts for key, value in part.numbers.items()},
        changed=_changed(settings),
        sources=["jefferson2019deep", "mehta2014exact", "nelson1975soluble"],
    )


def draw(settings: JeffersonSettings, *, other: bool = False) -> GaussianMachine:
    """The machine of the settings, or `other` with the next seed, whose law serves as data."""
    return machines.draw_machine(
        (settings.visibles, *settings.hidden),
        kind=settings.machine,
        seed=settings.seed + other,
        beta=settings.beta,
        spins=settings.spins,
        strength=settings.strength,
        weight=settings.weight,
        bias=settings.bias,
    )


def _flow(settings: JeffersonSettings) -> _Part:
    machine = draw(settings)
    steps = machine.marginalise()
    scales = machines.scales_of(machine, steps)
    bare = machines.scales_of(machine, [replace(step, after=_without_constant(step.after)) for step in steps])
    only_z = counterexample.keep_only_z(_RING_COUPLING, change=_RING_CHANGE)
    final = steps[-1].after
    assert isinstance(final, SpinHamiltonian)
    orders, found = machines.judge_orders(machines.visible_action(machine), settings.spins, final)
    return _Part(
        [
            machines.judge_preserved(scales),
            machines.judge_constant(scales, bare, only_z),
            orders,
        ],
        [machines.flow_table(steps, scales)],
        [figures.scales_figure(machine, steps, scales)],
        {
            "log_partition": [scale.log_partition for scale in scales],
            "deviations": [machines.deviations(scales[0], scale) for scale in scales[1:]],
            "smallest_eigenvalues": list(machine.smallest_eigenvalues),
            "gaussian_orders": found,
            "only_z_kept": {"delta_f": only_z.delta_f, "exact": only_z.exact, "found": only_z.found},
        },
    )


def _learning(settings: JeffersonSettings) -> _Part:
    machine = draw(settings)
    scales = machines.scales_of(machine, machine.marginalise())
    data = machines.measure(draw(settings, other=True)).probabilities
    learned = learning.learn(machine, data, settings.rate)
    return _Part(
        [learning.judge_learning(scales, learned)],
        [learning.learning_table(scales, learned, data)],
        [figures.kept_figure(scales, learned)],
        {
            "learning": {
                **machines.deviations(learned.before, learned.after),
                "divergence_before": learned.divergence[0],
                "divergence_after": learned.divergence[1],
            }
        },
    )


def _cumulants(settings: JeffersonSettings) -> _Part:
    rng = np.random.default_rng(settings.seed)
    n, m = settings.visibles, settings.hidden[0]
    layer = cumulants.Layer(
        settings.bias * rng.normal(size=n),
        settings.weight * rng.normal(size=(n, m)) / np.sqrt(m),
        settings.bias * rng.normal(size=m),
        settings.spins,
    )
    bare = replace(layer, bias=np.zeros(n))  # the visibles' own fields are no part of the series
    by_prior = {name: cumulants.layer_couplings(bare, prior) for name, prior in cumulants.PRIORS.items()}
    shown = min(_ORDERS, n)
    alone = cumulants.contributions(layer, IsingPrior(), shown)
    exact = cumulants.size_by_order(by_prior["±1"])
    grid = cumulants.truncations(layer, _GRID, settings.order)
    series = cumulants.truncations(layer, _REACHES, settings.order)
    return _Part(
        [
            cumulants.judge_cumulants(by_prior, alone),
            cumulants.judge_literal(alone, exact),
            cumulants.judge_series(series),
        ],
        [
            cumulants.order_table(by_prior, shown),
            cumulants.contribution_table(alone, exact),
            cumulants.series_table(series),
        ],
        [figures.cumulant_figure(by_prior, alone), figures.series_figure(series, grid)],
        {
            "coupling_by_order": {k: cumulants.size_by_order(v).tolist() for k, v in by_prior.items()},
            "cumulant_alone": alone.tolist(),
            "truncation_error": {f"{one.reach:.2f}": one.errors.tolist() for one in series},
        },
    )


def _decimation(settings: JeffersonSettings) -> _Part:
    found = decimation.decimate_ring(settings.ring, settings.coupling, settings.field, settings.steps)
    closed = decimation.closed_flow(settings.coupling, settings.field, settings.steps + _TAIL)
    return _Part(
        [decimation.judge_decimation(found)],
        [decimation.decimation_table(found)],
        [figures.decimation_figure(found, closed)],
        {
            "decimation": {
                "K": [step.coupling for step in found],
                "h": [step.field for step in found],
                "constant": [step.constant for step in found],
                "K_closed_form": closed[: len(found), 0].tolist(),
                "h_closed_form": closed[: len(found), 1].tolist(),
            }
        },
    )


def _existence(settings: JeffersonSettings) -> _Part:
    machine = draw(settings)
    chains = [existence.uniform_chain(w) for w in _CHAIN]
    schur = existence.schur_deviation(machine)
    widths = sorted(set(settings.widths))
    found = existence.fractions(widths, _STRENGTHS, settings.draws, settings.seed)
    half = {width: existence.half_point([one for one in found if one.width == width]) for width in widths}
    return _Part(
        [existence.judge_existence(found), existence.judge_recursion(chains, schur)],
        [existence.chain_table(chains), existence.existence_table(found)],
        [figures.existence_figure(chains, found)],
        {
            "threshold": {str(width): {"value": v, "error": e} for width, (v, e) in half.items()},
            "schur_deviation": schur,
        },
    )


def _without_constant(after: GaussianMachine | SpinHamiltonian) -> GaussianMachine | SpinHamiltonian:
    """The Hamiltonian with the constants of its steps forgotten."""
    if isinstance(after, SpinHamiltonian):
        return SpinHamiltonian(after.pairs, after.fields, beta=after.beta, spins=after.spins)
    return GaussianMachine(
        after.couplings,
        after.visible_bias,
        after.biases,
        after.precisions,
        beta=after.beta,
        spins=after.spins,
    )


def _changed(settings: JeffersonSettings) -> list[str]:
    """Where the settings are more general than the text."""
    lines = []
    if settings.machine == "general":
        lines.append(
            "random precisions and biases on all layers; the post has unit precisions, visible biases"
        )
    if len(settings.hidden) != 2:
        lines.append(f"{len(settings.hidden)} hidden layers instead of 2")
    if settings.spins == "pm":
        lines.append("visible spins ±1 instead of Bernoulli units in {0, 1}")
    if settings.field:
        lines.append("the chain has a field")
    return lines


_PARTS = {
    "a Gaussian machine from UV to IR": _flow,
    "hidden cumulants as couplings": _cumulants,
    "1D decimation": _decimation,
    "existence and the beta function": _existence,
    "one step of learning": _learning,
}

JEFFERSON = Study(
    name="jefferson",
    title="Deep learning and the renormalization group",
    question="What does marginalising a deep machine share with RG, what does it not, and where does it end?",
    source="R. Jefferson, Deep learning and the renormalization group (2019)",
    schema=JeffersonSettings,
    presets={
        "short": {},
        "paper": {
            "machine": "post",
            "spins": "binary",
            "visibles": 10,
            "hidden": (8, 6),
            "beta": 1.0,
            "field": 0.0,
            "draws": 1000,
            "widths": (4, 10, 24),
        },
    },
    run=run,
)

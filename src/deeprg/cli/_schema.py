"""The configuration of a run as a pydantic schema, made from the registries of what it can name."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from deeprg.cli._intervals import family_of
from deeprg.coarsegrain.flow import LAYOUTS, PRESETS, PRIORS, build_flow
from deeprg.hamiltonians import HAMILTONIANS, HamiltonianEntry
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.schema import Config
from deeprg.train.plan import Plan

__all__ = ["DataConfig", "EvaluateConfig", "lattice_shape", "run_schema"]

TRUSTED_SAMPLES = 100_000
_FEWEST_SAMPLES = 100
# Enough for every check that one option can fail on its own.
_TRIAL = Lattice((4, 4))


class EvaluateConfig(Config):
    """How the final weights are judged: `samples` for ESS and free energy, in chunks of `batch`."""

    samples: int = Field(default=TRUSTED_SAMPLES, ge=_FEWEST_SAMPLES)
    batch: int = Field(default=1000, ge=1)


class DataConfig(Config):
    """What a density is fitted to, see `deeprg train flow --data`; the last four are found, not given.

    `temperature` chooses one of an ensemble's, `levels` counts the integers of images, `held_out` is the part
    that is not trained on; `centre` and `scale` are the mean and standard deviation of every pixel.
    """

    path: str
    temperature: str | None = None
    levels: int | None = Field(default=None, ge=2)
    held_out: float = Field(default=0.2, gt=0, lt=1)
    shape: list[int] = Field(default_factory=list)
    checksum: str = ""
    centre: list[float] = Field(default_factory=list)
    scale: list[float] = Field(default_factory=list)


def run_schema(hamiltonian: str | None, layout: str) -> type[Config]:
    """The schema of a run with this Hamiltonian (None: data without one) and this layout of the flow.

    Sections: run-level keys, `hamiltonian` (with the options of its registry entry), `flow` (with the options
    of the layout), `train` (the fields of `Plan`, and `estimator`), `evaluate`. An unknown name is a problem
    that the schema reports; the options beside it are then left alone.
    """
    sections: dict[str, Any] = {
        "preset": (Annotated[str, _known("preset", PRESETS)], "default"),
        "name": (str | None, None),
        "seed": (int, Field(0, ge=0, lt=2**32)),
        "precision": (Literal["float32", "float64"], "float32"),
        "checkpoint_seconds": (float, Field(60.0, gt=0)),
        "start": (str | None, None),
        "data": (DataConfig | None, None),
        "flow": _section(_flow(layout)),
        "train": _section(_train(estimator=hamiltonian is not None)),
    }
    if hamiltonian is None:
        sections |= {"kind": (Literal["images"], "images"), "data": _section(DataConfig)}
    else:
        sections["hamiltonian"] = _section(_hamiltonian(hamiltonian))
        sections["evaluate"] = (EvaluateConfig, EvaluateConfig())
    return pydantic.create_model("RunConfig", __base__=Config, **sections)


def _section(schema: type[Config]) -> Any:
    return (schema, ...)


def _known(kind: str, names: Mapping[str, Any]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise UsageError(f"there is no {kind} '{name}'.{nearest(name, names)} Known: {', '.join(names)}")
        return name

    return AfterValidator(check)


class _Open(Config):
    """A section whose name is unknown: what belongs in it cannot be said."""

    model_config = ConfigDict(extra="allow")


def _hamiltonian(name: str) -> type[Config]:
    entry = HAMILTONIANS.get(name)
    fields: dict[str, Any] = {
        "name": (Annotated[str, _known("Hamiltonian", HAMILTONIANS)], "ising"),
        "shape": (
            Annotated[tuple[int, ...], BeforeValidator(lattice_shape)],
            Field(None, validate_default=True),
        ),
    }
    if entry is None:
        return pydantic.create_model("Hamiltonian", __base__=_Open, **fields)
    for option, (_, default, _help) in entry.options.items():
        fields[option] = (Annotated[Any, BeforeValidator(_option(entry, option))], default)
    return pydantic.create_model("Hamiltonian", __base__=Config, **fields)


def lattice_shape(value: Any) -> Any:
    """The shape of a lattice that is written 16x16, [16, 16] or 16 (a ring); `UsageError` otherwise."""
    if value is None:
        raise UsageError("the lattice is not given. Use --size 16 or --shape 16x8")
    if isinstance(value, str):
        return Lattice.parse(value).shape
    if isinstance(value, int) and not isinstance(value, bool):
        return Lattice((value,)).shape
    if isinstance(value, list | tuple) and all(isinstance(extent, int) for extent in value):
        return Lattice(tuple(value)).shape
    raise UsageError(f"a lattice shape is written 16x16 or [16, 16], not {value!r}")


def _option(entry: HamiltonianEntry, name: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if family_of(entry.name, _TRIAL, {name: value}) is not None:
            return value
        # With other options there may be no critical temperature, the default.
        temperature = {"temperature": 1.0} if "temperature" in entry.options else {}
        entry.build(_TRIAL, **{**temperature, name: value})
        return float(value) if entry.options[name].type is float else value

    return check


def _flow(layout: str) -> type[Config]:
    base, options = _keywords(build_flow), _keywords(LAYOUTS[layout]) if layout in LAYOUTS else {}
    checks = {"layout": _known("layout", LAYOUTS), "prior": _known("prior", PRIORS)}
    fields: dict[str, Any] = {
        name: (Annotated[kind, checks[name]] if name in checks else kind, default)
        for name, (kind, default) in (base | options).items()
    }
    return pydantic.create_model("Flow", __base__=Config if layout in LAYOUTS else _Open, **fields)


def _keywords(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Type and default of every keyword-only parameter that a configuration can set."""
    return {
        name: (parameter.annotation, parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in ("dtype", "key")
    }


def _train(*, estimator: bool) -> type[Config]:
    fields: dict[str, Any] = {"estimator": (Literal["path", "standard"], "path")} if estimator else {}
    for field in dataclasses.fields(Plan):
        fields[field.name] = (Annotated[field.type, AfterValidator(_planned(field.name))], field.default)
    return pydantic.create_model("Train", __base__=Config, **fields)


def _planned(name: str) -> Callable[[Any], Any]:
    # A Plan with this one setting says whether the setting is possible, in its own words.
    extra: dict[str, Any] = {"optimiser": "adamw"} if name == "weight_decay" else {}

    def check(value: Any) -> Any:
        if value is not None:
            Plan(**({"steps": 1, name: value} | extra))
        return value

    return check

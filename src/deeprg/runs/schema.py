"""Typed configuration: a pydantic schema given by the caller, with every problem reported at once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import pydantic

from deeprg.runs.config import Resolved, inside, leaves, show
from deeprg.runs.errors import UsageError, nearest

__all__ = ["Config", "defaults", "validate"]

_Model = TypeVar("_Model", bound=pydantic.BaseModel)


class Config(pydantic.BaseModel):
    """Base of configuration schemas: immutable, unknown keys and non-finite numbers are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def defaults(schema: type[pydantic.BaseModel]) -> dict[str, Any]:
    """The default values in a schema, as the lowest layer for `resolve`; required fields are absent.

    >>> class Train(Config):
    ...     steps: int
    ...     learning_rate: float = 1e-3
    >>> defaults(Train)
    {'learning_rate': 0.001}
    """
    values = {}
    for name, field in schema.model_fields.items():
        if not field.is_required():
            value = field.get_default(call_default_factory=True)
            values[name] = value.model_dump() if isinstance(value, pydantic.BaseModel) else value
        elif (inner := _schema_of(field.annotation)) is not None and (nested := defaults(inner)):
            values[name] = nested
    return values


def validate(schema: type[_Model], resolved: Resolved) -> _Model:
    """The typed configuration, or one `UsageError` that lists every problem with path, value and source.

    >>> class Train(Config):
    ...     steps: int = pydantic.Field(gt=0)
    >>> from deeprg.runs.config import resolve
    >>> validate(Train, resolve([("flag", {"steps": 5})])).steps
    5
    >>> validate(Train, resolve([("flag", {"steps": 5, "step": 1})]))
    Traceback (most recent call last):
    deeprg.runs.errors.UsageError: 1 problem in the configuration:
      step = 1 (from flag): unknown key. Did you mean 'steps'?
    """
    problems = {
        path: "must be a finite number"
        for path, value in leaves(resolved.values)
        if any(isinstance(x, float) and not math.isfinite(x) for x in _flat(value))
    }
    model = None
    try:
        model = schema.model_validate(resolved.values)
    except pydantic.ValidationError as error:
        for problem in _causes(error.errors()):
            path, text = _explain(schema, resolved.values, problem)
            problems.setdefault(path, text)
    if problems or model is None:
        lines = [f"  {_origin(path, resolved)}: {text}" for path, text in sorted(problems.items())]
        count = f"{len(lines)} problem{'s' if len(lines) != 1 else ''} in the configuration:"
        raise UsageError("\n".join([count, *lines]))
    return model


def _causes(problems: Sequence[Any]) -> list[Any]:
    """The problems without those that follow from others: an item that fails makes its list too short."""
    places = [problem["loc"] for problem in problems]
    return [
        problem
        for problem in problems
        if problem["type"] != "too_short"
        or not any(len(at) > len(own) and at[: len(own)] == own for at in places for own in [problem["loc"]])
    ]


def _explain(schema: type[pydantic.BaseModel], values: Any, problem: Any) -> tuple[str, str]:
    """Path and text of one pydantic error; parts of its location that are no keys are left out."""
    names, inner = [], schema
    here = values
    for part in problem["loc"]:
        if isinstance(part, int):
            names.append(str(part))
        elif (isinstance(here, Mapping) and part in here) or problem["type"] == "missing":
            names.append(part)
        here = here.get(part) if isinstance(here, Mapping) else None
    path = ".".join(names)
    for part in names[:-1]:
        field = inner.model_fields.get(part)
        inner = (_schema_of(field.annotation) if field else None) or inner
    if problem["type"] == "extra_forbidden":
        known = list(inner.model_fields)
        hint = nearest(names[-1], known)
        elsewhere = [p for p in _schema_paths(schema) if p.split(".")[-1] == names[-1]]
        if not hint and elsewhere:
            hint = f" Did you mean '{elsewhere[0]}'?"
        return path, f"unknown key.{hint or ' Known here: ' + ', '.join(known) + '.'}"
    if problem["type"] == "missing":
        return path, "is required and has no value"
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        options = str(problem["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        return path, f"{problem['msg']}.{nearest(problem['input'], options)}"
    return path, problem["msg"].removeprefix("Value error, ")


def _origin(path: str, resolved: Resolved) -> str:
    value: Any = resolved.values
    for part in path.split("."):
        if isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return path or "the whole"
    source = next(
        (s for p, s in resolved.sources.items() if p == path or inside(path, p) or inside(p, path)), None
    )
    return f"{path} = {show(value)}" + (f" (from {source})" if source else "")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _flat(item)
    else:
        yield value


def _schema_of(annotation: Any) -> type[pydantic.BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        return next((s for a in get_args(annotation) if (s := _schema_of(a)) is not None), None)
    return None


def _schema_paths(schema: type[pydantic.BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in schema.model_fields.items():
        yield f"{prefix}{name}"
        if (inner := _schema_of(field.annotation)) is not None:
            yield from _schema_paths(inner, f"{prefix}{name}.")

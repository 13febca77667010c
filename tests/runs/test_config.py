"""Layers of configuration: precedence, provenance, all problems at once."""

import tomllib
from typing import Annotated, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprg.runs.config import (
    config_text,
    difference,
    fingerprint,
    load_toml,
    parse_assignments,
    refuse_changes,
    resolve,
    to_toml,
)
from deeprg.runs.errors import UsageError
from deeprg.runs.schema import Config, defaults, validate


class Train(Config):
    steps: int | None = pydantic.Field(default=None, gt=0)
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    optimiser: Literal["adam", "adamw"] = "adam"
    batch: int | list[tuple[float, int]] = 256


class Lattice(Config):
    shape: tuple[int, ...]


class Run(Config):
    lattice: Lattice
    train: Train = Train()
    extra: Train | None = None
    seed: int = 0


def test_every_layer_wins_over_the_ones_before():
    names = ["defaults", "preset", "run.toml", "key=value", "flag"]
    for top in range(1, 6):
        resolved = resolve([(name, {"a": {"b": i}, f"only{i}": i}) for i, name in enumerate(names[:top])])
        assert resolved.values["a"]["b"] == top - 1
        assert resolved.sources["a.b"] == names[top - 1]
        assert resolved.sources["only0"] == "defaults"


def test_layers_are_not_changed():
    lower = {"a": {"b": 1}}
    resolve([("x", lower), ("y", {"a": {"b": 2, "c": 3}})])
    assert lower == {"a": {"b": 1}}


def test_tables_and_leaves_replace_each_other():
    resolved = resolve([("x", {"a": {"b": 1, "c": 2}}), ("y", {"a": 5}), ("z", {"a": {"b": 7}})])
    assert resolved.values == {"a": {"b": 7}}
    assert resolved.sources == {"a.b": "z"}
    assert resolve([("x", {"a": {"b": 1}}), ("y", {"a": {}})]).sources == {"a.b": "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=1e-3", 1e-3),
        ("a=true", True),
        ("a=16x16", "16x16"),
        ("a=critical", "critical"),
        ('a="x = y"', "x = y"),
        ("a=x=y", "x=y"),
        ("a=[1, 2]", [1, 2]),
        ("a={b = 1}", {"b": 1}),
        ("a=1\nb=2", "1\nb=2"),
    ],
)
def test_assignment_values(text, value):
    assert parse_assignments([text]) == {"a": value}


@pytest.mark.parametrize("text", ["a", "=1", "a..b=1", ".a=1", "a=", "a=[1, 2", 'a="x'])
def test_wrong_assignments(text):
    with pytest.raises(UsageError, match=r"not an assignment|not valid TOML"):
        parse_assignments([text])


def test_toml_files(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[train]\nsteps = 5\n")
    assert load_toml(path) == {"train": {"steps": 5}}
    path.write_text("steps = = 5\n")
    with pytest.raises(UsageError, match=r"run\.toml' is not valid TOML.*line 1"):
        load_toml(path)
    with pytest.raises(UsageError, match=r"cannot read '.*none\.toml'"):
        load_toml(tmp_path / "none.toml")


def test_all_problems_are_reported_at_once():
    given = {
        "latice": {"shape": "16x16"},
        "train": {"steps": -5, "learning_rate": float("nan"), "optimiser": "adm", "batch": "many"},
        "steps": 3,
        "extra": {"stepz": 1},
    }
    with pytest.raises(UsageError) as caught:
        validate(Run, resolve([("defaults", defaults(Run)), ("run.toml", given)]))
    text = str(caught.value)
    assert "problems in the configuration:" in text
    for part in (
        'latice = {shape = "16x16"} (from run.toml): unknown key.',
        "Did you mean 'lattice'?",
        "lattice: is required",
        "train.steps = -5 (from run.toml): Input should be greater than 0",
        "train.learning_rate = nan (from run.toml): must be a finite number",
        "Did you mean 'adam'?",
        'train.batch = "many" (from run.toml)',
        "steps = 3 (from run.toml): unknown key. Did you mean 'train.steps'?",
        "extra.stepz = 1 (from run.toml): unknown key. Did you mean 'steps'?",
    ):
        assert part in text, text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(value):
    for layer in ({"train": {"learning_rate": value}}, {"train": {"batch": [[0.0, value]]}}):
        with pytest.raises(UsageError, match="finite"):
            validate(Run, resolve([("flag", {"lattice": {"shape": [4]}, **layer})]))


def test_valid_values_are_typed():
    run = validate(Run, resolve([("defaults", defaults(Run)), ("flag", {"lattice": {"shape": [4, 4]}})]))
    assert run.lattice.shape == (4, 4)
    assert run.train.learning_rate == 1e-3
    assert run.extra is None


def test_defaults_skip_what_is_required():
    assert defaults(Run)["train"]["optimiser"] == "adam"
    assert "lattice" not in defaults(Run)


def test_config_text_says_where_values_come_from():
    text = config_text(resolve([("defaults", defaults(Run)), ("run.toml", {"train": {"steps": 7}})]))
    lines = {line.split(" = ")[0]: line for line in text.splitlines()}
    assert lines["train.steps"].split() == ["train.steps", "=", "7", "#", "run.toml"]
    assert lines["seed"].endswith("# defaults")
    assert lines["extra"].startswith("extra = none")


def test_changes_are_refused_unless_allowed():
    old, new = {"train": {"steps": 1, "batch": 4}, "seed": 0}, {"train": {"steps": 2, "batch": 4}, "seed": 1}
    assert difference(old, new) == {"seed": (0, 1), "train.steps": (1, 2)}
    with pytest.raises(UsageError, match=r"train\.steps: 1 -> 2\n.*--allow-change"):
        refuse_changes(old, new, allowed=["seed"])
    assert refuse_changes(old, new, allowed=["seed", "train"]) == difference(old, new)
    with pytest.raises(UsageError, match=r"no such key\. Did you mean 'train\.steps'"):
        refuse_changes(old, new, allowed=["train.step"])
    assert difference({"a": 1}, {"a": 1, "b": None}) == {}


class Sizes(Config):
    sizes: tuple[Annotated[int, pydantic.Field(gt=0)], ...] = pydantic.Field((1,), min_length=1)
    depth: int = 1


def test_an_item_out_of_bounds_is_one_problem():
    """Without the item the tuple has none left, which pydantic reports as well."""
    with pytest.raises(UsageError) as error:
        validate(Sizes, resolve([("flag", {"sizes": [0]})]))
    assert str(error.value).splitlines() == [
        "1 problem in the configuration:",
        "  sizes.0 = 0 (from flag): Input should be greater than 0",
    ]
    with pytest.raises(UsageError, match=r"1 problem.*\n  sizes = \[\].*at least 1 item"):
        validate(Sizes, resolve([("flag", {"sizes": []})]))
    with pytest.raises(UsageError, match=r"2 problems.*\n  depth = .*\n  sizes = \[\].*at least 1 item"):
        validate(Sizes, resolve([("flag", {"sizes": [], "depth": "deep"})]))


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=4))
def test_toml_round_trip(values):
    def pruned(table):  # empty tables have no lines
        inner = {k: pruned(v) if isinstance(v, dict) else v for k, v in table.items()}
        return {k: v for k, v in inner.items() if v != {}}

    assert pruned(tomllib.loads(to_toml(values))) == pruned(values)


def test_fingerprint_sees_every_leaf():
    assert fingerprint({"a": {"b": 1}}) != fingerprint({"a": {"b": 2}})
    assert fingerprint({"a": (1, 2)}) == fingerprint({"a": [1, 2]})

"""All studies: names, presets, bounds of their settings."""

import pytest

from deeprg.runs.errors import UsageError
from deeprg.runs.schema import defaults
from deeprg.studies import STUDIES, find_study

NAMES = sorted(STUDIES)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_describes_itself(name):
    study = STUDIES[name]
    assert study.name == name
    assert study.question.endswith("?")
    assert study.title
    assert study.source
    assert next(iter(study.presets)) == "short"
    assert "paper" in study.presets
    assert "seed" in defaults(study.schema)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_resolves(name):
    study = STUDIES[name]
    for preset, values in study.presets.items():
        resolved, settings = study.resolve(preset, seed=5)
        assert settings.seed == 5
        assert resolved.sources["seed"] == "flag"
        for key in values:
            assert resolved.sources[key] == f"preset '{preset}'"
    assert study.resolve()[1] == study.resolve("short")[1]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused(name):
    study = STUDIES[name]
    with pytest.raises(UsageError, match=r"no preset 'shrot'.*Did you mean 'short'"):
        study.resolve("shrot")
    with pytest.raises(UsageError, match="unknown key"):
        study.resolve(None, ["sead=1"])
    with pytest.raises(UsageError, match="seed"):
        study.resolve(seed=-1)


def test_an_unknown_study_has_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean 'jefferson'"):
        find_study("jeferson")


BAD = {
    "few visibles": "visibles=3",
    "many visibles": "visibles=20",
    "no layer": "hidden=[]",
    "an empty layer": "hidden=[3,0]",
    "beyond existence": "strength=1.0",
    "no temperature": "beta=0",
    "odd ring": "ring=10",
    "many steps": "steps=4",
    "spins": "spins=potts",
    "nan": "coupling=nan",
}


@pytest.mark.parametrize("assignment", BAD.values(), ids=BAD.keys())
def test_settings_of_jefferson_out_of_bounds(assignment):
    key = "steps" if assignment == "ring=10" else assignment.partition("=")[0]
    with pytest.raises(UsageError, match=key):
        find_study("jefferson").resolve(None, [assignment])

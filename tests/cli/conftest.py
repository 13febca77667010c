"""One tiny run that all tests of the command line share."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deeprg.cli.main import main

STEPS = 300
# The cheapest flow to compile that still learns something at L = 4.
TINY = (
    "--size=4", f"--steps={STEPS}", "--batch=64", "--ess=2000", "checkpoint_seconds=0.01",
    "flow.width=4", "flow.depth=1", "flow.terms=1", "flow.disentanglers=0", "flow.colours=1",
    "train.learning_rate=0.01", "train.warmup=0",
)  # fmt: skip


class Answer(NamedTuple):
    """What a command returned and wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        return json.loads(self.out)


def call(*arguments: str | Path) -> Answer:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def cli() -> Callable[..., Answer]:
    return call


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Arguments of a tiny training."""
    return TINY


class TinyRun(NamedTuple):
    """A finished tiny training."""

    path: Path
    answer: Answer


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> TinyRun:
    path = tmp_path_factory.mktemp("runs") / "tiny"
    answer = call("train", "flow", *TINY, "--json", "--out", path)
    assert answer.code == 0, answer.err
    return TinyRun(path, answer)

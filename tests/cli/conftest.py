"""One tiny run that all tests of the command line share."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache

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
def compilation_cache(tmp_path_factory) -> Iterator[Path]:
    """All tiny trainings are the same program: it is compiled once, for this process and its children."""
    folder = tmp_path_factory.mktemp("compiled")
    before = jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    reset_cache()
    yield folder
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before)
    reset_cache()


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, compilation_cache) -> TinyRun:
    path = tmp_path_factory.mktemp("runs") / "tiny"
    answer = call("train", "flow", *TINY, "--json", "--out", path)
    assert answer.code == 0, answer.err
    return TinyRun(path, answer)

"""`deeprg compare --preset ising`: train what is missing in one folder, judge everything, write the page."""

import contextlib
import io
import json as json_module
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deeprg.cli._bench import bench, bench_table, missing_numbers
from deeprg.cli._bench_data import critical_ensemble, is_whole
from deeprg.cli._bench_rules import contestant
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import write_figure
from deeprg.cli._probing import one_temperature
from deeprg.probes.bench import judges_named
from deeprg.report.bench import plot_bench
from deeprg.report.blocks import document as page
from deeprg.report.blocks import escaped, folded, pairs, picture, section
from deeprg.report.style import data_uri, style
from deeprg.runs.atomic import write_json, write_text
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import RunFolder

__all__ = ["COMPARE_PRESETS", "run_preset"]

# Extent, configurations, the length of the trainings; of flow and MERA on half the extent, then on the whole.
COMPARE_PRESETS: dict[str, dict[str, Any]] = {
    "ising": {"size": 32, "samples": 10_000, "rbm_epochs": 150, "steps": [600, 60]},
}
QUESTION = "Is deep learning a renormalization group flow?"


def run_preset(name: str, *, out: Path | None, seed: int, json: bool) -> int:
    """Train, judge and write; what is in the folder already is kept. Returns the exit code."""
    if name not in COMPARE_PRESETS:
        known = ", ".join(COMPARE_PRESETS)
        raise UsageError(f"There is no preset '{name}'.{nearest(name, COMPARE_PRESETS)} Known: {known}.")
    settings = COMPARE_PRESETS[name]
    resolved = {"compare": name, "seed": seed, **settings}
    if out is not None and (out / "resolved.json").is_file():
        folder = RunFolder.open(out)
        if folder.resolved() != resolved:
            raise UsageError(f"'{out}' holds something else than this comparison. Choose another --out.")
        say(f"going on with '{out}'")
    else:
        environment = describe_environment(seed=seed)
        folder = RunFolder.create(out, name=f"compare-{name}", resolved=resolved, environment=environment)
    begun = time.monotonic()
    with folder:
        names = []
        for part in _parts(folder.path, settings, seed):
            say(f"— {part.name}")
            if (code := part.make()) != 0:
                folder.set_status("interrupted", reason=f"{part.name} ended with {code}")
                say(f"{part.name} ended with {code}; the same command goes on")
                return code
            names += part.contestants
        data = one_temperature(folder.path / "E.zarr", None)
        found, _ = bench([contestant(name, data) for name in names], judges_named([]), data, seed)
        found["seconds"] = time.monotonic() - begun
        folder.write_results(found)
        _write_page(folder, found)
        folder.set_status("done")
    if json:
        print_json(folder.results() or {})
    else:
        print(bench_table(found))
    next_step(f"open {folder.report} in a browser")
    return 0


class _Part:
    """Something that has to be there before the judges: how it is made, and whom it brings."""

    def __init__(self, name: str, make: Callable[[], int], contestants: list[str]):
        self.name, self.make, self.contestants = name, make, contestants


def _parts(root: Path, settings: Mapping[str, Any], seed: int) -> list[_Part]:
    data, size, own = root / "E.zarr", settings["size"], ["--seed", str(seed)]

    def simulation() -> int:
        if is_whole(data):
            return 0
        return critical_ensemble("ising", size, data, settings["samples"]).simulate()

    def training(kind: str, name: str, *flags: str) -> int:
        place = root / name
        if (place / "results.json").is_file():
            return 0
        if (place / "status.json").is_file():
            return _call("train", kind, "--resume", str(place))
        return _call("train", kind, *flags, *own, "--out", str(place))

    def grown(kind: str) -> int:
        """On a lattice of half the extent, a quarter of the cost, and from its weights on the whole."""
        earlier: list[str] = []
        for name, extent, steps in zip(
            (f"{kind}-{size // 2}", kind), (size // 2, size), settings["steps"], strict=True
        ):
            target = ["--size", str(extent), "--temperature", "critical", "--steps", str(steps)]
            if (code := training(kind, name, *target, "--ess", "20000", *earlier)) != 0:
                return code
            earlier = ["--from", str(root / name)]
        return 0

    machine = ["--hidden", str((size // 2) ** 2), "--no-biases", "--epochs", str(settings["rbm_epochs"])]
    return [
        _Part("configurations", simulation, ["majority", "decimation", "average", "pca"]),
        _Part("filter of most information", lambda: _information(root, seed), [f"rsmi:{root / 'rsmi'}"]),
        _Part(
            "Boltzmann machine",
            lambda: training("rbm", "rbm", "--data", str(data), *machine),
            [f"rbm:{root / 'rbm'}"],
        ),
        _Part("flow", lambda: grown("flow"), [f"flow:{root / 'flow'}"]),
        _Part("classical MERA", lambda: grown("mera"), [f"mera:{root / 'mera'}"]),
    ]


def _information(root: Path, seed: int) -> int:
    place = root / "rsmi"
    if (place / "results.json").is_file():
        return 0
    place.mkdir(exist_ok=True)
    said = io.StringIO()
    flags = ["--block", "2x2", "--environment", "1", "--save", str(place / "filter.npy"), "--seed", str(seed)]
    with contextlib.redirect_stdout(said):
        code = _main("rg", "information", "--with", str(root / "E.zarr"), *flags, "--json")
    if code == 0:
        write_json(place / "results.json", json_module.loads(said.getvalue()))
    return code


def _call(*arguments: str) -> int:
    with contextlib.redirect_stdout(io.StringIO()):
        return _main(*arguments, "--json")


def _main(*arguments: str) -> int:
    from deeprg.cli.main import main

    return main(list(arguments))


def _write_page(folder: RunFolder, found: Mapping[str, Any]) -> None:
    with style():
        fig = plot_bench(found)
        write_figure(folder.path / "compare.png", fig)
        shown = picture(
            data_uri(fig), "Every number with its error; exact values of the infinite lattice in red."
        )
    missing = [(f"{name}: {labels}", reason) for name, labels, reason in missing_numbers(found)]
    meanings = [(c["label"], c["meaning"]) for c in found["columns"]]
    where = f"Ising model at T_c on {'x'.join(map(str, found['lattice']))}, {found['n']} configurations"
    parts = [
        section("Table", f"<pre>{escaped(bench_table(found).partition(chr(10) * 2)[0])}</pre>"),
        section("Figure", shown),
        section("What is missing, and why", pairs(missing)),
        section("Columns", pairs(meanings)),
        section("Settings", pairs(folder.resolved().items())),
        folded("Environment", pairs(folder.environment().items())),
    ]
    write_text(folder.report, page(QUESTION, where, parts, kind="deeprg compare"))

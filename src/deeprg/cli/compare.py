"""`deeprg compare`: coarse-grainings side by side on the same data, by patterns or before every judge."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from deeprg.cli._flags import whole

__all__ = ["compare"]

_DATA = Group("Data", sort_key=1)
_BENCH = Group("Judges", sort_key=2)


def compare(
    *subjects: Annotated[
        str,
        Parameter(help="rules (average, majority, decimation; majority:side=3,steps=2) and runs by folder"),
    ],
    source: Annotated[
        Path | None,
        Parameter(name="--with", group=_DATA, help="configurations, an ensemble E.zarr or a .npy file"),
    ] = None,
    data: Annotated[
        str | None, Parameter(group=_DATA, help="MODEL:SIZE, ising:32: simulated at T_c if not there yet")
    ] = None,
    temperature: Annotated[
        str | None, Parameter(group=_DATA, help="of an ensemble: a value, critical or its number")
    ] = None,
    coarse_grainings: Annotated[
        str | None,
        Parameter(
            group=_BENCH,
            help="majority,decimation,average,pca,rsmi:FILE,rbm:RUN,flow:RUN,mera:RUN before judges",
        ),
    ] = None,
    probes: Annotated[
        str | None,
        Parameter(group=_BENCH, help="exponents,information,correlators,couplings,patterns [all]"),
    ] = None,
    preset: Annotated[
        str | None, Parameter(group=_BENCH, help="ising: train all of them, judge, write table and page")
    ] = None,
    seed: Annotated[int, Parameter(converter=whole, help="seed of everything random")] = 0,
    out: Annotated[
        Path | None, Parameter(help="a figure: .png, .svg or .pdf; with --preset the folder")
    ] = None,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Coarse-grainings in rows, numbers in columns.

    With --coarse-grainings every one faces every judge of --probes, exact values in the headers; pairs that
    make no sense say why. With --preset ising all of them are trained first (`deeprg compare --preset ising`
    goes on where it stopped, with the same --out), and a page is written.

    Without, patterns are compared with those of the first row: sites of the coarse lattice; the largest
    ⟨v h⟩ of a coarse site, raw and connected; median width, spots and participation ratio of the maps; root
    mean square distance to the maps of the first row; how far hidden units are from places on a coarse
    lattice; ⟨|m'|⟩; scaling dimensions on the coarse lattice. The layers of a dbn: RUN:depth=1.
    """
    from deeprg.runs.errors import UsageError

    if preset is not None:
        given = {"coarse-grainings": coarse_grainings, "with": source, "data": data, "probes": probes}
        if others := [f"--{name}" for name, value in given.items() if value is not None]:
            raise UsageError(f"--preset {preset} chooses everything; leave out {', '.join(others)}.")
        from deeprg.cli._bench_preset import run_preset

        return run_preset(preset, out=out, seed=seed, json=json)
    if coarse_grainings is not None or probes is not None or data is not None:
        if subjects and coarse_grainings is not None:
            raise UsageError("name the coarse-grainings once: as words, or with --coarse-grainings A,B,C.")
        from deeprg.cli._bench import run_bench
        from deeprg.cli._rule_text import split_names

        names = subjects if coarse_grainings is None else split_names(coarse_grainings)
        return run_bench(
            names,
            data=data,
            source=source,
            temperature=temperature,
            probes=probes,
            seed=seed,
            out=out,
            json=json,
        )
    from deeprg.cli._comparing import run_compare

    return run_compare(subjects, source=source, temperature=temperature, seed=seed, out=out, json=json)

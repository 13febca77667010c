"""`deeprg rg`: renormalization written down and read off configurations."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from deeprg.cli._flags import whole

__all__ = ["app"]

app = App(
    name="rg",
    help="Renormalization: flows of couplings, layers marginalised, exponents from data.",
)


@app.command(name="flow")
def rg_flow(
    scheme: Annotated[
        str,
        Parameter(
            help="migdal-kadanoff, maris-kadanoff, wilson, niemeijer-van-leeuwen, majority-square or "
            "decimation-1d"
        ),
    ],
    *,
    order: Annotated[int | None, Parameter(converter=whole, help="of the cumulant expansion")] = None,
    dimension: Annotated[float | None, Parameter(help="d of migdal-kadanoff, 1 to 10; default 2")] = None,
    scale: Annotated[
        float | None, Parameter(help="b of migdal-kadanoff and decimation-1d; 1.001 for b -> 1; default 2")
    ] = None,
    start: Annotated[str | None, Parameter(help="K or K,L,...; default: the exact K_c, else 0.9 K*")] = None,
    steps: Annotated[int, Parameter(converter=whole, help="of the flow that is printed")] = 8,
    out: Annotated[Path | None, Parameter(help="a figure of the flow: .png, .svg or .pdf")] = None,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Fixed point, eigenvalues, exponents and critical coupling of a scheme, beside the exact values.

    Couplings are those of the weight exp(K sum s s'), so K > 0 orders and K = J/T. y = ln(eigenvalue)/ln b,
    nu = 1/y_t, y_h from the eigenvalue of a small field (none where the scheme does not fix it). The critical
    coupling is the nearest-neighbour one on the critical surface, the others zero.
    """
    from deeprg.cli._rg import run_flow
    from deeprg.exact.schemes import find_scheme

    found = find_scheme(scheme, order, dimension=dimension, scale=scale)
    return run_flow(found, start=start, steps=steps, out=out, json=json)


@app.command(name="marginalise")
def rg_marginalise(
    model: Annotated[
        Path, Parameter(help=".json or .npz: couplings W_1, W_2, ..., biases, precisions, beta")
    ],
    *,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Integrate the Gaussian hidden layers of a machine out, deepest first; Z stays the same.

    H = constant - a.x - x.W_1 y_1 + sum_l [y_l.Lam_l y_l/2 - b_l.y_l - y_l.W_{l+1} y_{l+1}] is the energy,
    exp(-beta H) the weight.
    The JSON file has couplings [W_1, ...] and, if wanted, visible_bias, biases, precisions (else identities),
    beta, constant, spins ("pm" or "binary"); the .npz file couplings_1, couplings_2, ..., visible_bias,
    biases_1, precisions_1, ..., beta, constant, spins.
    """
    from deeprg.cli._rg_marginalise import run_marginalise

    return run_marginalise(model, json=json)


@app.command(name="exponents")
def rg_exponents(
    rule: Annotated[str, Parameter(help="majority, decimation, filter:FILE.npy; majority:side=3,ties=first")],
    *,
    source: Annotated[
        Path,
        Parameter(name="--with", help="spins at the critical point, an ensemble E.zarr or a .npy file"),
    ],
    temperature: Annotated[
        str | None, Parameter(help="of an ensemble: a value, critical or its number")
    ] = None,
    steps: Annotated[
        int | None, Parameter(converter=whole, help="of the rule; default: down to extents of four")
    ] = None,
    even: Annotated[int, Parameter(converter=whole, help="operators for y_T")] = 4,
    odd: Annotated[int, Parameter(converter=whole, help="operators for y_H")] = 3,
    blocks: Annotated[int, Parameter(converter=whole, help="of the jackknife")] = 50,
    seed: Annotated[int, Parameter(converter=whole, help="seed of everything random")] = 0,
    out: Annotated[Path | None, Parameter(help="a figure: .png, .svg or .pdf")] = None,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Monte Carlo RG: exponents that a block rule reads off critical spins, by Swendsen's stability matrix.

    T = dK'/dK from the correlations of operators before and after a step; y = ln(eigenvalue)/ln b. A row per
    step and parity, a column per number of operators, errors by the jackknife, exact values where known.
    """
    from deeprg.cli._exponents import run_exponents

    return run_exponents(
        rule,
        source=source,
        temperature=temperature,
        steps=steps,
        even=even,
        odd=odd,
        blocks=blocks,
        seed=seed,
        out=out,
        json=json,
    )


@app.command(name="information")
def rg_information(
    *,
    source: Annotated[
        Path, Parameter(name="--with", help="configurations, an ensemble E.zarr or a .npy file")
    ],
    temperature: Annotated[
        str | None, Parameter(help="of an ensemble: a value, critical, its number, or all: a row each")
    ] = None,
    block: Annotated[str, Parameter(help="its shape")] = "2x2",
    buffer: Annotated[int, Parameter(converter=whole, help="sites around the block that are left out")] = 1,
    environment: Annotated[
        int | None, Parameter(converter=whole, help="sites around the buffer; default: all beyond it")
    ] = None,
    hidden: Annotated[int, Parameter(converter=whole, help="units that read the block")] = 1,
    width: Annotated[int, Parameter(converter=whole, help="of a network for a rule; 0: linear")] = 0,
    period: Annotated[
        int | None, Parameter(converter=whole, help="of the places of a block; default 1, of dimers 2")
    ] = None,
    steps: Annotated[int, Parameter(converter=whole, help="of the search, and of the judgement")] = 1500,
    seed: Annotated[int, Parameter(converter=whole, help="seed of everything random")] = 0,
    out: Annotated[
        Path | None, Parameter(help="a figure of the filters, or over T: .png, .svg or .pdf")
    ] = None,
    oriented: Annotated[
        bool,
        Parameter(negative="", help="with all: turn Ising spins to one phase, so that its maximum shows"),
    ] = False,
    save: Annotated[Path | None, Parameter(help="the filters as .npy, for deeprg rg exponents")] = None,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """The rule for a block that keeps the most information of its environment (RSMI), and how much that is.

    Hidden units read the block, spins ±1 or of Potts spins one of q states; the rule and a classifier of h
    from the environment are trained together, and the sharp rule is judged on configurations held out. Prints
    a lower bound in nats, with --temperature all one for every temperature, beside that of the whole block.
    """
    from deeprg.cli._information import run_information
    from deeprg.cli._information_curve import run_information_curve
    from deeprg.runs.errors import UsageError

    search: dict[str, Any] = {
        "source": source,
        "block": block,
        "buffer": buffer,
        "environment": environment,
        "hidden": hidden,
        "width": width,
        "period": period,
        "steps": steps,
        "seed": seed,
        "out": out,
        "json": json,
    }
    if temperature == "all":
        if save is not None:
            raise UsageError(
                "--save takes the filters of one temperature; leave it out with --temperature all."
            )
        return run_information_curve(**search, turned=oriented)
    if oriented:
        raise UsageError("--oriented is for a curve over temperatures: --temperature all.")
    return run_information(**search, temperature=temperature, save=save)


_Units = Annotated[Path, Parameter(name="--with", help="an ensemble E.zarr, or a .npy file [samples, units]")]
_Temperature = Annotated[str | None, Parameter(help="of an ensemble: a value, critical or its number")]
_Shuffling = Annotated[int, Parameter(converter=whole, help="seed of the shuffling of the control")]
_Figure = Annotated[Path | None, Parameter(help="a figure: .png, .svg or .pdf")]
_Json = Annotated[bool, Parameter(negative="", help="one JSON document on stdout")]


@app.command(name="modes")
def rg_modes(
    *,
    source: _Units,
    temperature: _Temperature = None,
    kept: Annotated[
        str | None, Parameter(help="numbers of modes, 128,64,...; default: all, half of them, ...")
    ] = None,
    held_out: Annotated[float, Parameter(help="share of the samples, the last, that judges the modes")] = 0.5,
    seed: _Shuffling = 0,
    out: _Figure = None,
    json: _Json = False,
) -> int:
    """Cut the modes of least variance: how far from Gaussian samples of any units are, cut by cut.

    Modes are eigenvectors of the covariance of the first samples; the normalised fourth cumulant is that of
    the last ones, projected, mean over units. It goes to 0 towards a Gaussian fixed point. The control has
    every unit's samples in an order of their own. Bradde and Bialek, arXiv:1610.09733.
    """
    from deeprg.cli._data_rg import run_modes

    return run_modes(
        source=source, temperature=temperature, kept=kept, held_out=held_out, seed=seed, out=out, json=json
    )


@app.command(name="pairs")
def rg_pairs(
    *,
    source: _Units,
    temperature: _Temperature = None,
    steps: Annotated[
        int | None,
        Parameter(converter=whole, help="how often clusters are paired; default: until four are left"),
    ] = None,
    held_out: Annotated[
        float, Parameter(help="share of the samples, the last, that judges the pairs; 0: all, biased")
    ] = 0.5,
    seed: _Shuffling = 0,
    out: _Figure = None,
    json: _Json = False,
) -> int:
    """Add the most correlated units in pairs, and the pairs again: exponents of any samples of units.

    The variance of a cluster of K units ~ K^alpha, the probability that all are silent (0; spins: down)
    exp(-a K^beta), its spectrum (rank/K)^-mu. The first samples choose the pairs, the last judge them. The
    control has every unit's samples in an order of their own. Meshulam et al., arXiv:1809.08461.
    """
    from deeprg.cli._data_rg import run_pairs

    return run_pairs(
        source=source, temperature=temperature, steps=steps, held_out=held_out, seed=seed, out=out, json=json
    )

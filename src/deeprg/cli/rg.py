"""`deeprg rg`: renormalization written down, its flows and marginalised layers."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from deeprg.cli._flags import whole

__all__ = ["app"]

app = App(name="rg", help="Exact renormalization: flows of couplings, layers marginalised.")


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

"""The entry point: parses, runs one verb, and turns errors into messages and exit codes."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import deeprg
from deeprg.cli._console import colour, say
from deeprg.cli.cite import cite
from deeprg.cli.compare import compare
from deeprg.cli.diagnose import diagnose
from deeprg.cli.doctor import doctor
from deeprg.cli.exact import app as exact
from deeprg.cli.flow import flow
from deeprg.cli.importing import import_files
from deeprg.cli.launch import launch
from deeprg.cli.listing import list_all
from deeprg.cli.measure import measure
from deeprg.cli.probe import probe
from deeprg.cli.report import report
from deeprg.cli.reweight import reweight
from deeprg.cli.rg import app as rg
from deeprg.cli.sample import sample
from deeprg.cli.simulate import simulate
from deeprg.cli.study import study
from deeprg.cli.sweep import sweep
from deeprg.cli.train import app as train
from deeprg.cli.wander import wander
from deeprg.runs.errors import DeeprgError

__all__ = ["app", "main"]

app = App(
    name="deeprg",
    help="Deep learning and the renormalization group on one bench.",
    version=deeprg.__version__,
    result_action="return_value",
)
app.command(train)
app.command(sample, name="sample")
app.command(report, name="report")
app.command(diagnose, name="diagnose")
app.command(exact)
app.command(rg)
app.command(flow, name="flow")
app.command(probe, name="probe")
app.command(wander, name="wander")
app.command(compare, name="compare")
app.command(study, name="study")
app.command(sweep, name="sweep")
app.command(simulate, name="simulate")
app.command(measure, name="measure")
app.command(reweight, name="reweight")
app.command(import_files, name="import")
app.command(list_all, name="list")
app.command(doctor, name="doctor")
app.command(cite, name="cite")
app.command(launch, name="launch")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 success, 1 unexpected error or a failed point of a sweep, 2 bad input, 3 numerical failure,
    4 diagnostics failed with --strict, 75 stopped early but resumable, 130 Ctrl-C, 141 nobody reads stdout
    any more.

    >>> code = main(["exact", "ising", "--shape", "4x4", "--temperature", "2"])  # doctest: +ELLIPSIS
    shape ...
    >>> code
    0
    """
    try:
        result = app(
            sys.argv[1:] if argv is None else list(argv),
            exit_on_error=False,
            print_error=False,
            help_on_error=False,
        )
        sys.stdout.flush()
    except CycloptsError as error:
        _complain(str(error))
        return 2
    except DeeprgError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        # The reader of stdout has gone; keep Python from complaining again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        _complain("out of memory. Use a smaller batch or lattice.")
        return 1
    return result if isinstance(result, int) else 0


def _complain(text: str) -> None:
    say(f"{colour('error:', 'red', sys.stderr)} {text}")


if __name__ == "__main__":
    sys.exit(main())

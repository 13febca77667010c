"""Questions the literature asked, one file each: redone end to end, with a verdict computed from numbers.

A study has typed settings, presets, and a function that returns a `deeprg.report.study.StudyResult`. A new
study is one file and one line in `STUDIES`.
"""

from deeprg.studies._study import Study
from deeprg.studies.beny import BENY
from deeprg.studies.bradde_bialek import BRADDE_BIALEK
from deeprg.studies.de_mello_koch import DE_MELLO_KOCH
from deeprg.studies.funai import FUNAI
from deeprg.studies.iso import ISO
from deeprg.studies.jefferson import JEFFERSON
from deeprg.studies.koch_janusz_ringel import KOCH_JANUSZ_RINGEL
from deeprg.studies.lenggenhager import LENGGENHAGER
from deeprg.studies.mehta_schwab import MEHTA_SCHWAB
from deeprg.studies.neural_mcrg import NEURAL_MCRG
from deeprg.studies.neural_rg import NEURAL_RG
from deeprg.studies.neural_rg_architectures import NEURAL_RG_ARCHITECTURES
from deeprg.studies.swendsen import SWENDSEN
from deeprg.studies.veiga import VEIGA

__all__ = ["STUDIES", "Study", "find_study"]

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        JEFFERSON,
        LENGGENHAGER,
        DE_MELLO_KOCH,
        VEIGA,
        ISO,
        FUNAI,
        MEHTA_SCHWAB,
        NEURAL_RG,
        NEURAL_RG_ARCHITECTURES,
        NEURAL_MCRG,
        KOCH_JANUSZ_RINGEL,
        SWENDSEN,
        BRADDE_BIALEK,
        BENY,
    )
}


def find_study(name: str) -> Study:
    """The study of that name.

    Raises:
        UsageError: there is none; the message has the nearest name.

    >>> find_study("jefferson").source
    'R. Jefferson, Deep learning and the renormalization group (2019)'
    """
    from deeprg.runs.errors import UsageError, nearest

    if name not in STUDIES:
        raise UsageError(f"there is no study '{name}'.{nearest(name, STUDIES)} Known: {', '.join(STUDIES)}.")
    return STUDIES[name]

"""Deep learning and the renormalization group on one bench, held against exact physics."""

__version__ = "0.1.0"
__all__ = ["__version__"]

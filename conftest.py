"""Every test runs in float64, with strict promotion, runtime shape checks and two CPU devices."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads spin against those of other workers

from jaxtyping import install_import_hook

_hook = install_import_hook("deeprg", "beartype.beartype")
_hook.__enter__()

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

"""Every test runs in float64, with strict promotion, runtime shape checks and two CPU devices."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads spin against those of other workers
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # Compilation takes most of the time. Workers and the processes that tests start inherit this folder.
    _compiled = tempfile.mkdtemp(prefix="deeprg-compiled-")
    atexit.register(shutil.rmtree, _compiled, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

from jaxtyping import install_import_hook

_hook = install_import_hook("deeprg", "beartype.beartype")
_hook.__enter__()

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

"""Ground floor without physics and without jax: run folders, configuration, environment, errors.

`folder.RunFolder` is one run on disk, `metrics` its record file; `config` merges layers of settings and
`schema` types them; `environment` records what a run ran on; `atomic` writes files in one step; `errors`
holds the exceptions of the whole package. Import from these modules; this one stays empty so that errors
cost nothing.
"""

__all__: list[str] = []

"""Which run folder a command uses."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from hubscan import run, run_files
from hubscan.errors import RecipeError
from hubscan.recipe import Recipe


def default_folder(recipe: Recipe) -> Path:
    """Return `runs/<dataset>-<date>-<time>`, with a number if that exists."""
    if recipe.dataset is None:
        raise RecipeError("no dataset: pass --dataset ID_OR_PATH, or a --recipe that names one")
    name = re.sub(r"[^A-Za-z0-9]+", "-", _stem(recipe.dataset)).strip("-").lower()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    first = Path("runs") / f"{name}-{stamp}"
    others = (first.with_name(f"{first.name}-{number}") for number in range(2, 1000))
    return next(path for path in (first, *others) if not path.exists())


def _stem(dataset: str) -> str:
    """Return the last part of *dataset* without its ending, and without the query of a URL."""
    path = dataset.partition("?")[0].partition("#")[0] if "://" in dataset else dataset
    return Path(path).stem


def lock_beside(recipe_file: Path | None, asked: dict[str, Any]) -> run.Lock | None:
    """Return the lock of the run that *recipe_file* is part of, if that run is repeated unchanged.

    Another seed, dataset or query on the command line makes it a new scan, which asks the Hub again.
    """
    # These keys do not change which rows and commits a scan uses.
    ours = {"device", "workers", "stall_seconds", "fuse"}
    if recipe_file is None or not run_files.is_there(recipe_file.parent, run.LOCK):
        return None
    if set(asked) - ours:
        run_files.require_file(recipe_file.parent, recipe_file.name)
        return None
    return run.load_run(recipe_file.parent).lock

"""Where run folders lie, as the command line sees it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from hubscan import run
from hubscan.errors import RecipeError
from hubscan.recipe import Recipe


def default_folder(recipe: Recipe) -> Path:
    """Return `runs/<dataset>-<date>-<time>`, a name that does not exist yet."""
    if recipe.dataset is None:
        raise RecipeError("no dataset: pass --dataset ID_OR_PATH, or a --recipe that names one")
    name = re.sub(r"[^A-Za-z0-9]+", "-", Path(recipe.dataset).stem).strip("-").lower()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    first = Path("runs") / f"{name}-{stamp}"
    others = (first.with_name(f"{first.name}-{number}") for number in range(2, 1000))
    return next(path for path in (first, *others) if not path.exists())


def lock_beside(recipe_file: Path | None, asked: dict[str, Any]) -> run.Lock | None:
    """Return the lock of the run that *recipe_file* lies in, if it repeats that run unchanged.

    With another seed, dataset or query on the command line it is a new scan, which asks anew.
    """
    # Where a scan runs, and whether two of its checkpoints are joined, does not change what it sees.
    ours = {"device", "workers", "stall_seconds", "fuse"}
    if recipe_file is None or set(asked) - ours or not (recipe_file.parent / run.LOCK).exists():
        return None
    return run.load_run(recipe_file.parent).lock

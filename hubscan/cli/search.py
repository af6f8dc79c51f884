"""`hubscan search`: what a query gives, before anything is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hubscan.cli.options import (
    MODALITY,
    QUERY,
    RECIPE_FILE,
    TASKS,
    format_option,
    given,
    options,
    verbose_option,
)
from hubscan.errors import RankingError, RecipeError
from hubscan.report import LISTING_FORMATS


@click.command("search")
@RECIPE_FILE
@click.option("--task", type=TASKS, help="Whose encoders to list.")
@options([MODALITY], QUERY)
@format_option(*LISTING_FORMATS)
@verbose_option
def command(recipe_file: Path | None, form: str, **flags: Any) -> None:
    """List the candidates that a query gives, with size, licence, and the reason if excluded.

    \b
    hubscan search --task text-classification --max-params 50M --license apache-2.0
    """  # noqa: D301 - click reads the escape as "do not wrap"
    from hubscan import recipe as recipes
    from hubscan.hub import listing

    recipe = recipes.resolve(given(flags), recipe_file)
    if recipe.task is None and not recipe.modalities:
        raise RecipeError("--task or --modality is needed: it says whose encoders to list")
    modalities = recipe.modalities or (recipes.TASKS[str(recipe.task)],)
    rows = list(listing.search(recipe.query, *dict.fromkeys(modalities)))
    if not rows:
        raise RankingError("the query gives no checkpoint; widen it")
    click.echo(LISTING_FORMATS[form](rows).rstrip("\n"))

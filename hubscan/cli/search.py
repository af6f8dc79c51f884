"""`hubscan search`: list the candidates of a query without downloading anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click_option_group import optgroup

from hubscan.cli.options import (
    RECIPE_FILE,
    common_options,
    format_option,
    given,
    option_group,
    query_options,
)
from hubscan.cli.output import waits_shown
from hubscan.cli.say import say
from hubscan.errors import RankingError, RecipeError
from hubscan.report import LISTING_FORMATS


@click.command("search")
@query_options()
@option_group("Output", RECIPE_FILE, format_option(*LISTING_FORMATS, option=optgroup.option))
@common_options
def command(recipe_file: Path | None, form: str, **flags: Any) -> None:
    """List the candidates of a query: size, licence, and the reason if one is excluded.

    \b
    hubscan search --task text-classification --max-params 50M --license apache-2.0
    """  # noqa: D301 - click reads the escape as "do not wrap"
    from hubscan import recipe as recipes
    from hubscan.hub import listing

    recipe = recipes.resolve(given(flags), recipe_file)
    if recipe.task is None and not recipe.modalities:
        raise RecipeError("pass --task or --modality, so that hubscan knows which encoders to list")
    modalities = recipe.modalities or (recipes.TASKS[str(recipe.task)],)
    with waits_shown():
        rows = list(listing.search(recipe.query, *dict.fromkeys(modalities)))
    if not rows:
        raise RankingError("no checkpoint matches the query; widen it")
    say(LISTING_FORMATS[form](rows).rstrip("\n"))

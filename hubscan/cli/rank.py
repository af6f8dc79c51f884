"""`hubscan rank`: the main job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hubscan.cli.options import (
    DATA,
    HOW,
    NAMED,
    QUERY,
    RECIPE_FILE,
    format_option,
    given,
    options,
    verbose_option,
)
from hubscan.cli.output import FORMS, write, write_next_steps
from hubscan.errors import RecipeError

SKIPPED_EXIT = 3


@click.command("rank")
@RECIPE_FILE
@options(DATA, NAMED, QUERY, HOW)
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Run folder; default: runs/ and a name.",
)
@click.option("--resume", is_flag=True, help="Go on with the scan in --run.")
@click.option("--fresh", is_flag=True, help="Replace the scan in --run.")
@click.option("--dry-run", is_flag=True, help="Draw and query, show what would be done, and stop.")
@format_option(*FORMS)
@click.option("--fail-on", type=click.Choice(["skipped"]), help="Exit with 3 if a checkpoint was skipped.")
@verbose_option
def command(
    recipe_file: Path | None,
    folder: Path | None,
    resume: bool,
    fresh: bool,
    dry_run: bool,
    form: str,
    fail_on: str | None,
    **flags: Any,
) -> None:
    """Rank checkpoints for a labelled dataset, without training any.

    \b
    hubscan rank --task text-classification --dataset imdb
    hubscan rank --dataset reviews.csv --model ./mine --model BAAI/bge-small-en-v1.5
    hubscan rank --recipe runs/imdb/recipe.yaml        # the same rows, the same commits
    """  # noqa: D301 - click reads the escape as "do not wrap"
    from hubscan import recipe as recipes
    from hubscan.cli.progress import followed
    from hubscan.cli.runs import default_folder, lock_beside
    from hubscan.scan import prepare, scan

    asked = given(flags)
    if resume:
        if folder is None or recipe_file or asked:
            raise RecipeError("--resume goes with --run DIR alone: the scan's own recipe lies there")
        recipe_file = folder / "recipe.yaml"
    recipe, lock = recipes.resolve(asked, recipe_file), lock_beside(recipe_file, asked)
    if dry_run:
        from hubscan.report.plan import as_text

        plan = followed(prepare(recipe, lock), quiet=form == "quiet")
        found = plan.lock
        yaml = recipes.to_yaml(plan.recipe)
        click.echo(as_text(plan.sample, found.candidates, found.unresolved, yaml, fuse=plan.recipe.fuse))
        return
    folder = folder or default_folder(recipe)
    with _resumable(folder):
        ranking = followed(scan(recipe, folder, lock=lock, resume=resume, fresh=fresh), quiet=form == "quiet")
    write(ranking, form)
    if form != "quiet":
        click.echo(f"kept in {folder}", err=True)
    write_next_steps(ranking, form)
    if fail_on and ranking.skipped:
        click.get_current_context().exit(SKIPPED_EXIT)


@contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """Say how to go on with a scan that is interrupted in the block."""
    try:
        yield
    except KeyboardInterrupt:
        if (folder / "lock.yaml").exists():
            click.echo(f"go on with: hubscan rank --run {folder} --resume", err=True)
        raise

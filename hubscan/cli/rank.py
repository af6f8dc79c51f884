"""`hubscan rank`: rank checkpoints for a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

import click
from click_option_group import optgroup

from hubscan.cli.options import (
    RECIPE_FILE,
    common_options,
    format_option,
    given,
    option_group,
    recipe_options,
)
from hubscan.cli.output import FORMS, write, write_next_steps
from hubscan.cli.say import say
from hubscan.errors import DiskError, RecipeError

SKIPPED_EXIT = 3


@click.command("rank")
@recipe_options()
@option_group(
    "Output",
    RECIPE_FILE,
    optgroup.option(
        "--run",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Run folder. [default: runs/DATASET-DATE-TIME]",
    ),
    optgroup.option("--resume", is_flag=True, help="Continue the scan in --run."),
    optgroup.option("--fresh", is_flag=True, help="Replace the scan in --run."),
    optgroup.option(
        "--dry-run", is_flag=True, help="Draw the sample, list the candidates, show both, and stop."
    ),
    format_option(*FORMS, option=optgroup.option),
    optgroup.option(
        "--fail-on", type=click.Choice(["skipped"]), help="Exit with 3 if a checkpoint was skipped."
    ),
)
@common_options
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
    """Rank checkpoints for a labelled dataset, without fine-tuning any.

    Only --dataset is required. Without --model, the Hub is asked for candidates.

    \b
    hubscan rank --dataset imdb
    hubscan rank --dataset reviews.csv --model ./mine --model BAAI/bge-small-en-v1.5
    hubscan rank --dataset images/ --max-params 50M --license apache-2.0
    hubscan rank --recipe runs/imdb/recipe.yaml        # same rows, same commits
    """  # noqa: D301 - click reads the escape as "do not wrap"
    from hubscan.started import DRAWS, ahead

    click.get_current_context().with_resource(ahead(DRAWS))  # it imports while this process does
    from hubscan import recipe as recipes
    from hubscan.cli.runs import default_folder, lock_beside
    from hubscan.processes import temporary_folder
    from hubscan.progress import followed
    from hubscan.scan import prepare, scan

    asked = given(flags)
    if resume:
        if folder is None or recipe_file or asked:
            raise RecipeError("--resume needs --run DIR and no other option: the recipe is in that folder")
        recipe_file = folder / "recipe.yaml"
    lock = lock_beside(recipe_file, asked)
    recipe = recipes.resolve(asked, recipe_file)
    if dry_run:
        from hubscan.report.plan import as_text

        with temporary_folder() as place:
            plan = followed(prepare(recipe, Path(place), lock), quiet=form == "quiet")
        found = plan.lock
        yaml = recipes.to_yaml(plan.recipe)
        listed = found.candidates, found.unresolved
        say(as_text(found.draw, plan.drawn.examples, *listed, yaml, fuse=plan.recipe.fuse))
        return
    folder = folder or default_folder(recipe)
    with _resumable(folder):
        ranking = followed(scan(recipe, folder, lock=lock, resume=resume, fresh=fresh), quiet=form == "quiet")
    write(ranking, form)
    if form != "quiet":
        say(f"Saved in {folder}", err=True)
    write_next_steps(ranking, form)
    if fail_on and ranking.skipped:
        click.get_current_context().exit(SKIPPED_EXIT)


@contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """If the scan in the block is interrupted, or stopped by a disk, print how to continue it."""
    try:
        yield
    except (KeyboardInterrupt, DiskError):
        if (folder / "lock.yaml").exists():
            say(f"To continue: hubscan rank --run {quote(str(folder))} --resume", err=True)
        raise

"""`hubscan publish`: publish a ranking as a model card, with the files that repeat it."""

from __future__ import annotations

from pathlib import Path

import click

from hubscan.cli.options import common_options
from hubscan.cli.output import waits_shown
from hubscan.cli.say import say


@click.command("publish")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--repo",
    required=True,
    metavar="NAMESPACE/NAME",
    help="Repository on the Hub; created if it does not exist.",
)
@click.option("--private", is_flag=True, help="Create it as private.")
@click.option("--dry-run", is_flag=True, help="Print the card without sending anything.")
@click.option("--force", is_flag=True, help="Write even to a repository that hubscan did not make.")
@common_options
def command(folder: Path, repo: str, private: bool, dry_run: bool, force: bool) -> None:
    """Publish the ranking in the folder RUN as a model card.

    \b
    hubscan publish runs/imdb --repo me/imdb-ranking --dry-run
    hubscan publish runs/imdb --repo me/imdb-ranking
    """  # noqa: D301 - click looks for the character, not for a backslash
    from hubscan.publish.upload import CARD, check_repo, contents, publish
    from hubscan.run import load_run

    run = load_run(folder)
    if dry_run:
        check_repo(repo)
        files = contents(run, repo)
        say(files[CARD].decode().rstrip("\n"))
        say(f"Not sent. These files would be published to {repo}: {', '.join(files)}", err=True)
        return
    with waits_shown():
        published = publish(run, repo, private=private, force=force)
    if not published.changed:
        say("Nothing to do: the repository is up to date", err=True)
    say(published.url)

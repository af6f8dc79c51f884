"""Write the README.md of a demo item: front matter as on the Hub, then the provenance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_card(readme: Path, title: str, head: Mapping[str, Any], provenance: str) -> None:
    """Write a card; if the weights came with one, only append the provenance."""
    import yaml

    if readme.exists():
        own = readme.read_text(encoding="utf-8").rstrip()
    else:
        facts = yaml.safe_dump(dict(head), sort_keys=False, allow_unicode=True)
        own = f"---\n{facts}---\n\n# {title}"
    readme.write_text(f"{own}\n\n{provenance}", encoding="utf-8")


def provenance(package: str, version: str, sha256: str, licence: str, notes: str) -> str:
    """Return the section on where the files come from and how far to trust them."""
    digest = f"`{sha256}`" if sha256 else "as installed here"
    return (
        "## Where this copy comes from\n\n"
        "`hubscan demo` made this folder from a PyPI package. Nothing came from the Hub or was "
        "compared with the files there: a score of this copy is not a score of the original.\n\n"
        "| package | version | sha256 of the file |\n|---|---|---|\n"
        f"| {package} | {version} | {digest} |\n\n"
        f"Licence: {licence}.\n\n{notes}\n"
    )

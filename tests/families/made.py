"""The checkpoints of families, each written when a test first asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # it imports torch, which is to know its number of threads first
    from tests.families.family import Family

Made = Callable[["Family"], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the folder of a family's checkpoint."""
    folders: dict[int, Path] = {}

    def folder(family: Family) -> Path:
        if id(family) not in folders:
            folders[id(family)] = tmp_path_factory.mktemp(family.model_type)
            family.make(folders[id(family)])
        return folders[id(family)]

    return folder

"""A dataset id or a path in, one split as a stream out, with the commit that it has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import datasets
from datasets import IterableDataset, load_dataset
from datasets.exceptions import DatasetNotFoundError

from hubscan.errors import DatasetError
from hubscan.hub import api, explained, patient

if TYPE_CHECKING:
    from hubscan.recipe import Recipe

READERS: Final = {
    ".csv": ("csv", {}),
    ".tsv": ("csv", {"sep": "\t"}),
    ".jsonl": ("json", {}),
    ".json": ("json", {}),
    ".parquet": ("parquet", {}),
}


@dataclass(frozen=True)
class Source:
    """One split, not yet read."""

    dataset: str  # the canonical id, or the local path
    revision: str
    config: str | None
    split: str
    rows: IterableDataset


def open_split(recipe: Recipe) -> Source:
    """Return the split that *recipe* asks for, as a stream.

    A bare name such as `imdb` is resolved to its canonical id and commit first: the current
    `load_dataset` cannot follow the redirect that the Hub answers with.

    Raises:
        HubError: if the Hub cannot be reached or does not know the dataset.
        DatasetError: naming the configs or splits that there are, if the one asked for is not there.
    """
    if recipe.dataset is None:
        raise DatasetError("no dataset: pass --dataset ID_OR_PATH, or set it in the recipe")
    path = Path(recipe.dataset).expanduser()
    if path.exists():
        return _open_local(recipe, path)
    name = recipe.dataset
    with explained(f"dataset {name}"):
        info = patient(lambda: api().dataset_info(name, revision=recipe.revision))
    with _read_errors(info.id):
        splits = load_dataset(info.id, recipe.config, revision=info.sha, streaming=True)
    split = _chosen_split(recipe, info.id, list(splits))
    config = recipe.config or splits[split].info.config_name
    return Source(info.id, str(info.sha), config, split, splits[split])


def _open_local(recipe: Recipe, path: Path) -> Source:
    name = str(recipe.dataset)
    with _read_errors(name):
        if path.is_dir():
            splits = load_dataset(str(path.resolve()), recipe.config, streaming=True)
            files = sorted(file for file in path.rglob("*") if file.is_file())
        else:
            reader, options = _reader(path)
            splits = load_dataset(reader, data_files=str(path.resolve()), streaming=True, **options)
            files = [path]
    split = _chosen_split(recipe, name, list(splits))
    return Source(name, _content_hash(path, files), recipe.config, split, splits[split])


def _reader(path: Path) -> tuple[str, dict[str, Any]]:
    if path.suffix.lower() not in READERS:
        known = ", ".join(READERS)
        raise DatasetError(
            f"{path}: cannot read {path.suffix or 'such a file'}; known are {known} and folders"
        )
    return READERS[path.suffix.lower()]


def _content_hash(root: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(root.parent)).encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


def _chosen_split(recipe: Recipe, dataset: str, splits: list[str]) -> str:
    if recipe.split is None:
        return "train" if "train" in splits else splits[0]
    if recipe.split not in splits:
        raise DatasetError(f"{dataset}: no split {recipe.split!r}; there are: {', '.join(splits)}")
    return recipe.split


@contextmanager
def _read_errors(dataset: str) -> Iterator[None]:
    """Turn what `load_dataset` raises into one line that names the choices there are."""
    with explained(f"dataset {dataset}"):
        try:
            yield
        except DatasetNotFoundError as error:
            gated = "gated" in str(error)
            advice = "gated; accept its terms on its page and log in" if gated else "not found"
            raise DatasetError(f"dataset {dataset}: {advice}") from error
        except datasets.exceptions.DatasetsError as error:
            raise DatasetError(f"dataset {dataset}: {_one_line(error)}") from error
        except RuntimeError as error:
            if "scripts are no longer supported" not in str(error):
                raise
            raise DatasetError(
                f"dataset {dataset}: needs a loading script, which no longer runs anywhere"
            ) from error
        except (ValueError, FileNotFoundError) as error:
            raise DatasetError(f"dataset {dataset}: {_config_advice(error)}") from error


def _config_advice(error: Exception) -> str:
    """Return the configs that a `ValueError` of `load_dataset` names, or its first sentence."""
    listed = re.search(r"(?:available configs|Available): (\[[^\]]*\])", str(error))
    if listed is None:
        return _one_line(error)
    names = ", ".join(re.findall(r"'([^']+)'", listed[1]))
    return f"pick a config with --config; there are: {names}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

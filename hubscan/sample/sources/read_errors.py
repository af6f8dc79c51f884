"""Turn the exceptions of `datasets`, Arrow and pandas into one line that names the data."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from typing import Final
from zipfile import BadZipFile

import datasets
import pyarrow as pa
from datasets.exceptions import DatasetNotFoundError

from hubscan.errors import DatasetError
from hubscan.hub.client import explained, is_unreachable
from hubscan.sample.choices import choices

# Raised for damaged data. A bug of ours, such as an undefined name, keeps its traceback.
DAMAGE: Final = (pa.ArrowException, ValueError, TypeError, KeyError, OverflowError, OSError, EOFError)
PACKED: Final = (zlib.error, LZMAError)


@contextmanager
def read_errors(dataset: str) -> Iterator[None]:
    """Turn exceptions of `datasets` into one line that names the available choices."""
    with explained(f"dataset {dataset}"):
        try:
            yield
        except datasets.exceptions.DatasetsError as error:
            if isinstance(error, DatasetNotFoundError):
                raise _not_found(dataset, error) from error
            raise DatasetError(f"dataset {dataset}: {one_line(error)}; check --dataset") from error
        except RuntimeError as error:
            if "scripts are no longer supported" not in str(error):
                raise
            raise DatasetError(
                f"dataset {dataset}: needs a loading script, which `datasets` no longer runs; "
                "convert it to parquet"
            ) from error
        except BadZipFile as error:
            raise DatasetError(f"dataset {dataset}: a zip file in it is damaged; replace the file") from error
        except (ValueError, FileNotFoundError) as error:
            if configs := _configs_in(error):
                raise DatasetError(
                    f"dataset {dataset}: it has several configs; pass --config with one of {configs}"
                ) from error
            raise DatasetError(f"dataset {dataset}: {one_line(error)}; check --dataset") from error


@contextmanager
def damage(name: str) -> Iterator[None]:
    """Turn exceptions about unreadable rows into one line that begins with *name*."""
    with explained(name):
        try:
            yield
        except (*DAMAGE, *PACKED, datasets.exceptions.DatasetsError) as error:
            if is_unreachable(error):  # an OSError too
                raise
            raise DatasetError(
                f"{name}: cannot be read: {one_line(error)}; check that the file is complete"
            ) from error


def one_line(error: Exception) -> str:
    """Return the message of *error* without line breaks, at most 300 characters long."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _not_found(dataset: str, error: DatasetNotFoundError) -> DatasetError:
    if "gated" in str(error):
        return DatasetError(
            f"dataset {dataset}: gated; accept its terms on its page, and log in with `hf auth login`"
        )
    return DatasetError(f"dataset {dataset}: not found; check --dataset")


def _configs_in(error: Exception) -> str:
    """Return the configs that a `ValueError` of `datasets` lists, or ""."""
    listed = re.search(r"(?:available configs|Available): (\[[^\]]*\])", str(error))
    return choices(re.findall(r"'([^']+)'", listed[1])) if listed else ""

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
from hubscan.hub.client import explained

# Raised for damaged data. A bug of ours, such as an undefined name, keeps its traceback.
DAMAGE: Final = (pa.ArrowException, ValueError, TypeError, KeyError, OverflowError, OSError, EOFError)
PACKED: Final = (zlib.error, LZMAError)


@contextmanager
def read_errors(dataset: str) -> Iterator[None]:
    """Turn exceptions of `datasets` into one line that names the available choices."""
    with explained(f"dataset {dataset}"):
        try:
            yield
        except DatasetNotFoundError as error:
            gated = "gated" in str(error)
            advice = (
                "gated; accept its terms on its page and log in" if gated else "not found; check --dataset"
            )
            raise DatasetError(f"dataset {dataset}: {advice}") from error
        except datasets.exceptions.DatasetsError as error:
            raise DatasetError(f"dataset {dataset}: {one_line(error)}") from error
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
            raise DatasetError(f"dataset {dataset}: {_config_advice(error)}") from error


@contextmanager
def damage(name: str) -> Iterator[None]:
    """Turn exceptions about unreadable rows into one line that begins with *name*."""
    with explained(name):
        try:
            yield
        except (*DAMAGE, *PACKED, datasets.exceptions.DatasetsError) as error:
            raise DatasetError(f"{name}: cannot be read: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Return the message of *error* without line breaks, at most 300 characters long."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _config_advice(error: Exception) -> str:
    """Return advice with the configs that a `ValueError` of `datasets` lists, or its message."""
    listed = re.search(r"(?:available configs|Available): (\[[^\]]*\])", str(error))
    if listed is None:
        return one_line(error)
    names = ", ".join(re.findall(r"'([^']+)'", listed[1]))
    return f"pick a config with --config; there are: {names}"

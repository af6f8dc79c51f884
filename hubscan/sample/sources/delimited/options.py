"""Which options of the csv reader of `datasets` a dataset on the Hub declares, and how they are honoured."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from datasets import BuilderConfig, Features
from datasets.packaged_modules.csv.csv import CsvConfig

from hubscan.errors import DatasetError
from hubscan.sample.sources.delimited.file import Declared
from hubscan.sample.sources.delimited.types import declared as type_of

OURS: Final = {"sep", "delimiter", "names", "column_names", "header", "features", "encoding"}
IRRELEVANT: Final = {
    *("chunksize", "engine", "memory_map", "float_precision", "verbose", "mangle_dupe_cols"),
    *("on_bad_lines", "error_bad_lines", "warn_bad_lines", "date_format"),
}
UTF8: Final = (None, "utf-8", "utf8", "utf-8-sig", "utf_8")
SURPLUS: Final = "__index_level_0__"  # as which pandas reads the first field of rows with one too many


def declared_form(config: Any, asked: str | None) -> Declared | None:
    """Return the form of the files that *config* declares, or None if only `datasets` can read it.

    Args:
        config: the configuration of the csv builder.
        asked: the separator that was requested, if one was.
    """
    usual = CsvConfig()
    known = {field.name for field in fields(BuilderConfig)} | OURS | IRRELEVANT
    options = [field.name for field in fields(CsvConfig) if field.name not in known]
    if any(getattr(config, name) != getattr(usual, name) for name in options):
        return None
    names = tuple(config.names) if config.names else None
    encoding = config.encoding.lower() if isinstance(config.encoding, str) else config.encoding
    if encoding not in UTF8 or config.header not in (("infer", None, 0) if names else ("infer", 0)):
        return None
    if len(config.sep) != 1:
        return None
    separator = asked or (None if config.sep in (",", "\t") else config.sep)
    return Declared(separator, names, skips_header=config.header == 0)


def typed_form(features: Features | None) -> bool:
    """Return whether cells of text can be read as all the declared *features*."""
    return all(type_of(feature) is not None for feature in (features or {}).values())


def only_empty_is_missing(config: Any) -> None:
    """Let the reader of `datasets` keep words such as NA, unless *config* says otherwise."""
    if config.keep_default_na and config.na_values is None:
        config.keep_default_na, config.na_values = False, [""]


def refuse_surplus(features: Features, name: str) -> None:
    """Refuse rows of the reader of `datasets` that have more fields than the header."""
    if SURPLUS in features:
        raise DatasetError(
            f"{name}: the rows have one field more than the header; remove it, or name every column"
        )

"""How long do hubscan's readers of csv and JSON take, compared with those of `datasets`?

    python benchmarks/readers.py FOLDER [MEGABYTES]

Writes a csv file, one with quoted texts, and a jsonl file into FOLDER (100 MB each by default), and reads all
rows of each with both readers, in interleaved rounds. Prints one table: median CPU seconds, and their ratio.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyarrow as pa
from datasets import load_dataset

from hubscan.records import SampleRequest
from hubscan.sample.sources.builders import DatasetStream
from hubscan.sample.sources.open import open_split
from hubscan.sample.sources.protocols import Table

ROUNDS = 5
WORDS = 200  # per text


def main(folder: Path, megabytes: float) -> None:
    """Print the table."""
    print("| file | `datasets` | hubscan | ratio |\n|---|--:|--:|--:|")
    for name, write in FILES.items():
        file = folder / name
        write(file, megabytes * 1e6)
        times: dict[Callable[[Path], int], list[float]] = {read_by_datasets: [], read_by_hubscan: []}
        counts = set()
        for _ in range(ROUNDS):
            for read, taken in times.items():
                began = time.process_time()
                counts.add(read(file))
                taken.append(time.process_time() - began)
        assert len(counts) == 1, "both readers give the same number of rows"
        old, new = map(median, times.values())
        print(f"| {name}, {file.stat().st_size / 1e6:.0f} MB | {old:.2f} s | {new:.2f} s | {new / old:.2f} |")


def read_by_hubscan(file: Path) -> int:
    """Return the number of rows, read as a scan reads them."""
    rows = open_split(SampleRequest(str(file))).rows
    assert not isinstance(rows, Table)
    return _count(rows.tables(["text", "label"]))


def read_by_datasets(file: Path) -> int:
    """Return the number of rows, read by `datasets` in batches of Arrow."""
    with tempfile.TemporaryDirectory() as cache:
        kind = "csv" if file.suffix == ".csv" else "json"
        rows = load_dataset(kind, data_files=str(file), split="train", streaming=True, cache_dir=cache)
        return _count(DatasetStream(rows, str(file)).tables(["text", "label"]))


def _count(tables: Iterator[pa.Table]) -> int:
    return sum(table.num_rows for table in tables)


def _rows(size: float) -> Iterator[tuple[str, int]]:
    """Yield texts of random words, *size* bytes of them, and labels."""
    chosen, words = random.Random(0), [f"word{number}" for number in range(5000)]
    written = 0
    while written < size:
        text = " ".join(chosen.choices(words, k=WORDS))
        written += len(text)
        yield text, chosen.randrange(5)


def _write_csv(file: Path, size: float, **form: Any) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened, **form)
        writer.writerow(("text", "label"))
        writer.writerows(_rows(size))


def _write_jsonl(file: Path, size: float) -> None:
    with file.open("w") as opened:
        opened.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in _rows(size))


FILES: dict[str, Callable[[Path, float], None]] = {
    "plain.csv": _write_csv,
    "quoted.csv": lambda file, size: _write_csv(file, size, quoting=csv.QUOTE_ALL),
    "rows.jsonl": _write_jsonl,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 100.0)

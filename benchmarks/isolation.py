"""How much memory do hubscan and its processes use at most, whatever the input?

    python benchmarks/isolation.py .demo

First run `hubscan demo --build-only --folder .demo`. Each input goes through the command line with a
small local checkpoint. Memory is the largest resident set that the kernel recorded (`VmHWM`), so this needs
Linux.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tables import print_table

MB = 2**20
ROWS = "".join(f"row {row} of the table,{'ab'[row % 2]}\n" for row in range(200))
CSV = f"text,label\n{ROWS}".encode()
TEXT = "models/rxnmapper/albert_heads_8_uspto_all_1310k"
IMAGE = "models/vision-zoo/mobilenet_v2_1.0_224"


def long_text(path: Path) -> None:
    """Write one text of 100 MB, which 200 rows name by its place in a dictionary."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), pa.array(["x" * 100 * MB]))
    pq.write_table(pa.table({"text": texts, "label": ["a", "b"] * 100}), path, compression="zstd")


def many_classes(path: Path) -> None:
    """Write 300,000 rows, each of a class of its own."""
    names = [f"class {row}" for row in range(300_000)]
    pq.write_table(pa.table({"text": names, "label": names}), path)


def wide(path: Path) -> None:
    """Write 90,000 columns."""
    path.write_bytes(b"text,label" + b",x" * 90_000 + b"\n" + (b"a,b" + b"," * 90_000 + b"\n") * 40)


def deep(path: Path) -> None:
    """Write lists in lists, a million deep."""
    path.write_bytes(b'{"text": "a", "label": ' + b"[" * 10**6 + b"]" * 10**6 + b"}\n")


def zipped_cell(path: Path) -> None:
    """Write a cell of 4 GB in a file of 4 MB."""
    block = gzip.compress(b"x" * 64 * MB)
    path.write_bytes(gzip.compress(CSV) + block * 64 + gzip.compress(b",a\n"))


def pictures(path: Path) -> None:
    """Write 120 images of noise, which take 1.1 GB."""
    noise, rows = np.random.default_rng(0), []
    for row in range(120):
        stored = io.BytesIO()
        Image.fromarray(noise.integers(0, 256, (1750, 1750, 3), np.uint8)).save(
            stored, "PNG", compress_level=0
        )
        rows.append({"bytes": stored.getvalue(), "path": f"{row}.png"})
    table = pa.table({"image": rows, "label": ["a", "b"] * 60})
    pq.write_table(table, path, row_group_size=10)


def bomb(path: Path) -> None:
    """Write images that claim to be 50,000 pixels wide and high."""
    stored = io.BytesIO()
    Image.new("1", (50_000, 50_000)).save(stored, "PNG")
    rows = [{"bytes": stored.getvalue(), "path": f"{row}.png"} for row in range(40)]
    pq.write_table(pa.table({"image": rows, "label": ["a", "b"] * 20}), path)


def few_texts(path: Path) -> None:
    """Write 200 texts."""
    path.write_bytes(CSV)


INPUTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "200 texts": ("rows.csv", few_texts, "text"),
    "a checkpoint with a vocabulary of 30 million": ("rows.csv", few_texts, "huge"),
    "one text of 100 MB, 200 times": ("rows.parquet", long_text, "text"),
    "300,000 classes": ("rows.parquet", many_classes, "text"),
    "90,000 columns": ("rows.csv", wide, "text"),
    "lists a million deep": ("rows.jsonl", deep, "text"),
    "a cell of 4 GB in 4 MB": ("rows.csv.gz", zipped_cell, "text"),
    "120 images of 9 MB": ("rows.parquet", pictures, "image"),
    "images of 50,000 × 50,000 pixels": ("rows.parquet", bomb, "image"),
}


def main(demo: Path) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shutil.copytree(demo / TEXT, place / "text")
        shutil.copytree(demo / IMAGE, place / "image")
        huge = shutil.copytree(place / "text", place / "huge")
        config = json.loads((huge / "config.json").read_text()) | {"vocab_size": 30_000_000}
        (huge / "config.json").write_text(json.dumps(config))
        lines = ([what, *tried(place, *made)] for what, made in INPUTS.items())
        print_table(["input", "outcome", "seconds", "hubscan, MB", "its processes, MB"], lines)


def tried(place: Path, file: str, write: Callable[[Path], None], checkpoint: str) -> list[str]:
    """Scan a file that *write* writes; return the outcome, the seconds and the peaks of memory."""
    write(place / file)
    command = f"rank --dataset {file} --model ./{checkpoint} --samples 200 --format quiet --run run --fresh"
    environment = os.environ | {"HUBSCAN_CACHE": str(place / "cache"), "HF_HUB_OFFLINE": "1"}
    arguments = [sys.executable, "-m", "hubscan", *command.split()]
    begun, peaks = time.perf_counter(), dict[int, int]()
    with (place / "said").open("w+") as said:
        process = subprocess.Popen(arguments, cwd=place, env=environment, stdout=said, stderr=said)
        while process.poll() is None:
            for pid in (process.pid, *_children(process.pid)):
                peaks[pid] = max(peaks.get(pid, 0), _peak(pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - begun
        said.seek(0)
        outcome = "ranked" if process.returncode == 0 else said.read().strip().splitlines()[-1]
    (place / file).unlink()
    ours = peaks.pop(process.pid)
    return [
        outcome,
        f"{seconds:.0f}",
        f"{ours / MB:.0f}",
        ", ".join(f"{peak / MB:.0f}" for peak in peaks.values()),
    ]


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _peak(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

"""What a dataset unpacks to is bounded: a bomb is an error or a dropped row, in less than 1 GB of memory."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hub.large import noise
from tests.support.fault_table import record
from tests.support.measured import Drawer, Drawn, drawer

MOST_BYTES: Final = 10**9
MB: Final = 2**20
CSV: Final = b"text,label\n" + b"".join(b"row %d,%c\n" % (i, b"ab"[i % 2]) for i in range(200))
LINES: Final = b"".join(b'{"text": "row %d", "label": "%c"}\n' % (i, b"ab"[i % 2]) for i in range(200))


@pytest.fixture(scope="module")
def drawing() -> Iterator[Drawer]:
    with drawer() as found:
        yield found


def bounded(drawn: Drawn, fault: str, *words: str) -> None:
    """Check that drawing ended with *words* and took little memory, and record it."""
    assert all(word in drawn.outcome for word in words), drawn.outcome
    assert "TRACEBACK" not in drawn.outcome
    assert drawn.peak < MOST_BYTES, drawn
    megabytes = round(drawn.peak / 1e6, -1)
    record("dataset", fault, f"{drawn.outcome} (peak memory {megabytes:.0f} MB)")


def sparse(path: Path, before: bytes, zeros: int, after: bytes = b"") -> None:
    """Write a file of *zeros* between two texts, which takes no space on the disk."""
    with path.open("wb") as file:
        file.write(before)
        file.seek(zeros, 1)
        file.write(after)
        file.truncate()


def gzipped(path: Path, *parts: tuple[bytes, int]) -> None:
    """Write each of *parts* as often as it says, as members of one gzip file."""
    path.write_bytes(b"".join(gzip.compress(content) * times for content, times in parts))


def written(path: Path, content: bytes) -> None:
    path.write_bytes(content)


ROW: Final = "a row of over 33,554,432 characters"
Make = Callable[[Path], None]
TEXTS: Final[dict[str, tuple[str, Make, str]]] = {
    "a csv of one cell of 4 GB": ("rows.csv", lambda path: sparse(path, CSV, 4 * 2**30, b",a\n"), ROW),
    "a csv.gz of 4 MB with one cell of 4 GB": (
        "rows.csv.gz", lambda path: gzipped(path, (CSV, 1), (b"x" * 64 * MB, 64), (b",a\n", 1)), ROW,
    ),
    "a csv whose first line has 40 MB": ("rows.csv", lambda path: written(path, b"text," + b"x" * 40 * MB + b"\n" + CSV), ROW),
    "a csv with a quoted cell of 80 million lines": (
        "rows.csv.gz", lambda path: gzipped(path, (CSV + b'"', 1), (b"xxx\n" * 4 * MB, 20), (b'",a\n', 1)), ROW,
    ),
    "a csv row of 600 million empty fields": (
        "rows.csv.gz", lambda path: gzipped(path, (CSV, 1), (b"," * 60 * MB, 10), (b"a\n", 1)), ROW,
    ),
    "a csv with 300,000 columns": (
        "rows.csv", lambda path: written(path, b"text,label" + b",x" * 300_000 + b"\n" + CSV),
        "300,002 columns, and at most 100,000 are read",
    ),
    "a JSONL line of 600 MB": ("rows.jsonl", lambda path: sparse(path, LINES + b'{"text": "', 600 * MB, b'"}\n'), ROW),
    "a JSONL line of 600 MB in 600 kB of gzip": (
        "rows.jsonl.gz", lambda path: gzipped(path, (LINES + b'{"text": "', 1), (b"x" * 60 * MB, 10), (b'"}\n', 1)), ROW,
    ),
    "a first JSONL line of 120 MB": (
        "rows.jsonl", lambda path: written(path, b'{"text": "' + b"x" * 120 * MB + b'"}\n' + LINES),
        "one JSON document of over 100 MB",
    ),
    "a JSON list with an element of 600 MB": (
        "rows.json.gz",
        lambda path: gzipped(path, (b'[{"text": "a", "label": "b"}, {"text": "', 1), (b"x" * 60 * MB, 10), (b'"}]', 1)),
        ROW,
    ),
    "a JSON document of 150 MB over several lines": (
        "rows.json", lambda path: sparse(path, b'{\n"text": "', 150 * MB, b'"}'), "one JSON document of over 100 MB",
    ),
    "a JSONL line of 30 MB with ten million empty lists": (
        "rows.jsonl",
        lambda path: written(path, LINES + b'{"text": "a", "label": "a", "n": [' + b"[]," * 10_000_000 + b"1]}\n"),
        "values that take over 268,435,456 bytes of memory",
    ),
    "JSONL with a million lists in each other": (
        "rows.jsonl",
        lambda path: written(path, LINES + b'{"text": "a", "label": ' + b"[" * 10**6 + b"]" * 10**6 + b"}\n"),
        "line 201: nested more than 64 deep",
    ),
    "JSONL with 900 objects in each other in each line": (
        "rows.jsonl",
        lambda path: written(path, (b'{"text": "a", "n": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}\n") * 40),
        "line 1: nested more than 64 deep",
    ),
    "a JSON list with a million lists in each other": (
        "rows.json",
        lambda path: written(path, b'[{"text": ' + b"[" * 10**6 + b"]" * 10**6 + b"}]"),
        "nested more than 64 deep",
    ),
    "100 JSONL rows of 1 MB of one letter in 200 kB of gzip": (
        "rows.jsonl.gz",
        lambda path: gzipped(path, *((b'{"text": "%s", "label": "%c"}\n' % (b"x" * MB, b"ab"[i % 2]), 1) for i in range(100))),
        "unpacks to over 200 times its size",
    ),
    "a csv.bz2 of 100 MB in less than 1 kB": (
        "rows.csv.bz2", lambda path: written(path, bz2.compress(CSV + (b"x" * MB + b",b\n") * 100)),
        "unpacks to over 200 times its size",
    ),
    "a csv.xz of 100 MB in 15 kB": (
        "rows.csv.xz", lambda path: written(path, lzma.compress(CSV + (b"x" * MB + b",b\n") * 100, preset=1)),
        "unpacks to over 200 times its size",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", TEXTS)
def test_text_is_read_within_a_budget(drawing: Drawer, fault: str, tmp_path: Path) -> None:
    name, make, words = TEXTS[fault]
    make(tmp_path / name)
    bounded(drawing.draw(tmp_path / name), fault, words)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_packed_table_that_unpacks_to_too_much_is_refused(
    drawing: Drawer, ending: str, tmp_path: Path
) -> None:
    row = b"xxxxxxxxxx,a\n" if ending == "csv" else b'{"text": "x", "label": "a"}\n'
    with zipfile.ZipFile(tmp_path / "rows.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"rows.{ending}", (CSV if ending == "csv" else LINES) + row * (80 * MB // len(row)))
    words = "unpacks to over 200 times its size"
    bounded(drawing.draw(tmp_path / "rows.zip"), f"a zip with a {ending} file of 80 MB in 80 kB", words)


@pytest.mark.slow
def test_long_rows_are_held_a_few_at_a_time(drawing: Drawer, tmp_path: Path) -> None:
    rows = 400
    with (tmp_path / "rows.jsonl").open("wb") as file, (tmp_path / "rows.csv").open("wb") as other:
        other.write(b"text,label\n")
        for i in range(rows):
            file.write(json.dumps({"text": f"{i}" + "x" * MB, "label": "ab"[i % 2]}).encode() + b"\n")
            other.write(f"{i}{'x' * MB},{'ab'[i % 2]}\n".encode())
    for name in ("rows.jsonl", "rows.csv"):
        found = drawing.draw(tmp_path / name)
        assert found.drawn and found.peak < 450e6, found
        bounded(found, f"{rows} rows of 1 MB in {name}", "10 rows")


def test_a_zip_with_the_hidden_files_of_a_mac_holds_one_file(drawing: Drawer, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rows.jsonl.zip", "w") as packed:
        packed.writestr("rows.jsonl", LINES)
        packed.writestr("__MACOSX/._rows.jsonl", b"\0")
        packed.writestr(".DS_Store", b"\0")
    assert drawing.draw(tmp_path / "rows.jsonl.zip").outcome == "10 rows"


IMAGES: Final = [noise(np.random.default_rng(i), 8) for i in range(20)]
LARGE: Final = "file larger than 100 MB"


def tarred(path: Path, *, large: dict[str, int]) -> None:
    """Write a WebDataset of small images, and *large* members of so many zeros, which take no space."""
    with path.open("wb") as file:
        for i, content in enumerate(IMAGES):
            for name, part in ((f"{i:04}.png", content), (f"{i:04}.cls", b"01"[i % 2 :][:1])):
                added(file, name, len(part), part)
        for name, size in large.items():
            added(file, name, size)
        file.write(bytes(1024))


def added(
    file: io.BufferedWriter, name: str, size: int, content: bytes = b"", kind: bytes = tarfile.REGTYPE
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    file.write(member.tobuf() + content)
    file.seek(-(-size // 512) * 512 - len(content), 1)


def test_a_tar_holds_few_large_files_at_once(drawing: Drawer, tmp_path: Path) -> None:
    tarred(
        tmp_path / "x.tar",
        large={f"{i}.{kind}": 90_000_000 for i in range(50, 56) for kind in ("png", "jpg")},
    )
    found = drawing.draw(tmp_path / "x.tar", samples=40)
    bounded(
        found,
        "a tar of 6 rows with two images of 90 MB each",
        "files beyond 100 MB in a row are left out: 6",
    )


@pytest.mark.slow
def test_files_in_a_tar_that_are_too_large_are_left_out(drawing: Drawer, tmp_path: Path) -> None:
    tarred(
        tmp_path / "x.tar",
        large={f"{i}.{kind}": 2**28 for i in range(50, 52) for kind in ("png", "txt", "json")},
    )
    found = drawing.draw(tmp_path / "x.tar")
    bounded(
        found,
        "a tar of 6 files of 256 MB",
        "files beyond 100 MB in a row are left out: 6, of which the first is '50.png'",
    )
    tarred(
        tmp_path / "y.tar",
        large={f"{i}.{kind}": 95_000_000 for i in range(50, 52) for kind in ("txt", "json", "cls")},
    )
    bounded(drawing.draw(tmp_path / "y.tar"), "a tar of texts, JSON and classes of 95 MB each", "10 rows")


def test_a_tar_that_unpacks_to_too_much_is_refused(drawing: Drawer, tmp_path: Path) -> None:
    tarred(tmp_path / "x.tar", large={f"{i}.png": 2**26 for i in range(50, 53)})
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress((tmp_path / "x.tar").read_bytes(), 1))
    bounded(
        drawing.draw(tmp_path / "x.tar.gz"),
        "a tar.gz of 200 MB in 1 MB",
        "unpacks to over 200 times its size",
    )


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE], ids=["long", "pax", "global"]
)
def test_a_name_in_a_tar_is_no_file(drawing: Drawer, kind: bytes, tmp_path: Path) -> None:
    with (tmp_path / "x.tar").open("wb") as file:
        added(file, "name", 2**31, kind=kind)
        added(file, "0.cls", 1, b"0")
    bounded(
        drawing.draw(tmp_path / "x.tar"),
        f"a tar with a name of 2 GB (type {kind!r})",
        "a name of 2,147,483,648 bytes",
    )


@pytest.mark.parametrize(
    "content", [b"[" * 10**6, b'{"a":' * 10**5, b"1" * 10**5, b'{"a": ' + b"9" * 5000 + b"}"], ids=range(4)
)
def test_json_in_a_tar_is_read_within_limits(drawing: Drawer, content: bytes, tmp_path: Path) -> None:
    with (tmp_path / "x.tar").open("wb") as file:
        for i, image in enumerate(IMAGES):
            added(file, f"{i:04}.png", len(image), image)
            added(file, f"{i:04}.cls", 1, b"01"[i % 2 :][:1])
            added(file, f"{i:04}.json", len(content), content)
        file.write(bytes(1024))
    found = drawing.draw(tmp_path / "x.tar")
    bounded(found, f"JSON in a tar that begins with {content[:12]!r}", "10 rows")


@pytest.mark.parametrize("content", [b"--5", b"9" * 5000, "²".encode(), b"9" * 19, b"\xff"], ids=range(5))
def test_a_class_in_a_tar_that_is_no_number_is_a_text_or_missing(
    drawing: Drawer, content: bytes, tmp_path: Path
) -> None:
    with (tmp_path / "x.tar").open("wb") as file:
        for i, image in enumerate(IMAGES):
            added(file, f"{i:04}.png", len(image), image)
            label = content if i == 3 else b"01"[i % 2 :][:1]
            added(file, f"{i:04}.cls", len(label), label)
        file.write(bytes(1024))
    bounded(
        drawing.draw(tmp_path / "x.tar"), f"the class {content[:12]!r} in a tar", "10 rows; 1 × missing label"
    )


def test_an_image_file_that_is_too_large_is_dropped(drawing: Drawer, tmp_path: Path) -> None:
    for i, content in enumerate(IMAGES):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[i % 2] / f"{i}.png").write_bytes(content)
    sparse(tmp_path / "a" / "large.png", IMAGES[0], 2**31)
    bounded(drawing.draw(tmp_path, samples=21), "a folder with an image of 2 GB", f"1 × {LARGE}")


def stored(table: pa.Table, path: Path) -> None:
    """Write *table* in the format that the name of *path* says."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_a_cell_that_is_too_large_is_dropped(drawing: Drawer, ending: str, tmp_path: Path) -> None:
    file, labels = tmp_path / f"rows.{ending}", [i % 2 for i in range(20)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [{"bytes": IMAGES[i] + bytes(140_000_000 if i == 3 else 0), "path": None} for i in range(20)]
    stored(pa.table({"image": pa.array(images, kind), "label": labels}), file)
    bounded(drawing.draw(file, samples=20), f"an image of 140 MB in a {ending} file", f"1 × {LARGE}")
    texts = [f"{i}" + "x" * (40_000_000 if i == 3 else 0) for i in range(20)]
    stored(pa.table({"text": texts, "label": labels}), file)
    bounded(
        drawing.draw(file, samples=20), f"a text of 40 MB in a {ending} file", "1 × text larger than 33 MB"
    )


ROWS: Final = 200
AB: Final = ["ab"[i % 2] for i in range(ROWS)]


def one_for_all(text: str, rows: int = ROWS) -> pa.Array:
    """Return a column in which every row names the same text."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))


def words(text: str, count: int) -> pa.Array:
    """Return lists of words, of which the first holds *text* so often."""
    ends = pa.array([0, *range(count, count + ROWS)], pa.int32())
    return pa.ListArray.from_arrays(ends, one_for_all(text, count + ROWS - 1))


def views(text: str) -> pa.Array:
    """Return a column of views of the same text."""
    view = struct.pack("<i4sii", len(text), text[:4].encode(), 0, 0)
    return pa.Array.from_buffers(
        pa.string_view(), ROWS, [None, pa.py_buffer(view * ROWS), pa.py_buffer(text.encode())]
    )


def runs(text: str) -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array([ROWS], pa.int32()), pa.array([text]))


DROPPED: Final = "200 × text larger than 33 MB"
REPEATED: Final = "column {}: long values that are repeated too often to hold"
BOMB: Final = "unpacks to over 200 times its size"


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["zstd", "snappy"])
@pytest.mark.parametrize(
    ("fault", "text", "expected"),
    [
        ("one text of 100 MB for 200 rows", lambda: one_for_all("x" * 10**8), {"zstd": BOMB, "snappy": DROPPED}),
        ("one text of 60 MB for 200 rows", lambda: one_for_all("x" * 6 * 10**7), {"zstd": DROPPED, "snappy": DROPPED}),
        ("one text of 30 MB for 200 rows", lambda: one_for_all("x" * 3 * 10**7), {"zstd": "10 rows", "snappy": "10 rows"}),
    ],
    ids=range(3),
)  # fmt: skip
def test_parquet_names_one_text_in_many_rows(
    drawing: Drawer,
    fault: str,
    text: Callable[[], pa.Array],
    expected: dict[str, str],
    codec: str,
    tmp_path: Path,
) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": text(), "label": AB}), file, compression=codec, store_schema=False)
    size = f"{file.stat().st_size / 1000:.0f} kB of parquet ({codec})"
    bounded(drawing.draw(file), f"{fault} in {size}", expected[codec])


@pytest.mark.parametrize("codec", ["zstd", "snappy"])
def test_parquet_names_one_word_often_in_a_list(drawing: Drawer, codec: str, tmp_path: Path) -> None:
    tokens = words("x" * 10**6, 10_000)
    tags = pa.ListArray.from_arrays(tokens.offsets, pa.array([i % 2 for i in range(len(tokens.values))]))
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"tokens": tokens, "tags": tags}), file, compression=codec, store_schema=False)
    found = drawing.draw(file, task="token-classification")
    bounded(
        found, f"10,000 times one word of 1 MB in a list of parquet ({codec})", REPEATED.format("'tokens'")
    )
    table = pa.table({"text": [f"row {i}" for i in range(ROWS)], "labels": tokens})
    pq.write_table(table, file, compression=codec, store_schema=False)
    found = drawing.draw(file, label_columns=["labels"])
    bounded(
        found, f"10,000 times one label of 1 MB in a list of parquet ({codec})", REPEATED.format("'labels'")
    )


def test_parquet_names_one_label_in_many_rows(drawing: Drawer, tmp_path: Path) -> None:
    labels = one_for_all("x" * 10**6, 1000)
    table = pa.table({"text": [f"row {i}" for i in range(1000)], "label": labels})
    pq.write_table(table, tmp_path / "rows.parquet", compression="zstd", store_schema=False)
    found = drawing.draw(tmp_path / "rows.parquet", label_columns=["label"])
    bounded(found, "one label of 1 MB for 1,000 rows of parquet", REPEATED.format("'label'"))
    stored(table, tmp_path / "rows.arrow")
    found = drawing.draw(tmp_path / "rows.arrow", label_columns=["label"])
    bounded(found, "one label of 1 MB for 1,000 rows of Arrow", REPEATED.format("'label'"))


@pytest.mark.slow
@pytest.mark.parametrize("cells", [1, 60])
def test_a_page_that_unpacks_to_too_much_is_refused(drawing: Drawer, cells: int, tmp_path: Path) -> None:
    texts = [f"{i}" + "x" * (600_000_000 // cells if i < cells else 0) for i in range(ROWS)]
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": texts, "label": AB}), file, compression="zstd", use_dictionary=False)
    bounded(
        drawing.draw(file),
        f"a page of parquet of 600 MB, {cells} texts, in {file.stat().st_size // 1000} kB",
        BOMB,
    )


@pytest.mark.parametrize(("name", "make"), [("a dictionary", one_for_all), ("views", views), ("runs", runs)])
def test_arrow_names_one_text_in_many_rows(
    drawing: Drawer, name: str, make: Callable[[str], pa.Array], tmp_path: Path
) -> None:
    stored(pa.table({"text": make("x" * 6 * 10**7), "label": AB}), tmp_path / "rows.arrow")
    bounded(
        drawing.draw(tmp_path / "rows.arrow"), f"one text of 60 MB for 200 rows of Arrow, by {name}", DROPPED
    )


def test_arrow_lists_share_their_items(drawing: Drawer, tmp_path: Path) -> None:
    starts, sizes = pa.array([0] * ROWS, pa.int32()), pa.array([10_000] * ROWS, pa.int32())
    lists = pa.ListViewArray.from_arrays(starts, sizes, pa.array(["x" * 10_000] * 10_000))
    stored(pa.table({"text": lists, "label": AB}), tmp_path / "rows.arrow")
    bounded(drawing.draw(tmp_path / "rows.arrow"), "200 lists that share 100 MB", "text")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zstd", "lz4"])
@pytest.mark.parametrize("rows", [1, 40])
def test_a_compressed_arrow_file_is_unpacked_in_parts(
    drawing: Drawer, kind: str, rows: int, tmp_path: Path
) -> None:
    texts = ["x" * 40_000_000] * 40
    options = pa.ipc.IpcWriteOptions(compression=kind)
    for ending, new in (("feather", pa.ipc.new_file), ("arrow", pa.ipc.new_stream)):
        file = tmp_path / f"rows.{ending}"
        table = pa.table({"text": texts, "label": AB[:40]})
        with new(file, table.schema, options=options) as written:
            written.write_table(table, max_chunksize=rows)
        found = drawing.draw(file)
        size = f"{file.stat().st_size / 1e6:.1f} MB of Arrow ({ending}, {kind})"
        bounded(
            found,
            f"1.6 GB in {size}, {rows} rows at a time",
            BOMB if rows == 40 else "40 × text larger than 33 MB",
        )


def test_a_large_compressed_arrow_file_is_read(drawing: Drawer, tmp_path: Path) -> None:
    texts = [f"{i} {noise(np.random.default_rng(i), 30).hex()}" + "x" * 300_000 for i in range(1000)]
    table = pa.table({"text": texts, "label": pa.array(AB * 5).dictionary_encode()})
    for name, new in (("rows.feather", pa.ipc.new_file), ("rows.arrow", pa.ipc.new_stream)):
        with new(tmp_path / name, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
            file.write_table(table, max_chunksize=100)
        bounded(drawing.draw(tmp_path / name), f"300 MB in a compressed {name}", "10 rows")


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_deep_schema_is_refused_or_read(drawing: Drawer, ending: str, tmp_path: Path) -> None:
    deep = pa.array([1] * ROWS)
    for _ in range(60):
        deep = pa.StructArray.from_arrays([deep], ["a"])
    stored(
        pa.table({"n": deep, "text": [f"row {i}" for i in range(ROWS)], "label": AB}),
        tmp_path / f"x.{ending}",
    )
    bounded(drawing.draw(tmp_path / f"x.{ending}"), f"60 structs in each other in a {ending} file", "10 rows")


MOST_SECONDS: Final = 60.0


def test_rows_with_other_keys_each_are_refused(drawing: Drawer, tmp_path: Path) -> None:
    rows = b"".join(b'{"key %d": "row %d", "label": "%c"}\n' % (i, i, b"ab"[i % 2]) for i in range(150_000))
    (tmp_path / "rows.jsonl").write_bytes(rows)
    found = drawing.draw(tmp_path / "rows.jsonl")
    bounded(found, "150,000 rows of JSON with a key of their own each", "over 100,000 keys in the first rows")
    assert found.seconds < MOST_SECONDS


def test_a_repeated_key_among_many_is_found_soon(drawing: Drawer, tmp_path: Path) -> None:
    keys = b", ".join(b'"key %d": 1' % i for i in range(90_000))
    row = b'{"text": "a", "text": "b", "label": "a", ' + keys + b"}\n"
    (tmp_path / "rows.jsonl").write_bytes(LINES + row)
    found = drawing.draw(tmp_path / "rows.jsonl")
    bounded(
        found, "a row of JSON with 90,000 keys, of which one is there twice", "the object has this key twice"
    )
    assert found.seconds < MOST_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_wide_table_is_read_soon(drawing: Drawer, ending: str, tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(90_000 if ending == "csv" else 20_000)]
    file = tmp_path / f"rows.{ending}"
    if ending == "csv":
        rows = "".join(f"row {i},{'ab'[i % 2]}{',1' * len(names)}\n" for i in range(20))
        file.write_text(f"text,label,{','.join(names)}\n{rows}")
    else:
        values = dict.fromkeys(names, pa.array([1] * 20))
        stored(pa.table({"text": [f"row {i}" for i in range(20)], "label": AB[:20], **values}), file)
    found = drawing.draw(file)
    bounded(found, f"a {ending} file of {len(names):,} columns", "10 rows")
    assert found.seconds < MOST_SECONDS


@pytest.mark.slow
def test_many_classes_are_drawn_soon(drawing: Drawer, tmp_path: Path) -> None:
    rows = "".join(f"row {i},class {i % 40_000}\n" for i in range(160_000))
    (tmp_path / "rows.csv").write_text(f"text,label\n{rows}")
    found = drawing.draw(tmp_path / "rows.csv", samples=80_000, label_kind="class")
    bounded(found, "40,000 classes", "80000 rows")
    assert found.seconds < MOST_SECONDS


def test_deep_metadata_far_down_is_refused(drawing: Drawer, tmp_path: Path) -> None:
    rows = [{"file_name": f"{i}.png", "label": "ab"[i % 2], "said": "x" * 700_000} for i in range(20)]
    for i, content in enumerate(IMAGES):
        (tmp_path / f"{i}.png").write_bytes(content)
    deep = b'{"file_name": "0.png", "label": "a", "said": ' + b"[" * 10**6 + b"]" * 10**6 + b"}\n"
    (tmp_path / "metadata.jsonl").write_bytes(
        b"".join(json.dumps(row).encode() + b"\n" for row in rows) + deep
    )
    bounded(
        drawing.draw(tmp_path),
        "metadata.jsonl with a million lists in each other",
        "line 21: nested more than 64 deep",
    )


def test_many_columns_are_counted_in_a_message(drawing: Drawer, tmp_path: Path) -> None:
    names = ",".join(f"column{i}" for i in range(20_000))
    (tmp_path / "rows.csv").write_text(f"{names}\n" + "\n".join([",".join(["1"] * 20_000)] * 5))
    found = drawing.draw(tmp_path / "rows.csv", label_columns=["other"])
    bounded(found, "20,000 columns to choose from", "and 19,970 more")
    assert len(found.outcome) < 2000

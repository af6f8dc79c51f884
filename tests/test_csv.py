"""csv and tsv: separators, quotes, encodings, headers, types and missing values, as people write them."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.records import Sample
from hubscan.sample import draw
from hubscan.sample.sources.delimited import stream as delimited
from hubscan.sample.sources.delimited.file import Declared
from hubscan.sample.sources.delimited.stream import DelimitedStream
from hubscan.sample.sources.files import open_file
from tests.hub.large import noise

ROWS = 60
TEXTS = [f"row {i} of many words" for i in range(ROWS)]
Line = Callable[[int], str]


def table(header: str, line: Line, end: str = "\n") -> str:
    """A file with a header and `ROWS` lines."""
    return end.join([header, *map(line, range(ROWS)), ""])


def simple(i: int) -> str:
    return f"{TEXTS[i]},{'ab'[i % 2]}"


PLAIN = table("text,label", simple)


def stored(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def drawn(dataset: Path, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(dataset), "samples": ROWS, **keys}).sample_request)


def stream(file: Path, **declared: Any) -> DelimitedStream:
    return DelimitedStream([open_file(str(file))], str(file), Declared(**declared))


def cells(file: Path, column: str, **declared: Any) -> list[Any]:
    """All cells of a column."""
    tables = stream(file, **declared).tables([column])
    return [cell for table in tables for cell in table[column].to_pylist()]


def kind(file: Path, column: str) -> str:
    return str(stream(file).features[column].dtype)


# -- missing values and types --------------------------------------------------------------------


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan", "N/A"])
def test_a_word_for_nothing_is_a_class_and_the_sample_says_so(tmp_path: Path, word: str) -> None:
    classes = (word, "Mild", "Severe")
    sample = drawn(stored(tmp_path, table("text,label", lambda i: f"{TEXTS[i]},{classes[i % 3]}")))
    assert sample.draw.classes == {name: ROWS // 3 for name in classes} and not sample.draw.dropped
    assert [f"the class {word!r} is kept" in note for note in sample.draw.notes] == [True]
    sample = drawn(stored(tmp_path, table("text,label", lambda i: f"{word if i % 3 else TEXTS[i]},{i % 2}")))
    assert sample.inputs["text"].count(word) == 40
    assert f"texts that are just {word!r} (40) are kept" in sample.draw.notes[-1]


@pytest.mark.parametrize("empty", ["", '""', "  "])
def test_only_an_empty_cell_is_missing(tmp_path: Path, empty: str) -> None:
    for values in (("0", "1"), ("True", "False"), ("Mild", "Severe")):
        labels = [empty if i % 10 == 7 else values[i % 2] for i in range(ROWS)]
        sample = drawn(stored(tmp_path, table("text,label", lambda i, at=labels: f"{TEXTS[i]},{at[i]}")))  # type: ignore[misc]
        assert sample.draw.dropped == {"missing label": 6} and list(sample.draw.classes) == sorted(values)


@pytest.mark.parametrize(
    ("values", "found", "expected"),
    [
        (["1", "", "0"], "int64", [1, None, 0]),
        (["1", "1.0", "0"], "float64", [1.0, 1.0, 0.0]),
        (["0.5", "nan", "NA", "inf", "1e3"], "float64", [0.5, None, None, float("inf"), 1000.0]),
        (["+1", "-1", " 2"], "int64", [1, -1, 2]),
        (["007", "7"], "string", ["007", "7"]),
        (["1", "NA"], "string", ["1", "NA"]),
        (["nan", "NA"], "string", ["nan", "NA"]),
        (["0.5", "\\N"], "float64", [0.5, None]),
        (["1,000", "2"], "string", ["1,000", "2"]),
        (["1_000", "2"], "string", ["1_000", "2"]),
        (["9223372036854775808", "1"], "string", ["9223372036854775808", "1"]),
        (["9007199254740993", ""], "int64", [9007199254740993, None]),
        (["TRUE", "false", ""], "bool", [True, False, None]),
        (["yes", "no"], "string", ["yes", "no"]),
        (["2020-01-31", ""], "string", ["2020-01-31", None]),
        (["", ""], "null", [None, None]),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else None,
)
def test_a_column_has_the_type_of_its_cells(
    tmp_path: Path, values: Sequence[str], found: str, expected: list[Any]
) -> None:
    file = stored(tmp_path, "\n".join(["text,label", *(f'a,"{value}"' for value in values)]))
    assert kind(file, "label") == found and cells(file, "label") == expected


def test_a_word_among_whole_numbers_is_noted(tmp_path: Path) -> None:
    line: Line = lambda i: f"{TEXTS[i]},{('1.0', '0.0', '2.5', 'NA')[i % 4] if i % 4 != 2 else '2.0'}"  # noqa: E731
    (note,) = drawn(stored(tmp_path, table("text,label", line)), label_kind="number").draw.notes
    assert "'NA' (15) is a missing number" in note


def long(later: Sequence[str], first: Callable[[int], str] = lambda i: str(i % 2)) -> str:
    lines = [f"text {i},{first(i)}" for i in range(delimited.TYPED_ROWS)]
    return "\n".join(["text,label", *lines, *(f"last {i},{cell}" for i, cell in enumerate(later))])


def test_later_cells_do_not_change_the_type_of_a_column(tmp_path: Path) -> None:
    late = delimited.TYPED_ROWS
    assert cells(stored(tmp_path, long(["1.0", ""])), "label")[late:] == [1, None]
    with pytest.raises(
        DatasetError, match=r"rows.csv, line 10002, column 'label': 'NA' is not an integer.*empty"
    ):
        drawn(stored(tmp_path, long(["NA"])))
    with pytest.raises(DatasetError, match=r"line 10003, column 'label': '007' is not an integer"):
        drawn(stored(tmp_path, long(["1", "007"])))
    with pytest.raises(DatasetError, match=r"line 10002, column 'label': 'maybe' is not True or False"):
        drawn(stored(tmp_path, long(["maybe"], lambda i: str(i % 2 > 0))))
    texts = long(["5", "NA"], lambda i: "ab"[i % 2])
    assert cells(stored(tmp_path, texts), "label")[late:] == ["5", "NA"]
    empty = long(["late", "7"], lambda i: "")
    assert cells(stored(tmp_path, empty), "label")[late:] == ["late", "7"]


def test_a_fraction_after_many_integers_is_noted(tmp_path: Path) -> None:
    notes = drawn(stored(tmp_path, long(["1.5"])), samples=10).draw.notes
    assert "1 row with a fraction in a column of integers, the first in line 10,002 of rows.csv" in notes[0]


def test_a_decimal_comma_stays_a_text_and_the_error_says_so(tmp_path: Path) -> None:
    file = stored(tmp_path, table("text;score", lambda i: f"{TEXTS[i]};{i % 7},{i}"))
    for keys in ({}, {"label_kind": "number"}):
        with pytest.raises(DatasetError, match="column 'score' has numbers with a decimal comma: write them"):
            drawn(file, label_columns=("score",), **keys)


# -- separators ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_and_another_than_usual_is_noted(
    tmp_path: Path, separator: str, name: str
) -> None:
    file = stored(tmp_path, PLAIN.replace(",", separator), name)
    sample = drawn(file)
    usual = separator == ("," if name == "rows.csv" else "\t")
    assert sample.draw.classes == {"a": 30, "b": 30}
    assert [note.endswith("pass --separator to change that") for note in sample.draw.notes] == [True] * (
        not usual
    )
    asked = drawn(file, separator="tab" if separator == "\t" else separator)
    assert asked.inputs == sample.inputs and asked.draw.notes == ()


def test_commas_in_the_texts_do_not_hide_the_separator(tmp_path: Path) -> None:
    line: Line = lambda i: f"well, {TEXTS[i]};{i % 2}"  # noqa: E731
    first = drawn(stored(tmp_path, table("text;label", line))).inputs["text"][0]
    assert str(first).startswith("well, row")
    line = lambda i: f'{i};"well, ""{TEXTS[i]}""";{i % 2}'  # noqa: E731
    sample = drawn(stored(tmp_path, table('"id";"text, in full";"label"', line)))
    assert sample.draw.columns == {"text": "text, in full", "label": "label"}
    assert str(sample.inputs["text"][0]).startswith('well, "row')


def test_excel_may_declare_the_separator(tmp_path: Path) -> None:
    sample = drawn(stored(tmp_path, "sep=;\r\n" + PLAIN.replace(",", ";")))
    assert sample.draw.classes == {"a": 30, "b": 30} and sample.draw.notes == ()


def test_an_unknown_separator_is_asked_for(tmp_path: Path) -> None:
    file = stored(tmp_path, PLAIN.replace(",", "~"))
    with pytest.raises(DatasetError, match="the header has one field only: pass --separator"):
        drawn(file)
    assert drawn(file, separator="~").draw.classes == {"a": 30, "b": 30}


# -- rows of other lengths -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        (
            "text,label",
            lambda i: f"{simple(i)},",
            r"line 2: 3 fields, but the header has 2; remove ',' at",
        ),
        (
            "text,label",
            lambda i: f"well, {simple(i)}",
            r"line 2: 3 fields.*; write texts with ',' in quotes",
        ),
        ("id,text,label", lambda i: f"{i},so, {simple(i)}", r"line 2: 4 fields, but the header has 3"),
        ("text,label", lambda i: f"so, {TEXTS[i]},a" if i == 40 else simple(i), r"line 42: 3 fields"),
        ("id,text", lambda i: f'{i},a, "b, c"' if i == 5 else simple(i), r"line 7.*the space before a quote"),
        (
            "text\tlabel",
            lambda i: f"a\t{TEXTS[i]}\ta" if i == 5 else f"{TEXTS[i]}\ta",
            r"line 7: 3 fields.*; remove a tab within",
        ),
    ],
)
def test_more_fields_than_the_header_has_is_an_error(
    tmp_path: Path, header: str, line: Line, said: str
) -> None:
    with pytest.raises(DatasetError, match=rf"rows.csv[:,] {said}"):
        drawn(stored(tmp_path, table(header, line)))


def test_a_comma_at_the_end_of_the_header_too_makes_a_column_without_a_name(tmp_path: Path) -> None:
    for line in (lambda i: f"{simple(i)},", simple):
        sample = drawn(stored(tmp_path, table("review,label,", line)))
        assert sample.draw.columns == {"text": "review", "label": "label"} and sample.draw.notes == ()


def test_rows_with_fewer_fields_are_counted(tmp_path: Path) -> None:
    line: Line = lambda i: TEXTS[i] if i % 20 == 9 else f"{simple(i)},x"  # noqa: E731
    sample = drawn(stored(tmp_path, table("text,label,more", line)))
    assert sample.draw.dropped == {"missing label": 3}
    assert (
        "3 rows with fewer fields than the header, the first in line 11 of rows.csv" in sample.draw.notes[0]
    )
    sample = drawn(stored(tmp_path, table("text,label,more", simple)))
    assert sample.draw.notes == (), "the missing cells are in a column that is not read"


def test_empty_lines_and_repeated_headers_are_no_rows(tmp_path: Path) -> None:
    lines = PLAIN.splitlines()
    content = "\n\n".join([*lines[:30], "\ufefftext,label", "  ", *lines[30:]])
    sample = drawn(stored(tmp_path, content))
    assert sample.draw.classes == {"a": 30, "b": 30} and sample.draw.rows_seen == ROWS
    assert sample.draw.notes == ("1 row equal to the header, the first in line 61 of rows.csv, left out",)


# -- quotes --------------------------------------------------------------------------------------


def test_in_a_tsv_a_quote_is_a_letter(tmp_path: Path) -> None:
    def text(i: int) -> str:
        return {3: f'"{TEXTS[i]}', 8: f'{TEXTS[i]}"', 5: TEXTS[i].replace(" ", ' "', 1)}.get(i % 10, TEXTS[i])

    file = stored(tmp_path, table("text\tlabel", lambda i: f"{text(i)}\t{i % 2}"), "rows.tsv")
    sample = drawn(file)
    assert cells(file, "text") == [text(i) for i in range(ROWS)]
    assert sample.draw.rows_seen == ROWS and sample.draw.notes == ()


@pytest.mark.parametrize(
    ("header", "field", "text"),
    [
        ("text\tlabel", '"so ""it"" is"', 'so "it" is'),
        ("text\tlabel", '"so\tit is"', "so\tit is"),
        ("text\tlabel", '"so\nit is"', "so\nit is"),
        ('"text"\t"label"', '"so it is"', "so it is"),
        ("text\tlabel", '"so it is"', '"so it is"'),
    ],
)
def test_in_a_tsv_that_evidently_quotes_a_quote_opens_a_field(
    tmp_path: Path, header: str, field: str, text: str
) -> None:
    file = stored(tmp_path, table(header, lambda i: f"{field if i % 2 else TEXTS[i]}\t{i % 3}"), "rows.tsv")
    assert cells(file, "text") == [text if i % 2 else TEXTS[i] for i in range(ROWS)]
    assert any("quote" in note for note in drawn(file).draw.notes) == (text[0] == '"')


def lines_with(place: int, line: str) -> str:
    return table("text,label", lambda i: line if i == place else simple(i))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'"{TEXTS[5]},a', r"line 7: a quote opens a field and is never closed"),
        ('"Great" film,a', r"line 7: text follows the closing quote of a field, in '\"Great\" film,a'"),
        ('"so \\"it\\" is",a', r'line 7: a quote is written as \\", .*; write it twice \(""\) instead'),
    ],
)
def test_a_misplaced_quote_is_an_error_that_names_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DatasetError, match=rf"rows.csv[:,] {said}"):
        drawn(stored(tmp_path, lines_with(5, line)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            lines_with(5, f'"{simple(5)}').replace(TEXTS[8], f'{TEXTS[8]}"'),
            "several lines that look like rows",
        ),
        (lines_with(5, 'so \\"it\\" is,a'), 'a quote written as \\", the first in line 7 of rows.csv'),
    ],
)
def test_rows_that_quotes_have_probably_joined_or_changed_are_noted(
    tmp_path: Path, content: str, said: str
) -> None:
    (note,) = drawn(stored(tmp_path, content)).draw.notes
    assert said in note


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ('"so ""it"" is"', 'so "it" is'),
        ('a 5" pipe', 'a 5" pipe'),
        ('"one, two\nthree, four"', "one, two\nthree, four"),
        ('"""quoted"""', '"quoted"'),
        ('"C:\\"', "C:\\"),
        (" indented", " indented"),
        ("a\0b", "a\0b"),
    ],
)
def test_quotes_and_odd_characters_are_read_as_they_are_written(
    tmp_path: Path, field: str, text: str
) -> None:
    file = stored(tmp_path, lines_with(5, f"{field},a"))
    assert cells(file, "text")[5] == text and drawn(file).draw.notes == ()


def test_a_space_behind_each_separator_belongs_to_no_field(tmp_path: Path) -> None:
    file = stored(tmp_path, table("text, label", lambda i: f"{TEXTS[i]}, {'ab'[i % 2]}"))
    assert drawn(file, label_columns=("label",)).draw.classes == {"a": 30, "b": 30}
    file = stored(tmp_path, table("label,text", lambda i: f'{i % 2}, "well, {TEXTS[i]}"'))
    assert cells(file, "text")[0] == f"well, {TEXTS[0]}"


def test_a_very_long_text_is_read(tmp_path: Path) -> None:
    sample = drawn(stored(tmp_path, lines_with(5, f'"{"long " * 60_000}",a')))
    assert max(map(len, map(str, sample.inputs["text"]))) == 300_000


# -- encodings and other formats -----------------------------------------------------------------

CAFE = table("text,label", lambda i: f"{TEXTS[i]} café,{'ab'[i % 2]}")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_utf8_and_marked_utf16_and_utf32_are_decoded(tmp_path: Path, encoding: str, end: str) -> None:
    sample = drawn(stored(tmp_path, CAFE.replace("\n", end).encode(encoding)))
    assert all(str(text).endswith("café") for text in sample.inputs["text"])
    assert sample.draw.columns == {"text": "text", "label": "label"} and sample.draw.rows == ROWS
    assert len(sample.draw.notes) == (not encoding.startswith("utf-8"))


def zipped(*members: tuple[str, str]) -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return stored.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            CAFE.encode("latin-1"),
            r"line 2, column 'text': the byte 0xE9 is not UTF-8; save the file as UTF-8",
        ),
        (CAFE.replace("text", "téxt").encode("latin-1"), r"line 1: the name of a column has the byte 0xE9"),
        (CAFE.encode("utf-16-le"), r"line 1: every other byte is zero, as in UTF-16.*; save"),
        (CAFE.encode("utf-16")[:-1], r"line \d+: it or a later line is not UTF-16"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n",
            r"a Git LFS pointer.*; run",
        ),
        (b"", r"the file is empty"),
        (b"text,label\n", r"the split has no rows"),
        (b"PAR1 and more", r"is a parquet file, not text"),
        (b"<!DOCTYPE html><html>", r"this is a web page"),
        (zipped(("[Content_Types].xml", ""), ("xl/sheet.xml", "")), r"is an Excel workbook; save"),
        (zipped(("readme.txt", "")), r"this zip holds no csv or tsv file; unpack it"),
        (gzip.compress(CAFE.encode())[:-60], r"cannot be read: .*; check that the file is complete"),
    ],
)
def test_what_is_no_csv_is_named_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=rf"rows.csv[:,] {said}") as refused:
        drawn(stored(tmp_path, content))
    assert "\n" not in str(refused.value)


def test_a_column_that_is_not_read_may_have_any_bytes(tmp_path: Path) -> None:
    content = table("author,text,label", lambda i: f"José,{simple(i)}").encode("latin-1")
    assert drawn(stored(tmp_path, content)).draw.rows == ROWS


def test_the_csv_in_a_zip_is_read(tmp_path: Path) -> None:
    alone = zipped(("__MACOSX/._rows.csv", "x"), ("rows.csv", PLAIN))
    assert drawn(stored(tmp_path, alone, "rows.csv.zip")).draw.classes == {"a": 30, "b": 30}
    assert drawn(tmp_path).draw.rows_seen == ROWS, "in a folder"
    several = zipped(("b.csv", PLAIN), ("a.csv", "label,text\na,first\n"))
    assert cells(stored(tmp_path, several, "all.csv.zip"), "text")[:2] == ["first", TEXTS[0]]


# -- headers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", [lambda i: f"{i % 2 + 1},{TEXTS[i]}", simple, lambda i: f"{'long ' * 9}{i},{i}x,{i % 3}.5"]
)
def test_a_missing_header_is_asked_about(tmp_path: Path, line: Line) -> None:
    with pytest.raises(DatasetError, match=r"is a header (line )?missing\?"):
        drawn(stored(tmp_path, table(line(0), line)))


def test_a_header_is_not_doubted_without_reason(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as refused:
        drawn(stored(tmp_path, table("first,second", simple)))
    assert "is a header" not in str(refused.value)


def test_a_name_that_two_columns_have_is_an_error_if_it_is_needed(tmp_path: Path) -> None:
    twice = stored(tmp_path, table("text,label,label", lambda i: f"{simple(i)},x"))
    with pytest.raises(
        DatasetError, match=r"rows.csv, line 1: columns 2 and 3 are both called 'label'; rename"
    ):
        drawn(twice)
    other = stored(tmp_path, table("text,label,more,more", lambda i: f"{simple(i)},1,2"))
    assert drawn(other).draw.rows == ROWS


def test_a_column_without_a_name_is_an_error_if_it_is_needed(tmp_path: Path) -> None:
    file = stored(tmp_path, table(",label", lambda i: f"{TEXTS[i]},{i % 2}"))
    with pytest.raises(DatasetError, match=r"rows.csv, line 1: column 1 has no name; add one"):
        drawn(file)
    index = stored(tmp_path, table(",text,label", lambda i: f"{i},{simple(i)}"))
    assert drawn(index).draw.columns == {"text": "text", "label": "label"}


def test_the_files_of_a_folder_need_the_same_columns_in_any_order(tmp_path: Path) -> None:
    stored(tmp_path, PLAIN, "a.csv")
    stored(tmp_path, "label;text\na;last\n", "b.csv")
    sample = drawn(tmp_path)
    assert sample.draw.rows_seen == ROWS + 1 and "';'" in sample.draw.notes[0]
    stored(tmp_path, "text,mood\nlast,a\n", "b.csv")
    with pytest.raises(
        DatasetError, match=r"b.csv: column 'label' is missing or there twice, unlike in .*a.csv"
    ):
        drawn(tmp_path)


# -- what a dataset declares ---------------------------------------------------------------------

NAMED = """dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names: {'0': a, '1': b}"""


@pytest.mark.parametrize(
    ("card", "content"),
    [
        ("sep: ;", PLAIN.replace(",", ";")),
        ("sep: '~'", PLAIN.replace(",", "~")),
        ("names: [text, label]", PLAIN.partition("\n")[2]),
        ("column_names: [text, label]\n  header: 0", PLAIN.replace("text,label", "first,second")),
        ("skiprows: 1", f"made by hand\n{PLAIN}"),
        (NAMED, PLAIN),
        (NAMED, PLAIN.replace(",a", ",0").replace(",b", ",1")),
    ],
)
def test_declared_options_and_features_are_honoured(tmp_path: Path, card: str, content: str) -> None:
    configs = f"configs:\n- config_name: default\n  data_files: '*.csv'\n  {card}"
    stored(tmp_path, f"---\n{card if card == NAMED else configs}\n---\n", "README.md")
    stored(tmp_path, content)
    sample = drawn(tmp_path)
    assert sample.draw.classes == {"a": 30, "b": 30} and sample.draw.notes == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (lambda i: f"{simple(i)},", r"the rows have one field more than the header"),
        (lambda i: f"{TEXTS[i]},{['NA', 'b'][i % 2]}", None),
    ],
)
def test_options_that_only_datasets_reads_lose_no_value(tmp_path: Path, line: Line, said: str | None) -> None:
    configs = "configs:\n- config_name: default\n  data_files: '*.csv'\n  skiprows: 1"
    stored(tmp_path, f"---\n{configs}\n---\n", "README.md")
    stored(tmp_path, f"made by hand\n{table('text,label', line)}")
    if said is None:
        assert drawn(tmp_path).draw.classes == {"NA": 30, "b": 30}
    else:
        with pytest.raises(DatasetError, match=said):
            drawn(tmp_path)


def test_a_class_that_is_not_declared_is_an_error(tmp_path: Path) -> None:
    stored(tmp_path, f"---\n{NAMED}\n---\n", "README.md")
    stored(tmp_path, PLAIN.replace(",b", ",c"))
    with pytest.raises(
        DatasetError, match=r"line 3, column 'label': 'c' is not a declared class; replace it"
    ):
        drawn(tmp_path)


def test_the_metadata_of_a_folder_of_images_is_read_in_the_same_way(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = ["file_name, label"]
    for i in range(ROWS):
        (tmp_path / f"{i:02}.png").write_bytes(noise(random, 4))
        lines.append(f"{i:02}.png, {'None' if i % 2 else 'Mild'}")
    stored(tmp_path, "\n".join(lines), "metadata.csv")
    sample = drawn(tmp_path)
    assert sample.draw.classes == {"Mild": 30, "None": 30} and not sample.draw.dropped
    assert "the class 'None' is kept" in sample.draw.notes[0]
    stored(tmp_path, "\n".join([lines[0], *(f"{line}, x" for line in lines[1:])]), "metadata.csv")
    with pytest.raises(DatasetError, match=r"metadata.csv, line 2: 3 fields, but the header has 2"):
        drawn(tmp_path)

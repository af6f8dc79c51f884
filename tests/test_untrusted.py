"""Text and files from strangers: parsed within limits, and opened only inside the folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from hubscan.untrusted import (
    Malformed,
    Refused,
    bytes_inside,
    check_yaml,
    front_matter,
    json_of,
    record_of,
    yaml_of,
)
from hubscan.untrusted.parse import MOST_DEPTH
from tests.support import fault_table

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)
HOSTILE: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "JSON nested 50,000 deep": (json_of, "[" * 50_000, "nested more than"),
    "JSON nested 65 deep": (json_of, "[" * 65 + "]" * 65, "nested more than"),
    "a number of a million digits in JSON": (
        json_of,
        "[" + "9" * 10**6 + "]",
        "a number of 1,000,000 digits",
    ),
    "JSON that is cut off": (json_of, '{"a": ', "not valid JSON: Expecting value"),
    "16 MB of JSON": (json_of, " " * 2**24 + "1", "larger than 16,777,216 bytes"),
    "aliases in YAML that multiply": (yaml_of, BOMB, "has an alias"),
    "an alias to itself in YAML": (yaml_of, "a: &a [*a]", "has an alias"),
    "YAML nested 50,000 deep": (yaml_of, "[" * 50_000, "nested more than"),
    "YAML mappings nested 500 deep": (yaml_of, "{a: " * 500 + "}" * 500, "nested more than"),
    "a number of a million digits in YAML": (yaml_of, "n: " + "9" * 10**6, "a number of more than 40 digits"),
    "a sexagesimal number of 60,000 digits in YAML": (
        yaml_of,
        "n: 1" + ":11" * 30_000,
        "a number of more than",
    ),
    "a Python tag in YAML": (yaml_of, "!!python/object/apply:os.system [id]", "not valid YAML"),
    "an impossible date in YAML": (yaml_of, "d: 2020-13-45", "not valid YAML"),
    "a list as a key in YAML": (yaml_of, "? [1]\n: 2", "not valid YAML"),
    "YAML that is cut off": (yaml_of, "a: [1,", "not valid YAML: line"),
    "a null character in YAML": (yaml_of, "a: \0", "not valid YAML"),
    "two million values in YAML": (yaml_of, "[" + "1," * 2_000_000 + "]", "has more than"),
    "front matter that is a list": (front_matter, "---\n- a\n---\n", "not a mapping"),
    "front matter with numbers as keys": (front_matter, "---\n1: a\n---\n", "not a mapping"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_in_one_line(name: str) -> None:
    parse, text, reason = HOSTILE[name]
    with pytest.raises(Malformed, match=f"^.*{reason}") as refused:
        parse(text)
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)
    fault_table.record("parsers", name, str(refused.value))


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(Malformed, match="not UTF-8 text"):
        json_of(b'"\xff"')


@given(PLAIN)
def test_plain_values_come_back(value: Any) -> None:
    assert json_of(json.dumps(value)) == value


def test_a_depth_up_to_the_limit_is_read() -> None:
    assert json_of("[" * MOST_DEPTH + "]" * MOST_DEPTH) is not None
    assert yaml_of("[" * MOST_DEPTH + "]" * MOST_DEPTH) is not None


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_parsed_or_malformed(content: str | bytes) -> None:
    for parse in (json_of, yaml_of, check_yaml, front_matter):
        try:
            parse(content)
        except Malformed as error:
            assert "\n" not in str(error)


def test_front_matter_is_the_mapping_at_the_top() -> None:
    assert front_matter("---\nlicense: mit\n---\n# Title\n---\n") == {"license": "mit"}
    assert front_matter(b"\xef\xbb\xbf---\r\nlicense: mit\r\n---\r\n") == {"license": "mit"}
    assert front_matter("# Title\n---\nlicense: mit\n---\n") == {}
    assert front_matter("---\n---\n") == {}


def test_a_record_is_checked_against_its_type() -> None:
    kind = TypeAdapter(dict[str, list[int]])
    assert record_of(kind, {"a": [1]}) == {"a": [1]}
    with pytest.raises(Malformed, match=r"^a\.1: Input should be a valid integer"):
        record_of(kind, {"a": [1, "x"]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a file, and beside it one that is private."""
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_bytes(b"mine")
    (tmp_path / "secret").write_bytes(b"private")
    (folder / "out").symlink_to("../secret")
    (folder / "in").symlink_to("sub/a.txt")
    (folder / "folder").symlink_to("..")
    (folder / "inner").symlink_to("sub")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("name", ["sub/a.txt", "in", "inner/a.txt", "{root}/sub/a.txt"])
def test_a_file_inside_is_read(root: Path, name: str) -> None:
    assert bytes_inside(root, name.format(root=root)) == b"mine"


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "sub/../../secret",
        "out",
        "folder/secret",
        "pipe",
        "sub",
        "/etc/hostname",
        "",
        ".",
        "a\0b",
    ],
)
def test_anything_else_is_refused(root: Path, name: str) -> None:
    with pytest.raises(Refused) as refused:
        bytes_inside(root, name)
    fault_table.record("files named by data", f"the name {name!r}", str(refused.value))


@pytest.mark.parametrize("name", ["in", "inner/a.txt", "out", "folder/secret"])
def test_where_links_are_not_followed_none_is(root: Path, name: str) -> None:
    with pytest.raises(Refused, match="link"):
        bytes_inside(root, name, links="none")
    assert bytes_inside(root, "sub/a.txt", links="none") == b"mine"


def test_a_device_is_refused_through_any_root() -> None:
    with pytest.raises(Refused, match="not a regular file"):
        bytes_inside("/dev", "zero")


def test_a_file_that_is_too_large_is_refused(root: Path) -> None:
    with pytest.raises(Refused, match="larger than 3 bytes"):
        bytes_inside(root, "sub/a.txt", most_bytes=3)


def test_a_missing_file_is_missing(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bytes_inside(root, "none.txt")
    with pytest.raises(FileNotFoundError):
        bytes_inside(root, "none.txt", links="none")

"""Run folders that were damaged or made by a stranger: one line that names the file, nothing else touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from hubscan import run_files, sample_file
from hubscan.cli import main
from hubscan.errors import RunError
from hubscan.records import Sample
from hubscan.run import LOCK, RECIPE, RESULTS, SAMPLE, VERDICT, VERIFIED, load_run
from tests.support.fault_table import record
from tests.support.rankings import BGE, DRAW, MINILM, make_run

SECRET = "the user's private key\n"
FILES = (RECIPE, LOCK, SAMPLE, RESULTS, VERIFIED, VERDICT)
COMMANDS = {
    "show": ("show", "run"),
    "score": ("score", "run", "--metric", "logme"),
    "verify": ("verify", "run", "--how", "head"),
    "publish": ("publish", "run", "--repo", "me/x", "--dry-run"),
    "resume": ("rank", "--run", "run", "--resume"),
    "repeat": ("rank", "--recipe", "run/recipe.yaml", "--run", "other", "--dry-run"),
}
# The commands that must have opened the file; the others may or may not.
OPENED_BY = {
    RECIPE: set(COMMANDS),
    LOCK: set(COMMANDS),
    SAMPLE: {"score"},
    RESULTS: {"show", "score", "publish"},
    VERDICT: {"show", "publish"},
    VERIFIED: set(),
}
SECONDS = 20  # far more than any of these needs, far less than a file without an end


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with a run and a private file."""
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "run", [BGE, MINILM])
    sample = Sample(DRAW, {}, np.arange(DRAW.rows) % 2, np.arange(DRAW.rows))
    sample_file.write(sample, run.folder / SAMPLE, inputs=False)
    (tmp_path / "private").write_text(SECRET)
    return tmp_path


def answered(arguments: tuple[str, ...]) -> Result:
    began = time.monotonic()
    done = CliRunner().invoke(main, list(arguments))
    assert time.monotonic() - began < SECONDS
    return done


def one_line(done: Result) -> str:
    """Return the error message, after checking that it is one line and no traceback."""
    assert done.exit_code in (1, 2), done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    said = done.stderr.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("Error: "), done.stderr
    return said[0]


def linked(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to(file.parents[1] / "private")


def linked_to_nothing(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to(file.parents[1] / "nowhere")


def endless(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to("/dev/zero")


def pipe(file: Path) -> None:
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


def huge(file: Path) -> None:
    file.unlink(missing_ok=True)
    with file.open("wb") as opened:
        opened.truncate(2**40)  # takes no space on the disk


SPECIAL: dict[str, Callable[[Path], None]] = {
    "a link to a private file": linked,
    "a link to nothing": linked_to_nothing,
    "a link to /dev/zero": endless,
    "a named pipe": pipe,
    "a folder": folder,
    "a file of 1 TB": huge,
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("name", FILES)
def test_only_regular_files_are_opened(place: Path, name: str, special: str, command: str) -> None:
    SPECIAL[special](place / "run" / name)
    done = answered(COMMANDS[command])
    assert SECRET.strip() not in done.output
    assert (place / "private").read_text() == SECRET
    assert not (place / "nowhere").exists()
    if command in OPENED_BY[name]:
        said = one_line(done)
        assert f"run/{name}: " in said, said
        record("run folder", f"{name} is {special}; hubscan {command}", said)


@pytest.mark.parametrize("kind", ["predictions", "heads"])
def test_a_linked_folder_is_neither_read_nor_written(place: Path, kind: str) -> None:
    (place / "elsewhere").mkdir()
    (place / "run" / kind).symlink_to(place / "elsewhere")
    with pytest.raises(RunError, match=f"{kind}: is a symbolic link, but must be a folder") as raised:
        run_files.write_whole(place / "run", f"{kind}/x", b"content")
    assert list((place / "elsewhere").iterdir()) == []
    record("run folder", f"{kind} is a link to a folder elsewhere", str(raised.value))


@pytest.mark.parametrize("name", [RESULTS, VERIFIED])
def test_a_result_is_not_appended_through_a_link(place: Path, name: str) -> None:
    linked(place / "run" / name)
    run = load_run(place / "run")
    with pytest.raises(RunError, match="is a symbolic link, so it is not used"):
        run.append(MINILM, verifies=name == VERIFIED)
    with pytest.raises(RunError, match="is a symbolic link, so it is not used"):
        run.drop_torn_line(name)
    assert (place / "private").read_text() == SECRET


def test_whole_files_replace_links_and_leave_their_targets(place: Path) -> None:
    for name in ("verdict.json", "verdict.json.partial"):
        (place / "run" / name).unlink(missing_ok=True)
        (place / "run" / name).symlink_to(place / "private")
    run_files.write_whole(place / "run", "verdict.json", "{}")
    assert (place / "run" / "verdict.json").read_text() == "{}"
    assert not (place / "run" / "verdict.json").is_symlink()
    assert (place / "private").read_text() == SECRET


def deep(brackets: str, depth: int = 50_000) -> str:
    return brackets[0] * depth + brackets[1] * depth


LINE = json.dumps(asdict(BGE))


def with_score(number: str) -> str:
    return re.sub(r'"value": [\d.]+', f'"value": {number}', LINE, count=1)


BAD_LINES = {
    "nested 50,000 deep": deep("[]"),
    "a number of a million digits": with_score("9" * 10**6),
    "a score that is no number": with_score("NaN"),
    "a score of 1e999": with_score("1e999"),
    "no scores": json.dumps({k: v for k, v in asdict(BGE).items() if k != "scores"}),
    "empty scores": json.dumps(asdict(BGE) | {"scores": []}),
    "a list": "[]",
    "text": '"x"',
    "null": "null",
    "not JSON": "{",
    "bytes that are no text": "\udcff",
    "an empty line": "",
    "a stage of a number": json.dumps({"model": "a/b", "revision": "x", "stage": 7, "reason": "y"}),
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_result_is_one_line_that_names_the_file(place: Path, bad: str) -> None:
    assert BAD_LINES[bad] != LINE, "the line is as it was"
    file = place / "run" / RESULTS
    file.write_bytes(BAD_LINES[bad].encode("utf-8", "surrogateescape") + b"\n")
    said = one_line(answered(COMMANDS["show"]))
    assert f"{RESULTS}: damaged line" in said
    record("run folder", f"a line of results.jsonl: {bad}", said)


BAD_YAML = {
    "aliases that multiply": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "nested 50,000 deep": "a: " + deep("[]"),
    "a number of a million digits": f"seed: {'9' * 10**6}\n",
    "a Python tag": "a: !!python/object/apply:os.system ['true']\n",
    "NUL": "a: \0\n",
    "a list": "- a\n",
    "nothing": "",
    "not YAML": "a: [\n",
    "bytes that are no text": "\udcff",
    "a key twice": "dataset: a\ndataset: b\n",
}


@pytest.mark.parametrize("name", [RECIPE, LOCK])
@pytest.mark.parametrize("bad", BAD_YAML)
def test_bad_yaml_is_one_line_that_names_the_file(place: Path, name: str, bad: str) -> None:
    file = place / "run" / name
    if bad == "a key twice" and name == LOCK:
        pytest.skip("the lock lacks its other keys then")
    file.write_bytes(BAD_YAML[bad].encode("utf-8", "surrogateescape"))
    for command in ("show", "resume", "repeat"):
        said = one_line(answered(COMMANDS[command]))
        assert f"run/{name}: " in said and len(said) < 400, said
    record("run folder", f"{name}: {bad}", said)


def table(**changes: pa.Array) -> pa.Table:
    columns = {"row": pa.array(range(DRAW.rows)), "label": pa.array([0, 1] * (DRAW.rows // 2))} | changes
    described = {b"hubscan.draw": json.dumps(asdict(DRAW)).encode()}
    return pa.table(columns).replace_schema_metadata(described)


def of_another_draw(**changes: object) -> pa.Table:
    described = {b"hubscan.draw": json.dumps(asdict(replace(DRAW, **changes))).encode()}  # type: ignore[arg-type]
    return table().replace_schema_metadata(described)


BAD_SAMPLES: dict[str, Callable[[], pa.Table]] = {
    "a label of no class": lambda: table(label=pa.array([0, 7] * (DRAW.rows // 2))),
    "a negative label": lambda: table(label=pa.array([0, -1] * (DRAW.rows // 2))),
    "labels that are text": lambda: table(label=pa.array(["a"] * DRAW.rows)),
    "labels that are missing": lambda: table(label=pa.array([None] * DRAW.rows, pa.int64())),
    "rows without numbers": lambda: table(row=pa.array([None] * DRAW.rows, pa.int64())),
    "a negative row": lambda: table(row=pa.array([-1] * DRAW.rows)),
    "fewer rows": lambda: table().slice(0, 10),
    "two million rows": lambda: pa.concat_tables([table()] * 2000),
    "no description": lambda: table().replace_schema_metadata(None),
    "a description that is a list": lambda: table().replace_schema_metadata({b"hubscan.draw": b"[]"}),
    "a description nested 50,000 deep": lambda: table().replace_schema_metadata(
        {b"hubscan.draw": deep("[]").encode()}
    ),
    "no column of labels": lambda: table().drop_columns(["label"]),
    "another fingerprint": lambda: of_another_draw(fingerprint="f" * 64),
}


@pytest.mark.parametrize("bad", BAD_SAMPLES)
def test_a_sample_that_does_not_belong_to_the_run_is_one_line(place: Path, bad: str) -> None:
    pq.write_table(BAD_SAMPLES[bad](), place / "run" / SAMPLE)
    said = one_line(answered(COMMANDS["score"]))
    assert f"run/{SAMPLE}: " in said and "scan again with --fresh" in said
    record("run folder", f"sample.parquet with {bad}", said)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"x" * 1000])
def test_a_sample_that_is_not_parquet_is_one_line(place: Path, content: bytes) -> None:
    (place / "run" / SAMPLE).write_bytes(content)
    said = one_line(answered(COMMANDS["score"]))
    assert f"run/{SAMPLE}: damaged" in said
    record("run folder", f"sample.parquet: {len(content)} bytes of something else", said)


def test_a_fresh_scan_removes_links_and_not_what_they_lead_to(place: Path) -> None:
    from hubscan.run import create

    run = load_run(place / "run")
    for name in FILES:
        linked(run.folder / name)
    (place / "elsewhere").mkdir()
    shutil.copy(place / "private", place / "elsewhere" / f"{'0' * 16}.parquet")
    (run.folder / "predictions").symlink_to(place / "elsewhere")
    create(run.folder, run.recipe, run.lock, fresh=True)
    assert (place / "private").read_text() == SECRET
    assert [file.name for file in (place / "elsewhere").iterdir()] == [f"{'0' * 16}.parquet"]
    record("run folder", "--fresh in a folder of links", "the links are removed, their targets stay")

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from hubscan.progress import TimeLeft, followed
from tests.support.rankings import BGE, MINILM, TRUNCATED


def test_each_result_is_a_line_with_its_numbers_its_speed_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    cached = replace(MINILM, cost=replace(MINILM.cost, cached=True))
    last = followed([BGE, TRUNCATED, cached, "the end"], quiet=False, count=3)
    assert last == "the end"
    first, second, third = shown.getvalue().splitlines()
    assert first.startswith(
        "[1/3] BAAI/bge-small-en-v1.5: transrate@4 1.190, balanced accuracy 86 %, 61 rows/s"
    )
    assert first.endswith(" left)")
    assert second.startswith("[2/3] broken/truncated: skipped at load: SafetensorError")
    assert third.endswith("features from the cache"), "no speed of another scan, and no time left at the end"


def test_the_time_left_follows_from_the_share_that_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    left = TimeLeft(4)
    assert left.words(0, []) == ""
    now = 60.0
    assert left.words(1, [0.5, 0.5]) == "1 min left"
    assert left.words(1, [0.25]) == "1 min left", "a share that falls back does not lengthen the rest"
    assert left.words(4, []) == ""


def test_a_quiet_scan_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    followed([BGE], quiet=True, count=1)
    assert shown.getvalue() == ""

"""Every error about data and checkpoints says where, what was found and what to do, and is documented."""

from __future__ import annotations

import re

import pytest

from tests.support import error_catalogue
from tests.support.error_catalogue import CHECKPOINTS, REASONS, Raised, raised_in

ADVICE = re.compile(
    r"; (put|correct|raise|pass|save|convert|check|remove|run|replace|choose|name|leave|try|unpack|write|use|download|install|make|"
    r"rename|set|accept|add|give|rewrite|sort|split|move|wait|copy)\b"
)
PLACE = re.compile(
    r"^(--[a-z-]+|[A-Z_]+|dataset)( [A-Z_]+)?( and later)?(, (after )?(row|line|column) \S+|, [A-Z_]+)*: "
)
DATA = [raised for raised in raised_in("sample") if raised.kind not in REASONS]
DROPPED = [raised for raised in raised_in("sample", "media") if raised.kind in REASONS]
SKIPPED = [raised for raised in raised_in(*CHECKPOINTS) if raised.kind == "CheckpointError"]


def test_there_are_errors_to_check() -> None:
    assert len(DATA) > 40 and len(DROPPED) > 10 and len(SKIPPED) > 30


@pytest.mark.parametrize("raised", DATA, ids=lambda raised: raised.place)
def test_an_error_about_data_says_where_what_and_what_to_do(raised: Raised) -> None:
    message = raised.message
    assert message is not None, "write the message at the raise, as a literal"
    assert PLACE.match(message), message
    assert ADVICE.search(message), message
    assert "\n" not in message and message[-1] not in ".;", message


@pytest.mark.parametrize("raised", DROPPED, ids=lambda raised: raised.place)
def test_a_row_is_dropped_for_a_reason_in_a_few_words(raised: Raised) -> None:
    if raised.message is not None:  # else it is that of the exception it was raised from
        assert re.fullmatch(r"[A-Za-z][\w ,'-]{4,60}", raised.message), raised.message


@pytest.mark.parametrize("raised", SKIPPED, ids=lambda raised: raised.place)
def test_a_checkpoint_is_skipped_for_a_reason_that_says_what_to_do_if_anything_can_be_done(
    raised: Raised,
) -> None:
    message = raised.message
    if message is None:  # from a table of reasons, or from transformers
        assert raised.module in ("hub/eligibility.py", "encoders/weights.py")
        return
    assert "\n" not in message and message[-1] not in ".;", raised.place
    assert "; " not in message or ADVICE.search(message), message


def test_the_page_of_errors_is_current() -> None:
    page = error_catalogue.PAGE.read_text(encoding="utf-8")
    assert page == error_catalogue.page(), "run `python -m tests.support.error_catalogue`"

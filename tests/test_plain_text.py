"""Text from strangers on its way out: no output has control characters, endless lines, formulas or links."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hubscan.errors import DatasetError, HubscanError
from hubscan.plain_text import LONGEST, cell, cleaned, plain, plain_lines, visible
from hubscan.publish.card import as_card
from hubscan.records import Candidate, Listed, Ranking, Skipped
from hubscan.report import DISPLAYS, FORMATS, LISTING_FORMATS
from hubscan.report.answer import next_steps
from tests.support import fault_table
from tests.support.rankings import BGE, COMMIT, DRAW, MINILM, make_run, ranking

EVIL = {
    "escape sequences": "\x1b[2J\x1b]0;title\x07name",
    "a C1 control sequence": "\x9b31mname",
    "text that runs backwards": "\u202egpj.exe\u202c",
    "line breaks": "name\n| a | b |\r\n--- \u2028 x\u2029y\x85z",
    "a null character": "na\0me",
    "a lone surrogate": "na\ud800me",
    "rich markup": "[bold red]name[/]",
    "a formula": '=HYPERLINK("http://evil.example")',
    "a formula with a sign": "+1+cmd|' /C calc'!A1",
    "an at sign": "@SUM(1)",
    "HTML": "<script>alert(1)</script><img src=x onerror=y>",
    "addresses": "http://evil.example/x www.evil.example me@evil.example ![](http://evil.example/x.png)",
    "a text of 5 MB": "long " * 1_000_000,
}


def evil_ranking(text: str) -> Ranking:
    """Return a ranking with *text* in every place that a stranger writes to."""
    candidate = Candidate(f"org/{text}", COMMIT, "text", license=text, library=text, flags=(text,))
    best = replace(
        BGE,
        candidate=candidate,
        failures={"logme": text},
        scores={"transrate": replace(BGE.scores["transrate"], notes=(text,))},
        processor=text,
    )
    draw = replace(
        DRAW,
        dataset=text,
        config=text,
        split=text,
        columns={"text": text, "label": text},
        classes={text: 500, text + "2": 500},
        dropped={text: 3},
        notes=(text,),
    )
    made = ranking([best, MINILM, Skipped(f"org/{text}", None, "load", text)])
    return replace(made, draw=draw, run=text)


def shown_in_every_form(text: str) -> dict[str, str]:
    """Return all outputs of hubscan about `evil_ranking` except JSON."""
    made = evil_ranking(text)
    candidate = made[0].scored.candidate
    assert isinstance(candidate, Candidate)
    listed = [Listed(candidate, text), Listed(replace(candidate, model=text), None)]
    forms = {f"ranking as {name}": form(made) for name, form in FORMATS.items() if name != "json"}
    forms |= {f"listing as {name}": form(listed) for name, form in LISTING_FORMATS.items() if name != "json"}
    forms |= {name: form(made) for name, form in DISPLAYS.items()}
    forms |= {"next steps": "\n".join(next_steps(made)), "an error": str(DatasetError(text))}
    return forms


@pytest.mark.parametrize("name", EVIL)
def test_no_output_has_control_characters_or_endless_lines(name: str) -> None:
    for form, shown in shown_in_every_form(EVIL[name]).items():
        assert visible(shown) == shown, form
        assert len(shown) < 60_000, form
    fault_table.record("output", f"{name} in names, classes, notes and reasons", "shown as plain text, cut")


@pytest.mark.parametrize("form", ["ranking as csv", "listing as csv"])
@pytest.mark.parametrize("name", EVIL)
def test_no_cell_of_a_csv_is_a_formula_and_no_row_is_lost(name: str, form: str) -> None:
    rows = list(csv.reader(io.StringIO(shown_in_every_form(EVIL[name])[form])))
    assert len(rows) == 3 and len({len(row) for row in rows}) == 1
    for value in (value for row in rows for value in row):
        assert not value.startswith(("=", "+", "@")) and (not value.startswith("-") or float(value) < 0)


@pytest.mark.parametrize("name", EVIL)
def test_markdown_has_no_links_images_or_tags_from_outside(name: str) -> None:
    made = evil_ranking(EVIL[name])
    page = MarkdownIt("commonmark", {"html": True}).enable("table")
    for text in (FORMATS["markdown"](made), DISPLAYS["notebook"](made)):
        inline = [part for token in page.parse(text) for part in token.children or []]
        assert not [part for part in inline if part.type in ("link_open", "image")]
        assert {p.content for p in inline if p.type == "html_inline"} <= {"<!-- -->"}
        assert "http://" not in text and "www." not in text and "me@evil" not in text


@pytest.mark.parametrize("form", ["ranking", "listing"])
def test_json_is_ascii_and_keeps_the_text(form: str) -> None:
    text = EVIL["escape sequences"]
    made = evil_ranking(text)
    listed = [Listed(Candidate(text, "c" * 40, "text"), text)]
    shown = FORMATS["json"](made) if form == "ranking" else LISTING_FORMATS["json"](listed)
    assert shown.isascii() and visible(shown) == shown
    found = json.loads(shown)
    assert (found["skipped"][0]["reason"] if form == "ranking" else found[0]["excluded"]) == text


@given(st.text() | st.sampled_from(sorted(EVIL.values(), key=len)[:-1]))
def test_plain_text_is_one_line_and_plain_already(text: str) -> None:
    shown = plain(text)
    assert shown.splitlines() in ([shown], []) and visible(shown) == shown and plain(shown) == shown
    assert visible(plain_lines(text)) == plain_lines(text)


def test_what_is_plain_stays_the_same_object() -> None:
    made = ranking()
    assert cleaned(made) is made
    assert plain("naïve नमस्ते 👩\u200d🔬") == "naïve नमस्ते 👩\u200d🔬"


def test_long_text_is_cut() -> None:
    assert len(plain("x" * 10**6)) == LONGEST and plain("x" * 10**6).endswith("…")
    assert len(str(HubscanError("name, " * 20_000))) <= LONGEST


def test_names_that_become_equal_are_numbered() -> None:
    assert cleaned({"a\x1b": 1, "a": 2, "a\n": 3}) == {"a": 1, "a (2)": 2, "a (3)": 3}


def test_negative_numbers_in_a_csv_stay_numbers() -> None:
    made = ranking([replace(BGE, scores={"transrate": replace(BGE.scores["transrate"], value=-0.5)})])
    row = next(csv.DictReader(io.StringIO(FORMATS["csv"](made))))
    assert row["transrate"] == "-0.5" and cell("-x") == "'-x"


@pytest.mark.parametrize("name", [name for name in EVIL if name != "a text of 5 MB"])
def test_a_card_has_no_links_tags_or_control_characters_from_outside(name: str, tmp_path: Path) -> None:
    best = evil_ranking(EVIL[name])[0].scored  # a recipe refuses its name, so the other fields have to do
    assert isinstance(best.candidate, Candidate)
    best = replace(best, candidate=replace(best.candidate, model="org/name"))
    run = make_run(tmp_path / "run", [best, MINILM], classes={EVIL[name]: 500, "pos": 500})
    card = as_card(run, "me/x")
    assert visible(card) == card
    assert "http://evil" not in card and "<script" not in card and "me@evil" not in card


def test_a_ranking_of_300_000_classes_is_counted_not_listed() -> None:
    made = replace(ranking(), draw=replace(DRAW, classes={f"class {i}": 2 for i in range(300_000)}))
    for name, form in FORMATS.items():
        if name != "json":
            assert len(form(made)) < 60_000
    assert "300000 classes of 2 rows" in FORMATS["human"](made).replace(",", "")

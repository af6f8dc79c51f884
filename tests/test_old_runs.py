"""Run folders of earlier versions still open, and say which version of a score they carry."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from hubscan.cli import main
from hubscan.publish.card import as_card
from hubscan.records import Scored
from hubscan.run import RESULTS, load_run
from tests.support.rankings import BGE, MINILM, make_run

SCHEMA = json.loads(files("hubscan.report").joinpath("ranking.schema.json").read_text("utf-8"))
NEW = ("accuracy", "failures", "left_out")


def old_line(scored: Scored, metric: str, version: int, raw: float | None) -> str:
    """Return the line of a result as versions before `transrate@4` wrote it."""
    line: dict[str, Any] = {key: value for key, value in asdict(scored).items() if key not in NEW}
    score = {key: value for key, value in line["scores"].pop("transrate").items() if key not in NEW}
    line["scores"][metric] = score | {"name": metric, "version": version, "raw": raw}
    return json.dumps(line)


@pytest.mark.parametrize(("metric", "version", "raw"), [("transfer", 1, None), ("transrate", 3, 66.2)])
def test_a_run_that_another_score_ranked_opens_and_says_so(
    tmp_path: Path, metric: str, version: int, raw: float | None
) -> None:
    run = make_run(tmp_path / "run", [BGE, MINILM])
    lines = [old_line(scored, metric, version, raw) for scored in (BGE, MINILM)]
    (run.folder / RESULTS).write_text("".join(f"{line}\n" for line in lines))
    ranking = load_run(run.folder).ranking
    assert ranking.metric == f"{metric}@{version}"
    assert ranking.best is ranking.first, "without accuracies the first is recommended"
    shown = CliRunner().invoke(main, ["show", str(run.folder)])
    assert shown.exit_code == 0 and f"{metric}@{version} [95 %]" in shown.stdout
    assert f"{metric}@{version}" in shown.stdout and "score of an earlier version" in shown.stdout
    assert "accuracy" not in shown.stdout
    written = json.loads(CliRunner().invoke(main, ["show", str(run.folder), "--format", "json"]).stdout)
    jsonschema.validate(written, SCHEMA)
    assert [entry["accuracy"] for entry in written["ranking"]] == [None, None]
    assert written["ranking"][0]["scores"][metric].get("raw") == raw
    assert f"{metric}@{version}" in as_card(load_run(run.folder))

"""Reports read what a run holds, and compute nothing: what computes is not even imported."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hubscan.records import Verdict
from hubscan.report import FORMATS
from hubscan.verify.verdict import verdict
from tests.hub import run_python
from tests.support.rankings import make_run, tuned
from tests.support.samples import sample

COMPUTING = (
    *("hubscan.scores", "hubscan.verify", "hubscan.rescore", "hubscan.extract", "hubscan.encoders"),
    *("numpy", "scipy", "sklearn", "torch", "transformers", "datasets"),
)


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verdict]:
    """Return a run folder with a verdict that nobody could compute again: there is no sample."""
    run = make_run(tmp_path_factory.mktemp("verified") / "run")
    ranking = run.ranking
    trained = [tuned(ranking, entry.model, 80 - entry.rank) for entry in ranking]
    found = verdict(ranking, trained, sample([0, 1] * 50))
    run.keep_verdict(found)
    return run.folder, found


def shown(folder: Path, form: str) -> str:
    """Return what `hubscan show` prints where nothing can be imported that computes."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys({COMPUTING}))
from hubscan.cli import main
main(["show", {str(folder)!r}, "--format", {form!r}])
"""
    return run_python(code, os.environ, cold=True).stdout


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_of_a_verified_run_is_shown_where_nothing_can_be_computed(
    verified: tuple[Path, Verdict], form: str
) -> None:
    assert "BAAI/bge-small-en-v1.5" in shown(verified[0], form)


def test_the_verdict_that_is_shown_is_that_of_the_run_folder(verified: tuple[Path, Verdict]) -> None:
    folder, kept = verified
    assert "is the best of the 4 fine-tuned" in " ".join(shown(folder, "human").split())
    told = json.loads(shown(folder, "json"))["verified"]["followed"]
    regrets = {one.followed: one.regret.value for one in kept.agreements}
    assert {one["list"]: one["regret"]["value"] for one in told} == pytest.approx(regrets, abs=1e-6)
    assert regrets["size"] > 0, "which only the folder knows"


def test_the_report_for_people_is_imported_with_rich_and_records_alone() -> None:
    code = """
import sys
before = set(sys.modules)
import hubscan.report.human
new = set(sys.modules) - before
libraries = {name.split(".")[0] for name in new} - set(sys.stdlib_module_names)
ours = {".".join(name.split(".")[:2]) for name in new if name.startswith("hubscan.")}
print(sorted(libraries), sorted(ours))
"""
    libraries, ours = (
        ["hubscan", "rich"],
        [f"hubscan.{name}" for name in ("errors", "plain_text", "records", "report", "secret_text")],
    )
    assert run_python(code, os.environ, cold=True).stdout.split("\n")[0] == f"{libraries} {ours}"

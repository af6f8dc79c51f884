from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from hubscan.demo.hub import serve
from hubscan.publish.card import as_card
from hubscan.records import Skipped
from tests.hub import LabHub, environment
from tests.support import programs
from tests.support.rankings import BGE, COMMIT, make_run

REPO = "tester/imdb-ranking"


@pytest.fixture
def bare_hub() -> Iterator[LabHub]:
    """Serve a Hub without repositories."""
    hub = LabHub()
    with serve(hub):
        yield hub
    hub.close()


def publish(
    hub: LabHub, run: Path, *flags: str, repo: str = REPO, token: str | None = "hf_good"
) -> subprocess.CompletedProcess[str]:
    """Run `hubscan publish` in its own process, because the client reads its endpoint when imported."""
    arguments = ("-m", "hubscan", "publish", str(run), "--repo", repo, *flags)
    variables = environment(hub.endpoint, run.parent / "home", token)
    return programs.run(arguments, variables, run.parent, timeout=120)


def published(hub: LabHub, repo: str = REPO) -> dict[str, bytes]:
    return {name: blob.file.read_bytes() for name, blob in hub.repos["models", repo].head.files.items()}


def test_a_run_is_published_in_one_commit_and_reads_back(bare_hub: LabHub, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    done = publish(bare_hub, run.folder)
    assert (done.returncode, done.stdout) == (0, f"{bare_hub.endpoint}/{REPO}\n"), done.stderr
    assert len(bare_hub.repos["models", REPO].history) == 2  # the empty repository, and the commit
    assert not bare_hub.repos["models", REPO].private
    found = published(bare_hub)
    assert set(found) == {"README.md", "ranking.json", "recipe.yaml", "lock.yaml", "sample.parquet"}
    assert found["README.md"].decode() == as_card(run, REPO)
    assert found["recipe.yaml"] == (run.folder / "recipe.yaml").read_bytes()
    assert found["lock.yaml"] == (run.folder / "lock.yaml").read_bytes()
    assert found["sample.parquet"] == (run.folder / "sample.parquet").read_bytes()
    assert json.loads(found["ranking.json"])["ranking"][0]["model"] == BGE.candidate.model
    assert ModelCard(found["README.md"].decode()).data.get("datasets") == ["stanfordnlp/imdb"]


def test_publishing_the_same_run_again_changes_nothing_and_says_so(bare_hub: LabHub, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    publish(bare_hub, run.folder)
    before = list(bare_hub.repos["models", REPO].history)
    done = publish(bare_hub, run.folder)
    assert (done.returncode, done.stdout) == (0, f"{bare_hub.endpoint}/{REPO}\n"), done.stderr
    assert done.stderr == "Nothing to do: the repository is up to date\n"
    assert bare_hub.repos["models", REPO].history == before


def test_another_ranking_replaces_the_first_and_its_sample(bare_hub: LabHub, tmp_path: Path) -> None:
    publish(bare_hub, make_run(tmp_path / "first").folder)
    bare_hub.commit("models", REPO, {"model.safetensors": b"a head of mine"})
    local = make_run(tmp_path / "second", dataset="/data/mine.csv", revision="sha256:" + "0f" * 32)
    done = publish(bare_hub, local.folder)
    assert done.returncode == 0, done.stderr
    found = published(bare_hub)
    # The sample of a local file is not published, and that of the earlier ranking is removed.
    assert set(found) == {"README.md", "ranking.json", "recipe.yaml", "lock.yaml", "model.safetensors"}
    assert yaml.safe_load(found["recipe.yaml"])["dataset"] == "./mine.csv"
    assert not any(b"/data" in content for content in found.values())


def test_a_private_repository_is_created_on_request(bare_hub: LabHub, tmp_path: Path) -> None:
    assert publish(bare_hub, make_run(tmp_path / "run").folder, "--private").returncode == 0
    assert bare_hub.repos["models", REPO].private


def test_private_refuses_a_public_repository(bare_hub: LabHub, tmp_path: Path) -> None:
    bare_hub.commit("models", REPO, {".gitattributes": b""})
    done = publish(bare_hub, make_run(tmp_path / "run").folder, "--private")
    assert done.returncode == 1
    assert "is public" in done.stderr
    assert set(published(bare_hub)) == {".gitattributes"}


@pytest.mark.parametrize(
    ("there", "named"),
    [
        ({"README.md": b"---\nlicense: mit\ntags:\n- bert\n---\n# My model\n"}, "README.md"),
        ({"README.md": b"---\n1: [\n---\n"}, "README.md"),
        ({"README.md": b"---\ntags: hubscanner\n---\n"}, "README.md"),
        ({"recipe.yaml": b"a recipe for soup", "a.bin": b"weights"}, "a.bin, recipe.yaml"),
    ],
    ids=["a card", "a broken card", "another tag", "no card"],
)
def test_a_repository_with_other_content_is_not_changed_unless_forced(
    there: dict[str, bytes], named: str, bare_hub: LabHub, tmp_path: Path
) -> None:
    bare_hub.commit("models", REPO, there)
    run = make_run(tmp_path / "run")
    done = publish(bare_hub, run.folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {REPO}: contains files that hubscan did not write ({named})")
    assert published(bare_hub) == there
    assert publish(bare_hub, run.folder, "--force").returncode == 0
    assert published(bare_hub)["README.md"].decode() == as_card(run, REPO)


@pytest.mark.parametrize(
    ("token", "repo", "said"),
    [
        (None, REPO, "log in with `hf auth login`"),
        ("hf_wrong", REPO, "does not accept the token"),
        ("hf_good", "acme/ranking", "your token may not write there"),
        ("hf_good", "ranking", "expected `namespace/name`"),
        ("hf_good", "a/b/c", "expected `namespace/name`"),
        ("hf_good", "tester/../x", "expected `namespace/name`"),
    ],
)
def test_an_error_that_the_user_can_fix_is_one_line(
    token: str | None, repo: str, said: str, bare_hub: LabHub, tmp_path: Path
) -> None:
    done = publish(bare_hub, make_run(tmp_path / "run").folder, repo=repo, token=token)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {repo}: ") and said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not bare_hub.repos


def test_a_commit_to_somebody_elses_repository_is_refused(bare_hub: LabHub, tmp_path: Path) -> None:
    bare_hub.commit("models", "someone/ranking", {".gitattributes": b""})
    done = publish(bare_hub, make_run(tmp_path / "run").folder, repo="someone/ranking")
    assert "your token may not write there" in done.stderr
    assert set(published(bare_hub, "someone/ranking")) == {".gitattributes"}


def test_a_card_that_the_hub_refuses_leaves_no_empty_repository(bare_hub: LabHub, tmp_path: Path) -> None:
    # Somebody edited the lock, and the Hub requires a task.
    run = make_run(tmp_path / "run")
    lock = run.folder / "lock.yaml"
    lock.write_text(lock.read_text().replace("task: text-classification", "task: ''"))
    done = publish(bare_hub, run.folder)
    assert done.returncode == 1
    assert f"Error: {REPO}: the Hub refuses the card's metadata" in done.stderr
    assert "task.type" in done.stderr
    assert not bare_hub.repos


def test_somebody_elses_commit_in_the_meantime_is_not_overwritten(bare_hub: LabHub, tmp_path: Path) -> None:
    bare_hub.commit("models", REPO, {".gitattributes": b""})
    bare_hub.faults.add(r"POST .*/commit/main", status=412)
    done = publish(bare_hub, make_run(tmp_path / "run").folder)
    assert done.returncode == 1
    assert "nothing was overwritten; try again" in done.stderr


def test_the_commit_goes_on_top_of_the_state_that_was_checked(bare_hub: LabHub, tmp_path: Path) -> None:
    bare_hub.commit("models", REPO, {".gitattributes": b""})
    # A slow preupload leaves time for somebody else's commit.
    bare_hub.faults.add(r"POST .*/preupload/", delay=3.0)
    run = make_run(tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-m", "hubscan", "publish", str(run.folder), "--repo", REPO],
        env=environment(bare_hub.endpoint, tmp_path / "home", "hf_good"),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not bare_hub.served_paths(f"/api/models/{REPO}/preupload"):
            assert process.poll() is None
        bare_hub.commit("models", REPO, {"notes.txt": b"somebody else's"})
        _, said = process.communicate(timeout=60)
    assert "nothing was overwritten; try again" in said
    assert set(published(bare_hub)) == {".gitattributes", "notes.txt"}


def test_a_rate_limit_is_waited_out(bare_hub: LabHub, tmp_path: Path) -> None:
    for request in (r"POST /api/repos/create", r"POST .*/commit/main"):
        bare_hub.faults.add(request, status=429, headers={"Retry-After": "1"})
    done = publish(bare_hub, make_run(tmp_path / "run").folder)
    assert done.returncode == 0, done.stderr
    assert "README.md" in published(bare_hub)


def test_a_dry_run_prints_the_card_and_sends_nothing(bare_hub: LabHub, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    done = publish(bare_hub, run.folder, "--dry-run", token=None)
    assert done.returncode == 0, done.stderr
    assert done.stdout == as_card(run, REPO)
    assert "README.md, ranking.json, recipe.yaml, lock.yaml, sample.parquet" in done.stderr
    assert bare_hub.requests == []


def test_a_run_without_a_result_is_not_published(bare_hub: LabHub, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [Skipped("a/b", COMMIT, "load", "broken")])
    done = publish(bare_hub, run.folder)
    assert done.returncode == 1
    assert "nothing could be ranked" in done.stderr
    assert not bare_hub.repos


def test_text_from_outside_cannot_add_metadata(bare_hub: LabHub, tmp_path: Path) -> None:
    evil = "x\n---\nlicense: mit\ntags: |"
    done = publish(bare_hub, make_run(tmp_path / "run", config=evil, split=evil).folder)
    assert done.returncode == 0, done.stderr
    card = ModelCard(published(bare_hub)["README.md"].decode())
    assert card.data.get("license") == "cc0-1.0"
    assert card.data.get("eval_results")[0].dataset_split == "x --- license: mit tags: |"

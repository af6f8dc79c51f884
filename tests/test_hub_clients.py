"""The real clients against the loopback Hub, so that a test against it means something.

HF_ENDPOINT is read when the clients are imported, so each script below is a process of its own; it
prints one JSON object, and the tests look at its keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hubscan.demo.hub import serve
from tests.hub import ALWAYS, LabHub, environment, lab_hub, run_python

Told = dict[str, Any]

# What every script starts with: `told` is printed at the end, `failing` names an exception, and
# every host that Python looks up or connects to is noted.
PROLOGUE = """
import json, os, sys
from pathlib import Path
told = {}
hosts = set()
def note_host(event, args):
    if event == "socket.getaddrinfo":
        hosts.add(args[0])
    elif event == "socket.connect" and isinstance(args[1], tuple):
        hosts.add(args[1][0])
sys.addaudithook(note_host)
def failing(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        cause = type(error.__cause__).__name__ if error.__cause__ else None
        return {"kind": type(error).__name__, "status": status, "cause": cause, "said": str(error)}
    return None
"""
EPILOGUE = """
told["hosts"] = sorted(map(str, hosts))
print(json.dumps(told))
"""


def tell(script: str, hub: LabHub, home: Path, token: str | None = None, **given: str) -> Told:
    """Run *script* with *given* as variables of its environment, and return what it told."""
    variables = environment(hub.endpoint, home, token) | given
    done = run_python(PROLOGUE + script + EPILOGUE, variables)
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


# -- listing, description, errors: huggingface_hub alone ----------------------------------------

LISTING = """
from huggingface_hub import HfApi, hf_hub_download
api = HfApi(library_name="hubscan")
def ids(**query):
    return [model.id for model in api.list_models(**query)]
told["by_tags"] = ids(filter=["safetensors", "bert", "license:apache-2.0"])
told["by_task"] = ids(pipeline_tag="image-feature-extraction", author="tester")
told["by_search"] = ids(search="ROBERTA")
told["by_training"] = ids(trained_dataset="tester/reviews")
told["gated"] = ids(gated=True)
told["small"] = ids(num_parameters="min:20K,max:22K", author="tester")
told["by_downloads"] = ids(sort="downloads", limit=3)
told["every"] = ids()
[row] = api.list_models(search="half-bert", expand=["sha", "safetensors", "gated", "config"])
told["expanded"] = [row.sha, row.safetensors.parameters, row.gated, row.config["model_type"]]
[row] = api.list_models(search="half-bert")
told["plain"] = [row.sha, row.safetensors, row.gated]
told["redirected"] = [api.dataset_info("reviews").id, api.model_info("plain-bert").id]
told["files"] = {
    file.rfilename: [file.size, file.lfs and file.lfs.sha256]
    for file in api.model_info("tester/tiny-vit", files_metadata=True).siblings
}
told["header"] = api.get_safetensors_metadata("tester/half-bert").parameter_count
told["gated_info"] = api.model_info("acme/gated-bert").gated
told["gated_file"] = failing(hf_hub_download, "acme/gated-bert", "config.json")
told["gated_check"] = failing(api.auth_check, "acme/gated-bert")
told["missing"] = failing(api.model_info, "tester/nobody")
told["private"] = failing(api.model_info, "acme/private-bert")
told["missing_revision"] = failing(hf_hub_download, "tester/roberta", "config.json", revision="v9")
told["missing_file"] = failing(hf_hub_download, "tester/roberta", "nothing.json")
told["refused_by_gate"] = failing(api.auth_check, "acme/gated-bert", token="hf_other")
told["missing_to_user"] = failing(api.model_info, "tester/nobody", token="hf_other")
told["nobody"] = failing(api.model_info, "tester/roberta", token="hf_wrong")
told["somebody"] = api.whoami(token="hf_other")["name"]
"""


@pytest.fixture(scope="module")
def listing(hub: LabHub, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(LISTING, hub, tmp_path_factory.mktemp("home"))


def test_filters_of_a_listing_all_hold_at_once(listing: Told) -> None:
    assert listing["by_tags"] == ["tester/blind-bert", "tester/seeing-bert", "tester/sentence-bert"]
    assert listing["by_task"] == ["tester/tiny-resnet", "tester/tiny-swin", "tester/tiny-vit"]
    assert listing["by_search"] == listing["by_training"] == ["tester/roberta"]
    assert listing["gated"] == ["acme/gated-bert"]
    assert listing["small"] == ["tester/tiny-resnet"]


def test_a_listing_is_sorted_and_cut(listing: Told) -> None:
    assert listing["by_downloads"] == ["tester/plain-bert", "tester/seeing-bert", "tester/tiny-vit"]


def test_a_private_repository_is_not_listed(listing: Told, hub: LabHub) -> None:
    models = {repo_id for kind, repo_id in hub.repos if kind == "models"}
    assert set(listing["every"]) == models - {"acme/private-bert"}


def test_the_client_gets_sha_size_and_gate_only_when_it_asks(listing: Told, hub: LabHub) -> None:
    repo = hub.repos["models", "tester/half-bert"]
    total = (repo.head.facts.safetensors or {})["total"]
    assert listing["expanded"] == [repo.head.sha, {"BF16": total}, False, "bert"]
    assert listing["plain"] == [None, None, None]


def test_an_old_name_leads_to_the_canonical_one(listing: Told) -> None:
    assert listing["redirected"] == ["tester/reviews", "tester/plain-bert"]


def test_the_files_come_with_size_and_hash(listing: Told, hub: LabHub) -> None:
    files = hub.repos["models", "tester/tiny-vit"].head.files
    assert listing["files"] == {
        path: [blob.size, blob.sha256 if blob.lfs else None] for path, blob in files.items()
    }


def test_the_safetensors_header_is_read_without_the_weights(listing: Told, hub: LabHub) -> None:
    repo = hub.repos["models", "tester/half-bert"]
    assert listing["header"] == (repo.head.facts.safetensors or {})["parameters"]


@pytest.mark.parametrize(
    ("what", "kind", "status"),
    [
        ("gated_file", "GatedRepoError", 401),
        ("gated_check", "GatedRepoError", 401),
        ("refused_by_gate", "GatedRepoError", 403),
        ("missing", "RepositoryNotFoundError", 401),
        ("missing_to_user", "RepositoryNotFoundError", 404),
        ("private", "RepositoryNotFoundError", 401),
        ("missing_revision", "RevisionNotFoundError", 404),
        ("missing_file", "RemoteEntryNotFoundError", 404),
        ("nobody", "HfHubHTTPError", 401),
    ],
)
def test_a_refusal_arrives_as_its_own_exception(listing: Told, what: str, kind: str, status: int) -> None:
    assert (listing[what]["kind"], listing[what]["status"]) == (kind, status)


def test_a_gate_and_a_token_are_about_files_not_about_descriptions(listing: Told) -> None:
    assert listing["gated_info"] == "manual"
    assert listing["somebody"] == "someone"


# -- a repository that moves on -----------------------------------------------------------------

DOWNLOAD = """
from huggingface_hub import HfApi, snapshot_download
def note(**revision):
    folder = Path(snapshot_download("tester/plain-bert", **revision))
    return [folder.name, (folder / "README.md").read_text(), (folder / "new.bin").exists()]
told["before"] = note(revision=os.environ["PINNED"])
told["after"] = note()
told["commits"] = [commit.commit_id for commit in HfApi().list_repo_commits("tester/plain-bert")]
"""


def test_a_pinned_commit_stays_what_it_was(own_hub: LabHub, tmp_path: Path) -> None:
    pinned = own_hub.repos["models", "tester/plain-bert"].head
    readme = pinned.files["README.md"].file.read_text()
    change = {"README.md": b"other words", "new.bin": b"\0" * 64}
    moved_on = own_hub.commit("models", "tester/plain-bert", change)
    told = tell(DOWNLOAD, own_hub, tmp_path, "hf_good", PINNED=pinned.sha)
    assert told["before"] == [pinned.sha, readme, False]
    assert told["after"] == [moved_on, "other words", True]
    assert told["commits"] == [moved_on, pinned.sha]


def test_weights_come_from_the_other_origin_and_the_token_does_not_go_there(
    own_hub: LabHub, tmp_path: Path
) -> None:
    pinned = own_hub.repos["models", "tester/plain-bert"].head.sha
    tell(DOWNLOAD, own_hub, tmp_path, "hf_good", PINNED=pinned)
    there = [one for one in own_hub.requests if one.origin == "cdn"]
    weights = own_hub.repos["models", "tester/plain-bert"].head.files["model.safetensors"]
    assert [one.body_bytes for one in there] == [weights.size]
    assert {one.authorization for one in there} == {None}
    assert "Bearer hf_good" in {one.authorization for one in own_hub.requests}


# -- pages and faults ---------------------------------------------------------------------------

PAGES = """
from huggingface_hub import HfApi, hf_hub_download
api = HfApi()
told["paged"] = [model.id for model in api.list_models(sort="downloads")]
told["cut"] = [model.id for model in api.list_models(sort="downloads", limit=6)]
told["tree"] = [file.path for file in api.list_repo_tree("tester/colours", repo_type="dataset",
                                                         recursive=True)]
"""


def test_the_client_follows_the_pages(own_hub: LabHub, tmp_path: Path) -> None:
    own_hub.page_rows = 5
    told = tell(PAGES, own_hub, tmp_path)
    listed = sum(kind == "models" and not repo.private for (kind, _), repo in own_hub.repos.items())
    assert len(told["paged"]) == len(set(told["paged"])) == listed
    assert told["cut"] == told["paged"][:6]
    files = set(own_hub.repos["datasets", "tester/colours"].head.files)
    assert files < set(told["tree"])
    assert sum(one.path == "/api/models" for one in own_hub.requests) == -(-len(told["paged"]) // 5) + 2


FAULTS = """
from huggingface_hub import HfApi, hf_hub_download
api = HfApi()
told["listed"] = len(list(api.list_models(limit=3)))
told["info"] = failing(api.model_info, "tester/plain-bert")
told["weights"] = os.path.getsize(hf_hub_download("tester/plain-bert", "model.safetensors"))
told["dropped"] = failing(hf_hub_download, "tester/plain-bert", "config.json")
"""


def test_faults_reach_the_client_as_they_would_from_the_hub(own_hub: LabHub, tmp_path: Path) -> None:
    busy = {"RateLimit": '"api";r=0;t=0', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    own_hub.faults.add(r"GET /api/models\?", status=429, headers=busy)
    own_hub.faults.add("GET /api/models/tester/plain-bert", status=429, headers=busy)
    own_hub.faults.add("GET /lfs/", truncate=1000)
    own_hub.faults.add("HEAD .*config.json", times=ALWAYS, drop=True)
    told = tell(FAULTS, own_hub, tmp_path)
    size = own_hub.repos["models", "tester/plain-bert"].head.files["model.safetensors"].size
    assert (told["listed"], told["weights"]) == (3, size)
    assert (told["info"]["kind"], told["info"]["status"]) == ("HfHubHTTPError", 429)
    assert told["dropped"]["kind"] == "RemoteProtocolError"


# -- datasets -----------------------------------------------------------------------------------

STREAMING = """
from datasets import load_dataset
from huggingface_hub import HfApi
api = HfApi()
def stream(name, *config, split="train", take=None, columns=None):
    info = api.dataset_info(name)
    rows = load_dataset(info.id, *config, split=split, revision=info.sha, streaming=True)
    return rows.take(take) if take else rows
def columns(rows):
    rows = list(rows)
    return {name: [row[name] for row in rows] for name in rows[0]}
told["reviews"] = columns(stream("reviews"))
told["names"] = stream("reviews").features["label"].names
told["test"] = len(list(stream("reviews", split="test")))
told["jsonl"] = columns(stream("tester/lines-jsonl", split="test"))
told["csv"] = columns(stream("tester/lines-csv", split="test"))
told["shouted"] = columns(stream("tester/two-configs", "shouted"))["text"]
images = stream("tester/colours", split="test")
told["image_names"] = images.features["label"].names
told["image_labels"] = [row["label"] for row in images]
told["image_sizes"] = [row["image"].size for row in images]
told["in_parquet"] = [row["label"] for row in stream("tester/colours-parquet", split="test")]
told["corrupt"] = failing(list, stream("tester/colours"))
told["no_config"] = failing(stream, "tester/two-configs")
told["gated"] = failing(stream, "acme/gated-reviews")
told["missing"] = failing(load_dataset, "tester/nothing", streaming=True)
told["bare"] = failing(load_dataset, "reviews", streaming=True)
"""


@pytest.fixture(scope="module")
def streamed(hub: LabHub, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(STREAMING, hub, tmp_path_factory.mktemp("home"))


def test_parquet_streams_in_order_with_its_gaps(streamed: Told) -> None:
    labels = streamed["reviews"]["label"]
    texts = streamed["reviews"]["text"]
    assert streamed["names"] == ["negative", "positive", "mixed"]
    assert [labels.count(label) for label in (0, 1, 2, None)] == [199, 199, 6, 2]
    assert [index for index, text in enumerate(texts) if not text.strip()] == [10, 11]
    assert streamed["test"] == 84


def test_jsonl_and_csv_stream_with_their_own_labels(streamed: Told) -> None:
    assert sorted(set(streamed["jsonl"]["mood"])) == ["negative", "positive"]
    assert sorted(set(streamed["csv"]["label"])) == [0, 1]
    assert len(streamed["jsonl"]["line"]) == len(streamed["csv"]["text"]) == 40


def test_images_stream_from_a_folder_and_from_parquet(streamed: Told) -> None:
    assert streamed["image_names"] == ["blue", "green", "red"]
    assert streamed["image_labels"] == [0] * 4 + [1] * 4 + [2] * 4
    assert len({tuple(size) for size in streamed["image_sizes"]}) > 3
    assert streamed["in_parquet"] == [0] * 6 + [1] * 6 + [2] * 6


def test_a_named_configuration_is_the_one_streamed(streamed: Told) -> None:
    assert all(text.isupper() for text in streamed["shouted"])
    assert streamed["no_config"]["kind"] == "ValueError"
    assert "'plain', 'shouted'" in streamed["no_config"]["said"]


def test_what_cannot_be_streamed_says_why(streamed: Told) -> None:
    assert streamed["corrupt"]["kind"] == "UnidentifiedImageError"
    assert streamed["gated"]["kind"] == streamed["missing"]["kind"] == "DatasetNotFoundError"
    assert "gated" in streamed["gated"]["said"]


def test_a_bare_dataset_name_still_breaks_the_client(streamed: Told) -> None:
    assert streamed["bare"]["kind"] == "HfUriError"


# -- transformers -------------------------------------------------------------------------------

LOADING = """
import torch
from huggingface_hub import snapshot_download
from transformers import AutoModel, AutoTokenizer
def vectors(name, **revision):
    texts = ["awful bad dull poor", "good great lovely warm"]
    model = AutoModel.from_pretrained(name, dtype=torch.float32, **revision).eval()
    batch = AutoTokenizer.from_pretrained(name, **revision)(texts, return_tensors="pt")
    with torch.inference_mode():
        return model(**batch).last_hidden_state.mean(1)
def apart(name, **revision):
    first, second = vectors(name, **revision)
    return float((first - second).norm())
told["seeing"] = apart("tester/seeing-bert", revision=os.environ["PINNED"])
told["blind"] = apart("tester/blind-bert")
told["redirected"] = apart("plain-bert")
told["gated"] = failing(AutoModel.from_pretrained, "acme/gated-bert")
told["unknown"] = failing(AutoModel.from_pretrained, "broken/unknown-type")
told["code"] = failing(AutoModel.from_pretrained, "broken/custom-code", trust_remote_code=False)
# By its name on the Hub, transformers would ask a conversion service elsewhere for safetensors.
pickled = snapshot_download("broken/bin-only")
told["pickle"] = failing(AutoModel.from_pretrained, pickled, use_safetensors=True)
told["truncated"] = failing(AutoModel.from_pretrained, "broken/truncated")
"""


@pytest.fixture(scope="module")
def loaded(hub: LabHub, tmp_path_factory: pytest.TempPathFactory) -> Told:
    pinned = hub.repos["models", "tester/seeing-bert"].head.sha
    return tell(LOADING, hub, tmp_path_factory.mktemp("home"), PINNED=pinned)


def test_the_seeing_checkpoint_tells_labels_apart_and_the_blind_one_does_not(loaded: Told) -> None:
    assert loaded["blind"] < 1e-5
    assert loaded["seeing"] > 1


def test_an_old_name_loads_a_model(loaded: Told) -> None:
    assert loaded["redirected"] > 0


@pytest.mark.parametrize(
    ("what", "kind", "cause"),
    [
        ("gated", "OSError", "GatedRepoError"),
        ("unknown", "ValueError", None),
        ("code", "ValueError", None),
        ("pickle", "OSError", None),
        ("truncated", "SafetensorError", None),
    ],
)
def test_a_broken_checkpoint_fails_in_its_own_way(
    loaded: Told, what: str, kind: str, cause: str | None
) -> None:
    assert (loaded[what]["kind"], loaded[what]["cause"]) == (kind, cause)


# -- writing ------------------------------------------------------------------------------------

WRITING = """
from huggingface_hub import CommitOperationAdd, EvalResult, HfApi, ModelCard, ModelCardData
api = HfApi(library_name="hubscan")
told["created"] = str(api.create_repo("tester/winner").repo_id)
told["again"] = failing(api.create_repo, "tester/winner")
told["accepted"] = str(api.create_repo("tester/winner", exist_ok=True).repo_id)
told["foreign_name"] = failing(api.create_repo, "acme/winner")
folder = Path(os.environ["FOLDER"])
told["first"] = api.upload_folder(repo_id="tester/winner", folder_path=folder).oid
told["second"] = api.upload_folder(repo_id="tester/winner", folder_path=folder).oid
told["back"] = Path(api.hf_hub_download("tester/winner", "head.safetensors")).read_bytes().hex()
result = EvalResult(task_type="text-classification", dataset_type="tester/reviews",
                    dataset_name="reviews", metric_type="transrate", metric_value=1.5)
data = ModelCardData(model_name="winner", license="mit", eval_results=[result])
card = ModelCard(f"---\\n{data.to_yaml()}\\n---\\n# winner")
card.validate()
card.push_to_hub("tester/winner")
told["card"] = ModelCard.load("tester/winner").data.eval_results[0].metric_value
told["listed"] = api.model_info("tester/winner").model_index is not None
bad = "---\\nmodel-index:\\n- name: winner\\n  results:\\n  - task: {}\\n---\\n"
told["bad_card"] = failing(api.upload_file, repo_id="tester/winner", path_in_repo="README.md",
                           path_or_fileobj=bad.encode())
note = CommitOperationAdd("note.txt", b"a note")
told["stale"] = failing(api.create_commit, "tester/winner", [note], commit_message="note",
                        parent_commit=told["first"])
told["foreign"] = failing(api.create_commit, "acme/gated-bert", [note], commit_message="note")
pull = api.create_commit("acme/gated-bert", [note], commit_message="note", create_pr=True)
told["pull"] = [pull.pr_revision, pull.pr_num]
api.delete_file("head.safetensors", "tester/winner")
told["left"] = api.list_repo_files("tester/winner")
api.create_repo("tester/secret", private=True)
told["secret"] = failing(api.model_info, "tester/secret", token="hf_other")
api.delete_repo("tester/secret")
told["deleted"] = failing(api.model_info, "tester/secret")
"""
HEAD = bytes(range(256))


@pytest.fixture(scope="module")
def written(hub_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("upload")
    (folder / "head.safetensors").write_bytes(HEAD)
    (folder / "classes.json").write_text('["negative", "positive"]')
    hub = lab_hub(hub_root)
    home = tmp_path_factory.mktemp("home")
    with serve(hub):
        told = tell(WRITING, hub, home, "hf_good", FOLDER=str(folder))
    told["main_of_foreign"] = list(hub.repos["models", "acme/gated-bert"].head.files)
    told["commits_of_winner"] = len(hub.repos["models", "tester/winner"].history)
    hub.close()
    return told


def test_creating_twice_is_a_conflict_unless_allowed(written: Told) -> None:
    assert written["created"] == written["accepted"] == "tester/winner"
    assert written["again"]["status"] == 409
    assert written["foreign_name"]["status"] == 403


def test_what_was_uploaded_comes_back(written: Told) -> None:
    assert bytes.fromhex(written["back"]) == HEAD


def test_uploading_the_same_again_makes_no_commit(written: Told) -> None:
    assert written["second"] == written["first"]
    # created, uploaded, card, one file deleted
    assert written["commits_of_winner"] == 4


def test_a_card_with_results_is_accepted_and_read_back(written: Told) -> None:
    assert written["card"] == 1.5
    assert written["listed"]


def test_a_card_with_a_broken_index_is_refused_before_it_is_sent(written: Told) -> None:
    assert written["bad_card"]["kind"] == "ValueError"
    assert "dataset.type" in written["bad_card"]["said"]


def test_a_stale_parent_is_412(written: Told) -> None:
    assert written["stale"]["status"] == 412


def test_a_foreign_repository_takes_a_pull_request_only(written: Told) -> None:
    assert written["foreign"]["status"] == 403
    assert written["pull"] == ["refs/pr/1", 1]
    assert "note.txt" not in written["main_of_foreign"]


def test_deleting_and_hiding(written: Told) -> None:
    assert written["left"] == ["README.md", "classes.json"]
    assert written["secret"]["kind"] == written["deleted"]["kind"] == "RepositoryNotFoundError"


def test_no_client_asked_anybody_else(listing: Told, streamed: Told, loaded: Told, written: Told) -> None:
    for told in (listing, loaded, written):
        assert told["hosts"] == ["127.0.0.1"]
    # Without a revision, as in the call for a missing dataset, `datasets` looks for its viewer.
    assert set(streamed["hosts"]) <= {"127.0.0.1", "datasets-server.127.0.0.1"}


def test_the_environment_has_no_proxy_no_token_and_no_other_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "http_proxy", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_CACHE"):
        monkeypatch.setenv(name, "elsewhere")
    variables = environment("http://127.0.0.1:1", tmp_path)
    assert "elsewhere" not in variables.values()
    assert variables["HF_HOME"] == str(tmp_path)
    assert environment("http://127.0.0.1:1", tmp_path, "hf_good")["HF_TOKEN"] == "hf_good"

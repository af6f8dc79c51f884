"""What the clients read from our Hub, they read from a Hub by other hands as well.

The same script runs against the loopback Hub and against olah, and has to tell the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hub import LabHub, environment, run_python
from tests.hub.olah import Mirror
from tests.support import programs

MODELS = ("tester/seeing-bert", "tester/tiny-vit")
DATASETS = ("tester/reviews", "tester/lines-jsonl")
READING = """
import hashlib, json, os
from pathlib import Path
import torch
from datasets import load_dataset
from huggingface_hub import HfApi, snapshot_download
from transformers import AutoModel, AutoTokenizer

api = HfApi(library_name="hubscan")
pinned = json.loads(os.environ["PINNED"])
told = {}
for name in ("tester/seeing-bert", "tester/tiny-vit"):
    sha = pinned[f"models/{name}"]
    info = api.model_info(name, revision=sha)
    folder = Path(snapshot_download(name, revision=sha))
    told[name] = {
        "pinned": info.sha == sha and folder.name == sha,
        "card": {key: value for key, value in info.card_data.to_dict().items() if value},
        "listed": sorted(file.rfilename for file in info.siblings),
        "tree": sorted(file.path for file in api.list_repo_tree(name, revision=sha)),
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.iterdir()
        },
    }
sha = pinned["models/tester/seeing-bert"]
model = AutoModel.from_pretrained("tester/seeing-bert", revision=sha, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained("tester/seeing-bert", revision=sha)
with torch.inference_mode():
    states = model(**tokenizer("good film", return_tensors="pt")).last_hidden_state
told["states"] = states.flatten().tolist()
for name in ("tester/reviews", "tester/lines-jsonl"):
    sha = pinned[f"datasets/{name}"]
    rows = load_dataset(name, split="train", streaming=True, revision=sha)
    told[name] = list(rows)
print(json.dumps(told))
"""


def read(endpoint: str, pinned: Mapping[str, str], home: Path) -> dict[str, Any]:
    variables = environment(endpoint, home) | {"PINNED": json.dumps(pinned)}
    told: dict[str, Any] = json.loads(run_python(READING, variables).stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def from_olah(olah: Mirror, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    oldest = {name: commits[0] for name, commits in olah.commits.items()}
    return read(olah.endpoint, oldest, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def from_hub(
    from_olah: dict[str, Any], hub: LabHub, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    heads = {f"{kind}/{repo_id}": repo.head.sha for (kind, repo_id), repo in hub.repos.items()}
    return read(hub.endpoint, heads, tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("name", MODELS)
def test_a_pinned_checkpoint_is_the_same_from_both(
    from_hub: dict[str, Any], from_olah: dict[str, Any], name: str
) -> None:
    assert from_hub[name]["pinned"]
    assert from_hub[name] == from_olah[name]


def test_a_loaded_model_computes_the_same_from_both(
    from_hub: dict[str, Any], from_olah: dict[str, Any]
) -> None:
    assert len(from_hub["states"]) == 4 * 32
    assert from_hub["states"] == from_olah["states"]


@pytest.mark.parametrize("name", DATASETS)
def test_a_streamed_dataset_has_the_same_rows_from_both(
    from_hub: dict[str, Any], from_olah: dict[str, Any], name: str
) -> None:
    assert len(from_hub[name]) in (406, 120)
    assert from_hub[name] == from_olah[name]


def scores_by(endpoint: str, pinned: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Rank two checkpoints at their commits with hubscan itself; return each one's scores."""
    asked = ["rank", "--dataset", "tester/reviews", "--revision", pinned["datasets/tester/reviews"]]
    for name in ("tester/seeing-bert", "tester/blind-bert"):
        asked += ["--model", f"{name}@{pinned[f'models/{name}']}"]
    variables = environment(endpoint, folder / "home") | {"HUBSCAN_CACHE": str(folder / "cache")}
    arguments = ("-m", "hubscan", *asked, "--samples", "60", "--format", "json")
    done = programs.run(arguments, variables, folder, timeout=200)
    assert done.returncode == 0, done.stderr
    return {entry["model"]: entry["scores"] for entry in json.loads(done.stdout)["ranking"]}


@pytest.mark.slow
def test_a_ranking_is_the_same_from_both(olah: Mirror, hub: LabHub, tmp_path: Path) -> None:
    oldest = {name: commits[0] for name, commits in olah.commits.items()}
    heads = {f"{kind}/{repo_id}": repo.head.sha for (kind, repo_id), repo in hub.repos.items()}
    found = []
    for name, endpoint, pinned in (("olah", olah.endpoint, oldest), ("ours", hub.endpoint, heads)):
        (tmp_path / name).mkdir()
        found.append(scores_by(endpoint, pinned, tmp_path / name))
    assert len(found[0]) == 2
    assert found[0] == found[1]

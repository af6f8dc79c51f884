"""`hubscan rank` on sounds, from the command line and a script, over a Hub of checkpoints that read them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml
from datasets import Audio, ClassLabel, Features, Image, Value
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model

from hubscan import candidate_features, feature_store, recipe
from hubscan.demo.hub import serve
from hubscan.finetune.candidate import tuned
from hubscan.hub import listing
from hubscan.media import audio
from hubscan.records import Candidate, Job, Modality, Query, Training, Tuned
from hubscan.sample import draw
from tests.families.audio import FAMILIES, RATE, WAVES, saved
from tests.hub import LabHub, environment, run_python
from tests.support import programs
from tests.support.commands import SCHEMA, Cli, models, ranked

ROWS = 60
PITCHES = {"low": 300, "high": 2000}
HEARING = ("--model", "ear/wav2vec2", "--model", "ear/deaf")


def tone(label: int, seed: int) -> bytes:
    """A tone of its label's pitch, of any loudness and length, in noise."""
    random = np.random.default_rng([label, seed])
    time = np.arange(round(random.uniform(0.3, 0.8) * RATE)) / RATE
    pitch = list(PITCHES.values())[label] * random.uniform(0.9, 1.1)
    samples = random.uniform(0.1, 0.5) * np.sin(2 * np.pi * pitch * time) + random.normal(0, 0.02, len(time))
    stored = io.BytesIO()
    soundfile.write(stored, samples, RATE, format="WAV" if seed % 2 else "FLAC")
    return stored.getvalue()


def deaf(folder: Path) -> None:
    """The weights of a network that hears, but for its first filters, which let nothing through."""
    saved(Wav2Vec2Model, Wav2Vec2Config(**WAVES))(folder)
    weights = load_file(folder / "model.safetensors")
    weights["feature_extractor.conv_layers.0.conv.weight"].zero_()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def family(name: str) -> Callable[[Path], None]:
    return next(family.make for family in FAMILIES if family.name == name)


CHECKPOINTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "ear/wav2vec2": (family("Wav2Vec2"), "feature-extraction"),
    "ear/deaf": (deaf, "audio-classification"),
    "ear/whisper": (family("Whisper"), "automatic-speech-recognition"),
    "ear/ast": (family("Audio Spectrogram Transformer"), "audio-classification"),
    "ear/clap": (family("CLAP, rand_trunc"), "feature-extraction"),
    "ear/ctc": (saved(Wav2Vec2ForCTC, Wav2Vec2Config(**WAVES)), "automatic-speech-recognition"),
}


def labelled(folder: Path) -> None:
    rows = [(tone(label, seed), label) for label in range(2) for seed in range(ROWS)]
    schema = Features({"audio": Audio(), "label": ClassLabel(names=list(PITCHES))}).arrow_schema
    cells = [{"bytes": content, "path": f"{number}.wav"} for number, (content, _) in enumerate(rows)]
    table = pa.table({"audio": cells, "label": [label for _, label in rows]}, schema)
    (folder / "tones/data").mkdir(parents=True)
    pq.write_table(table, folder / "tones/data/train-00000-of-00001.parquet", row_group_size=20)


def in_folders(folder: Path) -> None:
    for label, name in enumerate(PITCHES):
        (folder / "folders/train" / name).mkdir(parents=True)
        for seed in range(12):
            suffix = "wav" if seed % 2 else "flac"
            (folder / f"folders/train/{name}/{seed}.{suffix}").write_bytes(tone(label, seed))


def of_everything(folder: Path, captioned: Path) -> None:
    """The pictures and captions of another dataset, with a sound each."""
    table = pq.read_table(captioned)
    rows = table.slice(0, table.num_rows).to_pylist()
    kept = [row for row in rows if row["label"] < 2]
    features = {"image": Image(), "caption": Value("string"), "audio": Audio(), "label": Value("int64")}
    for number, row in enumerate(kept):
        row["audio"] = {"bytes": tone(row["label"], number), "path": None}
    (folder / "everything/data").mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pylist(kept, Features(features).arrow_schema),
        folder / "everything/data/train-00000-of-00001.parquet",
    )


@pytest.fixture(scope="module")
def ear_root(hub_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ear")
    for name, (make, tag) in CHECKPOINTS.items():
        make(root / "models" / name)
        (root / "models" / name / "README.md").write_text(f"---\npipeline_tag: {tag}\nlicense: mit\n---\n")
    for name in ("tiny-vit", "seeing-bert"):
        shutil.copytree(hub_root / "models/tester" / name, root / "models/ear" / name)
    labelled(root / "datasets/ear")
    in_folders(root / "datasets/ear")
    (captioned,) = (hub_root / "datasets/tester/captioned").rglob("*.parquet")
    of_everything(root / "datasets/ear", captioned)
    return root


@pytest.fixture(scope="module")
def ear(ear_root: Path) -> Iterator[LabHub]:
    hub = LabHub(ear_root)
    with serve(hub):
        yield hub
    hub.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ear-home")


@pytest.fixture
def ear_cli(ear: LabHub, home: Path, tmp_path: Path) -> Cli:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = environment(ear.endpoint, home) | {"HUBSCAN_CACHE": str(home / "cache")}
        return programs.run(("-m", "hubscan", *arguments), variables, tmp_path, timeout=240)

    return run


def test_a_query_for_sounds_ranks_every_family_that_hears_above_the_deaf_one(
    ear_cli: Cli, ear: LabHub, tmp_path: Path
) -> None:
    asked = ("rank", "--task", "audio-classification", "--dataset", "ear/tones", "--samples", "60")
    done = ear_cli(*asked, "--device", "cpu", "--run", "run", "--format", "json")
    answer = ranked(done)
    jsonschema.validate(answer, SCHEMA)
    assert set(models(answer)) == set(CHECKPOINTS) and answer["skipped"] == []
    assert models(answer)[-1] == "ear/deaf" and answer["task"] == "audio-classification"
    assert answer["ranking"][0]["scores"]["transrate"]["low"] > 0
    by_model = {entry["model"]: entry for entry in answer["ranking"]}
    assert by_model["ear/ast"]["pooling"] == "pooler (convention)"
    assert by_model["ear/whisper"]["pooling"] == "mean (default)"
    assert {entry["modality"] for entry in answer["ranking"]} == {"audio"}
    assert answer["sample"]["columns"] == {"audio": "audio", "label": "label"}
    assert answer["sample"]["classes"] == {"low": 30, "high": 30} and answer["sample"]["dropped"] == {}
    # A scan that was cut off goes on, to the same end.
    results = tmp_path / "run/results.jsonl"
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:2]))
    again = ranked(ear_cli("rank", "--run", "run", "--resume", "--format", "json"))
    assert [e["scores"] for e in again["ranking"]] == [e["scores"] for e in answer["ranking"]]
    settled = yaml.safe_load((tmp_path / "run/recipe.yaml").read_text())
    assert settled["modalities"] == ["audio"] and settled["max_seconds"] == 30.0
    lock = yaml.safe_load((tmp_path / "run/lock.yaml").read_text())
    assert lock["provenance"]["versions"]["soundfile"] == audio.versions()["soundfile"]


def test_a_folder_of_sounds_a_folder_a_class_ranks_too(ear_cli: Cli) -> None:
    done = ear_cli("rank", "--dataset", "ear/folders", *HEARING, "--samples", "20", "--format", "json")
    answer = ranked(done)
    assert models(answer) == ["ear/wav2vec2", "ear/deaf"]
    assert answer["sample"]["classes"] == {"high": 10, "low": 10}


@pytest.mark.parametrize("name", ["wav2vec2", "ast"])
def test_what_hears_is_fine_tuned_and_no_worse_for_it(ear_root: Path, name: str) -> None:
    asked = recipe.resolve({"dataset": str(ear_root / "datasets/ear/tones"), "samples": 80, "device": "cpu"})
    candidate = Candidate(str(ear_root / "models/ear" / name), "sha", "audio", local=True)
    training = Training(rates=(3e-3,), epochs=12)  # a rate with which every sound is told apart after 5
    found = tuned(candidate, draw(asked.sample_request), Job(training=training), "cpu", lambda *_: None)
    assert isinstance(found, Tuned), found
    assert found.value >= max(0.9, found.start)


@pytest.mark.slow
def test_the_ranking_of_what_hears_is_verified_from_the_command_line(ear_cli: Cli) -> None:
    asked = ("--dataset", "ear/tones", *HEARING, "--samples", "80", "--device", "cpu", "--run", "run")
    assert models(ranked(ear_cli("rank", *asked, "--format", "json"))) == ["ear/wav2vec2", "ear/deaf"]
    done = ear_cli("verify", "run", "--how", "head", "--device", "cpu", "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [one["model"] for one in answer["tuned"]] == ["ear/wav2vec2", "ear/deaf"]
    assert answer["followed"][0]["regret"]["value"] == 0
    assert "ear/wav2vec2, is the best of the 2" in ear_cli("show", "run").stdout


@pytest.mark.slow
def test_each_layer_and_the_best_one_can_be_asked_for(ear_cli: Cli) -> None:
    asked = ("rank", "--dataset", "ear/tones", "--samples", "40", *HEARING[:2], "--format", "json")
    each = ranked(ear_cli(*asked, "--layers", "each"))
    assert sorted(entry["layer"] for entry in each["ranking"]) == ["0", "1", "2"]
    best = ranked(ear_cli(*asked, "--layers", "best"))
    assert best["ranking"][0]["layer"] == each["ranking"][0]["layer"]


@pytest.mark.slow
def test_pictures_texts_and_sounds_stand_in_one_ranking_of_the_same_rows(ear_cli: Cli) -> None:
    named = (
        "--model",
        "ear/tiny-vit",
        "--model",
        "ear/seeing-bert",
        "--model",
        "ear/whisper",
        "--model",
        "ear/clap",
    )
    asked = ("--modality", "image", "--modality", "text", "--modality", "audio", "--samples", "40")
    answer = ranked(ear_cli("rank", "--dataset", "ear/everything", *asked, *named, "--format", "json"))
    assert {entry["model"]: entry["modality"] for entry in answer["ranking"]} == {
        "ear/tiny-vit": "image", "ear/seeing-bert": "text", "ear/whisper": "audio", "ear/clap": "audio",
    }  # fmt: skip
    assert answer["sample"]["rows"] == 40


def test_the_listing_gives_sounds_what_hears_and_texts_what_reads(ear_cli: Cli) -> None:
    def found(*asked: str) -> list[str]:
        done = ear_cli("search", *asked, "--format", "json")
        return sorted(row["model"] for row in json.loads(done.stdout) if row["excluded"] is None)

    assert found("--modality", "audio") == sorted(CHECKPOINTS)
    # CLAP has a tower for texts, too.
    assert found("--modality", "text") == ["ear/clap", "ear/seeing-bert"]


@pytest.mark.parametrize(
    ("model", "modalities", "read"),
    [
        ("wav2vec2", ("image", "text", "audio"), "audio"),
        ("ctc", ("text", "audio"), "audio"),
        ("clap", ("text", "audio"), "audio"),
        ("clap", ("image", "text"), "text"),
        ("tiny-vit", ("audio", "image"), "image"),
        ("seeing-bert", ("audio", "text", "image"), "text"),
    ],
)
def test_a_folder_is_taken_for_what_its_config_and_files_read(
    ear_root: Path, model: str, modalities: tuple[Modality, ...], read: str
) -> None:
    (found,) = listing.named([str(ear_root / "models/ear" / model)], Query(), *modalities)
    assert isinstance(found, Candidate) and found.modality == read


SCRIPT = """
import io, json
import numpy as np, soundfile
import hubscan
from hubscan.errors import HubscanError

def said(*asked, **how):
    try:
        hubscan.embed(*asked, **how)
    except HubscanError as error:
        return f"{type(error).__name__}: {error}"

random = np.random.default_rng(0)
waves = [random.normal(0, 0.1, count).astype(np.float32) for count in (9000, 16000)]
stored = []
for wave in waves:
    stored.append(io.BytesIO())
    soundfile.write(stored[-1], wave, 16000, format="WAV", subtype="FLOAT")
files = [file.getvalue() for file in stored]
of_files = hubscan.embed("ear/wav2vec2", files, modality="audio")
of_samples = hubscan.embed("ear/wav2vec2", [(wave, 16000) for wave in waves])
stereo = hubscan.embed("ear/wav2vec2", [(np.stack([wave, wave], 1), 16000) for wave in waves])
cut = hubscan.embed("ear/wav2vec2", [(waves[1], 16000)], max_seconds=9000 / 16000)
begun = hubscan.embed("ear/wav2vec2", [(waves[1][:9000], 16000)])
print(json.dumps({
    "shape": of_files.shape,
    "samples": float(abs(of_samples - of_files).max()),
    "stereo": float(abs(stereo - of_files).max()),
    "cut": float(abs(cut - begun).max()),
    "layers": hubscan.embed("ear/whisper", files, modality="audio", layers="each").shape,
    "said": [
        said("ear/wav2vec2", [b"no sound"], modality="audio"),
        said("ear/wav2vec2", [(waves[0].reshape(10, 30, 30), 16000)]),
        said("ear/wav2vec2", [(waves[0], 16000), "a text"]),
        said("ear/seeing-bert", files, modality="audio"),
        said("ear/tiny-vit", files, modality="audio"),
    ],
}))
"""


def test_a_script_embeds_files_and_samples_of_sounds(ear: LabHub, home: Path) -> None:
    found = json.loads(run_python(SCRIPT, environment(ear.endpoint, home)).stdout.splitlines()[-1])
    assert found["shape"] == [2, 32] and found["layers"] == [2, 3, 32]
    assert found["samples"] == 0 and found["stereo"] < 1e-5 and found["cut"] < 1e-5
    broken, shape, mixed, no_extractor, pictures = found["said"]
    assert broken == "RecipeError: an input cannot be read: not audio"
    assert shape.startswith("RecipeError: an audio input needs samples")
    assert "inputs mixes" in mixed and "its audio preprocessing is unknown" in no_extractor
    assert "is not a supported audio encoder" in pictures


def test_the_address_of_kept_features_has_the_decoders_versions_and_the_seconds(
    ear_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe.resolve({"dataset": str(ear_root / "datasets/ear/tones"), "samples": 20})
    sample = draw(asked.sample_request)

    def address(modality: Modality = "audio", **keys: Any) -> str:
        changed = asked.model_copy(update=keys)
        facts = candidate_features._deciding(Candidate("a/b", "0", modality), sample, changed.job(""), "cpu")
        return feature_store.address(facts)

    before, of_texts = address(), address("text")
    assert address(max_seconds=5.0) != before and address("text", max_seconds=5.0) == of_texts
    monkeypatch.setattr(audio, "versions", lambda: {"soundfile": "9", "soxr": "9"})
    assert address() != before and address("text") == of_texts

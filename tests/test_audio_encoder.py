"""What checkpoints that read sounds come as: heads, older names of weights, windows, and broken ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers import (
    HubertConfig,
    HubertForSequenceClassification,
    PreTrainedModel,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Processor,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
    WhisperForConditionalGeneration,
)

from hubscan import encoders
from hubscan.errors import CheckpointError
from hubscan.extract import extract
from hubscan.records import EncodingRequest, Input
from tests.families.audio import CLAP_RATE, FAMILIES, WAVES, rows, saved, sound, whisper_config

SOUNDS = rows()


def features(folder: Path, inputs: list[Input] = SOUNDS) -> np.ndarray[Any, Any]:
    return extract(encoders.load(folder, "audio"), inputs, "cpu").matrix


def family(name: str, folder: Path) -> Path:
    next(family for family in FAMILIES if family.name == name).make(folder)
    return folder


@pytest.mark.parametrize(
    "head",
    [Wav2Vec2ForCTC, Wav2Vec2ForPreTraining, Wav2Vec2ForSequenceClassification],
)
def test_a_head_makes_no_difference_to_the_features(
    tmp_path: Path, head: Callable[[Any], PreTrainedModel]
) -> None:
    saved(head, Wav2Vec2Config(**WAVES))(tmp_path / "head")
    bare = head.from_pretrained(tmp_path / "head").wav2vec2  # type: ignore[attr-defined]
    saved(lambda _: bare, None)(tmp_path / "bare")
    bare = head.from_pretrained(tmp_path / "head").wav2vec2  # type: ignore[attr-defined]
    bare.save_pretrained(tmp_path / "bare")
    np.testing.assert_allclose(features(tmp_path / "head"), features(tmp_path / "bare"), atol=1e-6)


def test_a_classifier_made_of_hubert_is_read(tmp_path: Path) -> None:
    saved(HubertForSequenceClassification, HubertConfig(**WAVES))(tmp_path)
    assert features(tmp_path).shape == (len(SOUNDS), 32)


def test_a_classifier_made_of_whisper_has_the_encoder_alone_and_is_read_all_the_same(tmp_path: Path) -> None:
    extractor = WhisperFeatureExtractor(chunk_length=2)
    saved(WhisperForConditionalGeneration, whisper_config(), extractor)(tmp_path / "whole")
    whole = WhisperForConditionalGeneration.from_pretrained(tmp_path / "whole")
    classifier = WhisperForAudioClassification(whisper_config())
    classifier.encoder.load_state_dict(whole.model.encoder.state_dict())
    classifier.save_pretrained(tmp_path / "classifier")
    extractor.save_pretrained(tmp_path / "classifier")
    assert not any("decoder" in key for key in load_file(tmp_path / "classifier/model.safetensors"))
    np.testing.assert_allclose(features(tmp_path / "classifier"), features(tmp_path / "whole"), atol=1e-6)


def test_a_weight_of_the_encoder_that_is_missing_is_still_an_error(tmp_path: Path) -> None:
    family("Whisper", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layers.1.fc1.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"missing from the file: encoder.layers.1.fc1.weight"):
        encoders.load(tmp_path, "audio")


def test_the_older_names_of_a_normed_weight_are_read(tmp_path: Path) -> None:
    family("Wav2Vec2", tmp_path)
    expected = features(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in weights.items()
    }
    assert set(old) != set(weights) or any("weight_g" in key for key in weights)
    save_file(old, tmp_path / "model.safetensors", {"format": "pt"})
    np.testing.assert_array_equal(features(tmp_path), expected)


def test_a_processor_that_holds_the_feature_extractor_will_do(tmp_path: Path) -> None:
    family("Wav2Vec2", tmp_path)
    expected = features(tmp_path)
    settings = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").unlink()
    processor = {"processor_class": Wav2Vec2Processor.__name__, "feature_extractor": settings}
    (tmp_path / "processor_config.json").write_text(json.dumps(processor))
    np.testing.assert_array_equal(features(tmp_path), expected)


def test_the_sounds_rate_is_the_one_that_the_checkpoint_wants(tmp_path: Path) -> None:
    family("Wav2Vec2", tmp_path)
    slow, fast = sound(0, 1.0), sound(0, 1.0, 44_100)
    found = features(tmp_path, [slow, fast])
    assert (
        len(
            {
                len(encoders.load(tmp_path, "audio").prepare([s]).batch([0])["input_values"][0])
                for s in (slow, fast)
            }
        )
        == 1
    )
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("name", "rate", "window"),
    [
        ("Whisper", 16_000, 2.0),
        ("Audio Spectrogram Transformer", 16_000, 2.1),
        ("CLAP, rand_trunc", CLAP_RATE, 2.0),
        ("CLAP, fusion", CLAP_RATE, 2.0),
    ],
)
def test_of_a_sound_that_is_longer_than_the_window_the_beginning_is_read(
    tmp_path: Path, name: str, rate: int, window: float
) -> None:
    folder = family(name, tmp_path)
    long = np.frombuffer(sound(0, 5.0, rate, subtype="FLOAT")[-round(5.0 * rate) * 4 :], np.float32)
    from hubscan.media.audio import encode

    found = features(folder, [encode(long, rate), encode(long[: round(window * rate)], rate)])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    again = features(folder, [encode(long, rate)])
    np.testing.assert_allclose(again[0], found[0], atol=1e-5)


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_one_sample_and_silence_have_features(tmp_path: Path, name: str) -> None:
    from hubscan.media.audio import encode

    folder = family(name, tmp_path)
    found = features(
        folder, [encode(np.array([0.5], np.float32), 16_000), encode(np.zeros(9_000, np.float32), 16_000)]
    )
    assert np.isfinite(found).all()


def test_work_is_told_by_the_headers_and_is_that_of_the_window_where_there_is_one(tmp_path: Path) -> None:
    prepared = encoders.load(
        family("Wav2Vec2", tmp_path / "a"), "audio", EncodingRequest(max_seconds=1.0)
    ).prepare(SOUNDS)
    assert prepared.lengths == [35, 50, 35, 50, 16]
    assert encoders.load(family("Whisper", tmp_path / "b"), "audio").prepare(SOUNDS).lengths == [100] * 5


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "its audio preprocessing is unknown"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{"), "preprocessor_config.json"),
        (lambda folder: changed(folder, sampling_rate=0), "no valid sampling_rate"),
        (lambda folder: changed(folder, sampling_rate="16 kHz"), "no valid sampling_rate"),
    ],
)
def test_a_broken_feature_extractor_is_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(family("Wav2Vec2", tmp_path))
    with pytest.raises(CheckpointError, match=said) as refused:
        encoders.load(tmp_path, "audio")
    assert "\n" not in str(refused.value)


def changed(folder: Path, **keys: Any) -> None:
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))

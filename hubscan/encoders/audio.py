"""Encode audio clips with a checkpoint; no clip is padded to the length of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoFeatureExtractor

from hubscan.encoders.config import config_for_processor
from hubscan.encoders.pooling import as_sequence, choose_pooling, pool, pooled_layers
from hubscan.encoders.protocols import Batch, Pooled
from hubscan.encoders.weights import load_errors, load_model
from hubscan.errors import CheckpointError
from hubscan.families import Tower, tower_of
from hubscan.media import audio
from hubscan.records import EncodingRequest, Input, Layers, Pooling, Precision

STATES_A_SECOND: Final = 50
SHORTEST: Final = 0.1  # seconds; shorter clips are padded with silence, as a network may give them no state


@dataclass(frozen=True)
class PreparedAudio:
    """Audio files, which are decoded and resampled when their batch is made."""

    extractor: Any
    name: str  # of the model's input
    seconds: float
    hop: int | None  # samples per state, if the extractor pads with silence to its window
    files: Sequence[bytes]
    lengths: Sequence[int]

    def batch(self, rows: Sequence[int]) -> Batch:
        """Decode and preprocess *rows* one by one.

        One padded tensor takes them to the device. `encode` cuts them to their `lengths` again; `frames`
        counts the states of each that cover the clip and not the silence after it.
        """
        waveforms = [self._waveform(self.files[row]) for row in rows]
        read = [self._features(waveform) for waveform in waveforms]
        batch = {
            self.name: pad_sequence(read, batch_first=True),
            "lengths": torch.tensor([len(features) for features in read]),
        }
        if self.hop:
            batch["frames"] = torch.tensor([math.ceil(len(w) / self.hop) for w in waveforms])
        return batch

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return *rows*: each gives one vector."""
        return rows

    def _waveform(self, content: bytes) -> torch.Tensor:
        rate = self.extractor.sampling_rate
        waveform = torch.from_numpy(audio.decode(content, rate, self.seconds))
        missing = math.ceil(SHORTEST * rate) - len(waveform)
        return torch.nn.functional.pad(waveform, (0, max(0, missing)))

    def _features(self, waveform: torch.Tensor) -> torch.Tensor:
        rate = self.extractor.sampling_rate
        output = self.extractor(waveform.numpy(), sampling_rate=rate, return_tensors="pt")
        features: torch.Tensor = output[self.name][0]
        mask = output.get("attention_mask")
        # Wav2Vec2-BERT reads filter banks in pairs, and masks the last one if it has no partner.
        return features if mask is None else features[: int(mask.sum())]


@dataclass(frozen=True)
class AudioEncoder:
    """An audio checkpoint: feature extractor, network, pooling."""

    model: torch.nn.Module
    tower: Tower
    extractor: Any
    pooling: Pooling
    layers: Layers
    seconds: float  # read from the beginning of a clip
    window: float | None  # seconds that the network always computes, however short the clip

    @classmethod
    def load(cls, folder: Path, request: EncodingRequest, dtype: Precision) -> AudioEncoder:
        """Return the encoder in *folder*.

        Raises:
            HubscanError: if the libraries that decode audio are missing.
            CheckpointError: if it is not a supported audio encoder, or broken.
        """
        audio.require()
        if not any((folder / f"{name}_config.json").exists() for name in ("preprocessor", "processor")):
            raise CheckpointError(
                "no preprocessor_config.json, so its audio preprocessing is unknown; add that of its base"
            )
        model, _ = load_model(folder, "audio", dtype)
        kind = str(getattr(model.config, "model_type", None))
        tower = tower_of(kind, "audio")
        if tower is None:
            raise CheckpointError(
                f"model type {kind} is not a supported audio encoder; choose one of the families in the docs"
            )
        with load_errors("its preprocessing cannot be read from preprocessor_config.json"):
            extractor = AutoFeatureExtractor.from_pretrained(
                folder, config=config_for_processor(folder), trust_remote_code=False, local_files_only=True
            )
        if getattr(extractor, "sampling_rate", None) not in audio.RATES:
            raise CheckpointError(
                "its preprocessor_config.json states no valid sampling_rate; add it, in hertz"
            )
        window = _window(extractor)
        seconds = request.max_seconds if window is None else min(request.max_seconds, window)
        pooling = choose_pooling(request.pooling, None, tower.pooling)
        return cls(model, tower, extractor, pooling, request.layers, seconds, window)

    @property
    def processor(self) -> str:
        """Return the feature extractor's class."""
        return type(self.extractor).__name__

    def prepare(self, inputs: Sequence[Input]) -> PreparedAudio:
        """Return the files with their durations, which their headers state; decode nothing yet."""
        files = [content for content in inputs if isinstance(content, bytes)]
        seconds = (self.window or min(audio.duration(content), self.seconds) for content in files)
        lengths = [math.ceil(STATES_A_SECOND * computed) for computed in seconds]
        hops = self.tower.hops_a_state
        hop = hops * self.extractor.hop_length if hops else None
        return PreparedAudio(self.extractor, self._input, self.seconds, hop, files, lengths)

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers.

        Only clips of exactly the same length share a forward pass. Otherwise padding would change their
        features: in many Wav2Vec2 checkpoints the first norm covers the whole length, without a mask.
        """
        lengths = batch["lengths"].tolist()
        pooled: dict[str, torch.Tensor] = {}
        for length in sorted(set(lengths)):
            rows = [row for row, own in enumerate(lengths) if own == length]
            frames = batch["frames"][rows] if "frames" in batch else None
            for name, vectors in self._encoded(batch[self._input][rows, :length], frames).items():
                if name not in pooled:
                    pooled[name] = vectors.new_empty((len(lengths), vectors.shape[1]))
                pooled[name][rows] = vectors
        return pooled

    def _encoded(self, features: torch.Tensor, frames: torch.Tensor | None) -> Pooled:
        inputs = {self._input: features}
        for name, value in self.tower.inputs.items():
            inputs[name] = torch.full((len(features), 1), value, device=features.device)
        output = self.model(**inputs, output_hidden_states=self.layers != "last")
        return pooled_layers(output, self.layers, self.pooling, partial(_pooled, frames=frames))

    @property
    def _input(self) -> str:
        return str(self.extractor.model_input_names[0])


def _window(extractor: Any) -> float | None:
    """Return the seconds to which *extractor* pads or cuts every clip, None if it does not."""
    samples = getattr(extractor, "n_samples", None) or getattr(extractor, "nb_max_samples", None)
    if samples:
        return float(samples / extractor.sampling_rate)
    if type(extractor).__name__ == "ASTFeatureExtractor":
        return float(extractor.max_length / 100)  # one filter bank every 10 ms
    return None


def _pooled(states: torch.Tensor, how: str, frames: torch.Tensor | None) -> torch.Tensor:
    states = as_sequence(states, how)
    places = torch.arange(states.shape[1], device=states.device).expand(states.shape[:2])
    mask = torch.ones_like(places) if frames is None else (places < frames[:, None]).long()
    return pool(states, mask, how)

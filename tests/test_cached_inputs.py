"""Inputs that fine-tuning reads repeatedly are decoded once, and are identical to freshly decoded ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest
import torch
from transformers import ViTImageProcessor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from hubscan.encoders.audio import PreparedAudio
from hubscan.encoders.pixels import PreparedImages
from hubscan.encoders.protocols import Batch, Prepared
from hubscan.finetune.cached_inputs import CachedInputs
from tests.families.audio import sound
from tests.families.image import picture

SIDE: Final = 16
BYTES: Final = 3 * SIDE * SIDE * 4  # of one prepared image
BATCHES: Final = ([0, 1, 2], [2, 0], [3], [1, 3, 3, 0])


@dataclass
class Counted:
    """A `Prepared` that counts how often each row is prepared."""

    of: Prepared
    made: Counter[int] = field(default_factory=Counter)

    @property
    def lengths(self) -> Sequence[int]:
        return self.of.lengths

    def batch(self, rows: Sequence[int]) -> Batch:
        self.made.update(rows)
        return self.of.batch(rows)

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        return self.of.vectors(rows)


def pictures() -> Counted:
    files = [picture(0), picture(1, 64, 30), picture(2, 17, 90), picture(3)]
    processor = ViTImageProcessor(size={"height": SIDE, "width": SIDE})
    return Counted(PreparedImages(processor, files, [1] * len(files)))


def sounds(seconds: Sequence[float], *, window: bool) -> Counted:
    files = [sound(seed, length) for seed, length in enumerate(seconds)]
    extractor = WhisperFeatureExtractor(chunk_length=2) if window else Wav2Vec2FeatureExtractor()
    name, hop = ("input_features", 320) if window else ("input_values", None)
    return Counted(PreparedAudio(extractor, name, 2.0, hop, files, [1] * len(files)))


def same(one: Batch, other: Batch) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def read(prepared: Counted, most: int = 1 << 20) -> Counter[int]:
    """Compare all batches with those of *prepared*; return how often each row was prepared."""
    ready = CachedInputs(prepared, most)
    assert ready.lengths == prepared.lengths
    assert ready.vectors([2, 1]) == [2, 1]
    found = [ready.batch(rows) for rows in BATCHES]
    assert all(same(batch, prepared.of.batch(rows)) for batch, rows in zip(found, BATCHES, strict=True))
    return prepared.made


def test_an_image_is_decoded_once() -> None:
    assert read(pictures()) == {0: 1, 1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_images_beyond_the_limit_are_decoded_each_time(limit: int) -> None:
    asked = Counter(row for rows in BATCHES for row in rows)
    assert read(pictures(), limit * BYTES) == {row: 1 if row < limit else asked[row] for row in asked}


def test_audio_clips_that_fill_a_window_are_decoded_once() -> None:
    assert read(sounds((0.7, 1.9, 0.3, 2.5), window=True)) == {0: 1, 1: 1, 2: 1, 3: 1}


def test_audio_clips_of_several_lengths_are_prepared_together() -> None:
    asked = Counter(row for rows in BATCHES for row in rows)
    asked.update(BATCHES[0])  # which showed that they differ
    assert read(sounds((0.7, 1.9, 0.3, 2.5), window=False)) == asked

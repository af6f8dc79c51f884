"""What must hold of the features of every family, in float32, to `CLOSE`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hubscan import encoders, extract
from hubscan.encoders.protocols import Encoder
from hubscan.errors import CheckpointError
from hubscan.records import EncodingRequest, Input
from tests.families.family import Family

CLOSE: Final = 1e-4
APART: Final = 1e-2  # rows that differ by less would agree whatever was done to them


def features_are_right(family: Family, folder: Path, rows: Sequence[Input]) -> None:
    """Hold the features of *rows* to those of each row by itself, straight from transformers."""
    encoder = _loaded(family, folder)
    assert str(encoder.pooling) == family.pooling
    found = extract.extract(encoder, rows, "cpu")
    expected = np.stack([family.direct(folder, row)[-1].numpy() for row in rows])
    assert found.matrix.shape == expected.shape
    assert np.isfinite(found.matrix).all()
    assert float(np.ptp(expected, axis=0).max()) > APART
    np.testing.assert_allclose(found.matrix, expected, atol=CLOSE)


def rows_are_independent(
    family: Family, folder: Path, rows: Sequence[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hold the features to be the same in any company: alone, in one batch, in small ones, in another order."""
    encoder = _loaded(family, folder)
    monkeypatch.setattr(extract, "CPU_BATCH_TOKENS", 10**9)
    together = _matrix(encoder, rows)
    np.testing.assert_allclose(_matrix(encoder, rows[::-1])[::-1], together, atol=CLOSE)
    monkeypatch.setattr(extract, "CPU_BATCH_TOKENS", 3 * max(encoder.prepare(rows).lengths))
    np.testing.assert_allclose(_matrix(encoder, rows), together, atol=CLOSE)
    for place in (0, len(rows) - 1):
        np.testing.assert_allclose(_matrix(encoder, [rows[place]])[0], together[place], atol=CLOSE)


def layers_are_right(family: Family, folder: Path, rows: Sequence[Input]) -> None:
    """Hold every layer of `each` to the hidden states, and their mean to its definition."""
    if not family.layers:
        with pytest.raises(CheckpointError, match="--layers last"):
            extract.extract(_loaded(family, folder, layers="each"), rows, "cpu")
        return
    found = extract.extract(_loaded(family, folder, layers="each"), rows, "cpu").layers
    expected = [
        np.stack(layer) for layer in zip(*(_arrays(family, folder, row) for row in rows), strict=True)
    ]
    assert list(found) == [str(number) for number in range(len(expected))]
    for layer, matrix in zip(expected, found.values(), strict=True):
        np.testing.assert_allclose(matrix, layer, atol=CLOSE)
    if len({layer.shape for layer in expected[1:]}) > 1:
        with pytest.raises(CheckpointError, match="widths"):
            extract.extract(_loaded(family, folder, layers="mean"), rows, "cpu")
        return
    mean = extract.extract(_loaded(family, folder, layers="mean"), rows, "cpu").layers
    assert list(mean) == ["mean"]
    np.testing.assert_allclose(mean["mean"], np.mean(expected[1:], axis=0), atol=CLOSE)


@lru_cache(maxsize=1)  # with `scope="module"` the tests of a family follow each other
def _loaded(family: Family, folder: Path, **asked: Any) -> Encoder:
    torch.manual_seed(1)  # weights that are made up would differ from those of the direct computation
    return encoders.load(folder, family.modality, EncodingRequest(**asked))


def _matrix(encoder: Encoder, rows: Sequence[Input]) -> npt.NDArray[np.float32]:
    return extract.extract(encoder, rows, "cpu").matrix


def _arrays(family: Family, folder: Path, row: Input) -> list[npt.NDArray[Any]]:
    return [vector.numpy() for vector in family.direct(folder, row)]

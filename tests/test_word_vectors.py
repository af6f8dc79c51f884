"""A vector for each labelled word, against states straight from transformers and windows cut by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from hubscan import encoders
from hubscan.errors import CheckpointError
from hubscan.extract import extract
from hubscan.records import EncodingRequest
from tests.hub.spelling import byte_gpt, letter_bert, slow_t5
from tests.hub.words import sentence

Array = npt.NDArray[Any]
SENTENCES = [
    tuple(word for word in sentence(label, Random(label)).split() if word.isalpha()) for label in (0, 1, 2)
]
SENTENCES = [words[:4] for words in SENTENCES] + [("warm",), ("a", "b")]
EVERY = np.array([(i, j) for i, words in enumerate(SENTENCES) for j in range(len(words))])


def vectors(folder: Path, sentences: Sequence[Sequence[str]], places: Array, **asked: Any) -> Array:
    encoder = encoders.load(folder, "text", EncodingRequest(**asked), places=places)
    return extract(encoder, [tuple(words) for words in sentences], "cpu").matrix


def pieces(folder: Path, words: Sequence[str]) -> list[list[int]]:
    """The tokens of each word, each asked for alone as it stands in a running text."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    spaced = [" " * (place > 0 and "gpt" in folder.name) + word for place, word in enumerate(words)]
    return [tokenizer(word, add_special_tokens=False)["input_ids"] for word in spaced]


def states(folder: Path, ids: list[int], layer: int = -1) -> torch.Tensor:
    """The states of a layer for *ids* between the marks of the checkpoint, without padding; marks left out."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    marks = tokenizer.cls_token_id is not None
    row = [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id] if marks else ids
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor([row]), output_hidden_states=True).hidden_states[layer][0]
    return found[1:-1] if marks else found


def by_hand(folder: Path, words: Sequence[str], layer: int = -1) -> list[Array]:
    """The mean of each word's states, of a sentence that fits."""
    tokens = pieces(folder, words)
    found = states(folder, [token for one in tokens for token in one], layer)
    return [part.mean(0).numpy() for part in torch.split(found, [len(one) for one in tokens])]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, hub_root: Path) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("spelling")
    on_hub = {name: hub_root / "models/tester" / name for name in ("plain-bert", "roberta", "mlm-bert")}
    return on_hub | {
        "letters": letter_bert(made / "letters"),
        "left": letter_bert(made / "left", padding_side="left"),
        "gpt": byte_gpt(made / "gpt"),
    }


@pytest.mark.parametrize("name", ["plain-bert", "roberta", "mlm-bert", "letters", "left", "gpt"])
def test_the_vector_of_a_word_is_the_mean_of_its_subwords_states_whatever_its_batch(
    folders: dict[str, Path], name: str
) -> None:
    expected = [vector for words in SENTENCES for vector in by_hand(folders[name], words)]
    found = vectors(folders[name], SENTENCES, EVERY)
    assert found.dtype == np.float32 and found.shape == (len(EVERY), 32)
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-5)


def test_only_the_asked_words_are_given_in_the_order_of_their_places(folders: dict[str, Path]) -> None:
    whole = vectors(folders["letters"], SENTENCES, EVERY)
    some = np.array([3, 0, 7, len(EVERY) - 1])
    np.testing.assert_allclose(vectors(folders["letters"], SENTENCES, EVERY[some]), whole[some], atol=1e-5)


def test_each_layer_gives_the_words_from_its_own_states(folders: dict[str, Path]) -> None:
    encoder = encoders.load(folders["letters"], "text", EncodingRequest(layers="each"), places=EVERY)
    found = extract(encoder, SENTENCES, "cpu").layers
    assert list(found) == ["0", "1", "2"]
    for layer, matrix in enumerate(found.values()):
        expected = [vector for words in SENTENCES for vector in by_hand(folders["letters"], words, layer)]
        np.testing.assert_allclose(matrix, np.stack(expected), atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "last"])
def test_another_pooling_of_the_subwords_can_be_asked_for(folders: dict[str, Path], pooling: str) -> None:
    words, folder = ("good", "work"), folders["letters"]
    found = torch.split(states(folder, [token for one in pieces(folder, words) for token in one]), [4, 4])
    expected = [part.amax(0) if pooling == "max" else part[-1] for part in found]
    every = np.array([(0, 0), (0, 1)])
    np.testing.assert_allclose(
        vectors(folder, [words], every, pooling=pooling), torch.stack(expected).numpy(), atol=1e-5
    )


def test_what_a_checkpoint_declares_for_whole_texts_is_left_aside(hub_root: Path) -> None:
    encoder = encoders.load(hub_root / "models/tester/sentence-bert", "text", places=EVERY)
    assert str(encoder.pooling) == "mean (default)"
    with pytest.raises(CheckpointError, match="cls pooling gives a vector for each text, not for each word"):
        encoders.load(
            hub_root / "models/tester/sentence-bert", "text", EncodingRequest(pooling="cls"), places=EVERY
        )


@pytest.mark.parametrize("limit", [7, 12, 32])
def test_every_word_of_a_long_sentence_is_read_where_most_of_it_and_most_around_it_is(
    folders: dict[str, Path], limit: int
) -> None:
    random = Random(0)
    words = ["".join(random.choices("abcdefg", k=random.randint(1, 5))) for _ in range(40)]
    words[17] = "longerthananywindowofthesethreelimits"
    folder, tokens = folders["letters"], pieces(folders["letters"], words)
    flat = [token for one in tokens for token in one]
    room = limit - 2
    begins = list(range(0, max(1, len(flat) - room // 2), room - room // 2))
    windows = [states(folder, flat[begin : begin + room]).numpy() for begin in begins]
    every = np.array([(0, number) for number in range(len(words))])
    found, stop = vectors(folder, [words], every, max_length=limit), 0
    for number, one in enumerate(tokens):
        start, stop = stop, stop + len(one)
        seen = []
        for begin, window in zip(begins, windows, strict=True):
            low, high = max(start - begin, 0), min(stop - begin, len(window))
            before = 99 if begin == 0 else low
            behind = 99 if begin == begins[-1] else len(window) - high
            if low < high:
                seen.append((high - low, min(before, behind), -begin, window[low:high].mean(0)))
        np.testing.assert_allclose(found[number], max(seen, key=lambda one: one[:3])[3], atol=1e-5)


def test_a_word_of_which_the_tokenizer_makes_nothing_is_read_as_unknown(folders: dict[str, Path]) -> None:
    words, named = ("good", "\u200b", "work"), ("good", "[UNK]", "work")
    every = np.array([(0, 0), (0, 1), (0, 2)])
    found = vectors(folders["letters"], [words], every)
    np.testing.assert_allclose(found, np.stack(by_hand(folders["letters"], named)), atol=1e-5)


def test_a_tokenizer_that_makes_nothing_of_a_word_and_knows_no_unknown_is_refused(
    folders: dict[str, Path],
) -> None:
    with pytest.raises(CheckpointError, match="gives 1 of the 2 words no token"):
        vectors(folders["gpt"], [("", "work")], np.array([(0, 0), (0, 1)]))


def test_a_tokenizer_that_does_not_tell_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a fast one"):
        encoders.load(slow_t5(tmp_path / "slow"), "text", places=EVERY)


def test_a_tokenizer_to_which_every_word_is_unknown_is_refused(hub_root: Path) -> None:
    with pytest.raises(CheckpointError, match="vocabulary of its tokenizer is missing"):
        vectors(hub_root / "models/broken/no-tokenizer", SENTENCES, EVERY)


def test_a_length_without_room_for_a_word_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match="too few for a word"):
        vectors(folders["letters"], SENTENCES, EVERY, max_length=2)

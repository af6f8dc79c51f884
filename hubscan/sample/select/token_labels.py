"""Order the words that have a tag, given the sentences that contain them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hubscan.sample.select.drawn_rows import DrawnRow, Pick
from hubscan.sample.select.random_keys import block_keys


def has_word(sentence: DrawnRow, tag: int) -> bool:
    """Return whether *sentence* has a non-blank word with *tag*."""
    return bool(_words(sentence, tag))


def words_of(tag: int, sentences: Sequence[DrawnRow], seed: int, *, whole: bool) -> list[Pick]:
    """Return the words that have *tag*: one random word of every sentence, then a second one, and so on.

    Args:
        tag: the code of the tag.
        sentences: the first sentences with the tag, in its order.
        seed: the seed for the order of the words of a sentence.
        whole: whether these are all sentences of the split with the tag. If not, each gives only one
            word.
    """
    orders = [_in_random_order(sentence, tag, seed) for sentence in sentences]
    turns = [(turn, word) for words in orders for turn, word in enumerate(words if whole else words[:1])]
    return [word for _, word in sorted(turns, key=lambda turn: turn[0])]  # stable: sentences keep their order


def _in_random_order(sentence: DrawnRow, tag: int, seed: int) -> list[Pick]:
    places = np.array(_words(sentence, tag), np.int64)
    keys = block_keys(seed, np.full(len(places), sentence.row, np.int64), places)
    return [Pick(sentence, place, tag) for place in places[np.argsort(keys)].tolist()]


def _words(sentence: DrawnRow, tag: int) -> list[int]:
    words, label = sentence.inputs["text"], sentence.label
    places = [place for place, code in zip(label.words, label.codes, strict=True) if code == tag]
    return [place for place in places if str(words[place]).strip()]

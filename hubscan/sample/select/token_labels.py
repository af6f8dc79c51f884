"""Sentences whose words have tags in; the words of one tag, in the order of the sample, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hubscan.sample.select.drawn_rows import DrawnRow, Pick
from hubscan.sample.select.random_keys import block_keys


def has_word(sentence: DrawnRow, tag: int) -> bool:
    """Return whether a word of *sentence* that is not blank has *tag*."""
    return bool(_words(sentence, tag))


def words_of(tag: int, sentences: Sequence[DrawnRow], seed: int, *, whole: bool) -> list[Pick]:
    """Return the words that have *tag*, in turns: of every sentence one, at random, and then a second.

    Args:
        tag: the code of the tag.
        sentences: the first of those that have it, in the order of the tag.
        seed: decides which words come first.
        whole: whether these are all sentences of the split that have the tag; before that is so,
            none gives a second word.
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

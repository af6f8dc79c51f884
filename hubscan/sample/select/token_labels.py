"""Sentences whose words have tags in; the words that stand in the sample out, no sentence in front."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hubscan.records import SampleRequest
from hubscan.sample.select.drawn_rows import DrawnRow
from hubscan.sample.select.quotas import equal, proportional
from hubscan.sample.select.random_keys import block_keys, keys_of
from hubscan.sample_size import rows_by_default

Word = tuple[int, int, int]  # row, place of the word in its sentence, tag


def choose_words(
    kept: Sequence[DrawnRow], strata: Sequence[tuple[int, int]], request: SampleRequest
) -> list[Word]:
    """Return the drawn words, ordered by row and place.

    Of every tag a sentence first gives one word, at random; only when the sentences drawn for a tag
    have all given one does any give a second.

    Args:
        kept: the drawn sentences.
        strata: (row, tag) for each tag that a sentence was drawn for.
        request: says how many words, and whether tags have equal shares.
    """
    rows = {one.row: one for one in kept}
    turns: dict[int, list[tuple[int, Word]]] = defaultdict(list)  # of each tag: (turn, word)
    order = np.argsort(keys_of(request.seed, np.array([row for row, _ in strata], np.int64)), kind="stable")
    for row, tag in (strata[place] for place in order.tolist()):
        turns[tag] += _turns(rows[row], tag, request.seed)
    tags = sorted(turns)
    counts = np.array([len(turns[tag]) for tag in tags], np.int64)
    share = equal if request.balance else proportional
    quotas = share(counts, request.samples or rows_by_default(len(tags)), np.argsort(-counts, kind="stable"))
    found = [
        word for tag, quota in zip(tags, quotas.tolist(), strict=True) for word in _taken(turns, tag, quota)
    ]
    return sorted(found)


def _turns(sentence: DrawnRow, tag: int, seed: int) -> Iterator[tuple[int, Word]]:
    inputs = sentence.inputs["text"]
    places = np.array(
        [
            place
            for place, code in zip(sentence.label.words, sentence.label.codes, strict=True)
            if code == tag and str(inputs[place]).strip()
        ],
        np.int64,
    )
    keys = block_keys(seed, np.full(len(places), sentence.row, np.int64), places)
    for turn, place in enumerate(places[np.argsort(keys)].tolist()):
        yield turn, (sentence.row, place, tag)


def _taken(turns: Mapping[int, list[tuple[int, Word]]], tag: int, quota: int) -> list[Word]:
    # The sort is stable: within a turn, sentences keep the order of their keys.
    return [word for _, word in sorted(turns[tag], key=lambda turn: turn[0])[:quota]]

"""Sentences as words in, windows of sub-words out, and where in them a word is read best."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hubscan.errors import CheckpointError


class Span(NamedTuple):
    """Where a word stands: which window, its first sub-word there, and the place behind its last."""

    window: int
    start: int
    stop: int


def windows(tokenizer: Any, sentences: Sequence[Sequence[str]], limit: int) -> Any:
    """Return the encoding of *sentences*, each in as many windows of at most *limit* tokens as it needs.

    A window shares half of its sub-words with the next one, so that a word at an edge stands in the
    middle of another, and a word of up to half a window is whole in one.

    Raises:
        CheckpointError: if *limit* has no room for a sub-word beside the tokenizer's marks.
    """
    room = limit - tokenizer.num_special_tokens_to_add(pair=False)
    if room < 1:
        raise CheckpointError(f"a length of {limit} tokens has no room for a word beside the marks")
    return tokenizer(
        [list(words) for words in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=limit,
        stride=room // 2,
        return_overflowing_tokens=True,
    )


def spans(encoded: Any, places: Iterable[tuple[int, int]]) -> list[Span | None]:
    """Return where each word is read; None for one of which the tokenizer made no token at all.

    Of the windows that it stands in that is the one with most of its sub-words, and of these the one
    that goes on farthest to either side, counting the ends of the sentence as far.

    Args:
        encoded: from `windows`.
        places: of each word, which sentence and which of its words.
    """
    of_sentence: dict[int, list[int]] = defaultdict(list)
    for window, sentence in enumerate(encoded["overflow_to_sample_mapping"]):
        of_sentence[int(sentence)].append(window)
    runs = [_runs(encoded.word_ids(window)) for window in range(len(encoded["input_ids"]))]
    lengths = [len(ids) for ids in encoded["input_ids"]]
    return [_best(of_sentence[sentence], runs, lengths, word) for sentence, word in places]


def _runs(words: Sequence[int | None]) -> dict[int, tuple[int, int]]:
    """Return of each word in a window its first sub-word and the place behind its last."""
    runs: dict[int, tuple[int, int]] = {}
    for place, word in enumerate(words):
        if word is not None:
            runs[word] = (runs.get(word, (place, 0))[0], place + 1)
    return runs


def _best(
    own: Sequence[int], runs: Sequence[dict[int, tuple[int, int]]], lengths: Sequence[int], word: int
) -> Span | None:
    def merit(span: Span) -> tuple[int, float]:
        before = math.inf if span.window == own[0] else span.start
        behind = math.inf if span.window == own[-1] else lengths[span.window] - span.stop
        return span.stop - span.start, min(before, behind)

    standing = [Span(window, *runs[window][word]) for window in own if word in runs[window]]
    return max(standing, key=merit, default=None)

"""Split long sentences into overlapping windows, and find the window with the most context for each word."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hubscan.errors import CheckpointError


class Span(NamedTuple):
    """The sub-words of a word: their window, and the range [start, stop) of their positions in it."""

    window: int
    start: int
    stop: int


def windows(tokenizer: Any, sentences: Sequence[Sequence[str]], limit: int) -> Any:
    """Return the encoding of *sentences*, each in as many windows of at most *limit* tokens as it needs.

    A window shares half of its sub-words with the next one. A word at the edge of one window is therefore in
    the middle of another, and a word of up to half a window is complete in one.

    Raises:
        CheckpointError: if *limit* leaves no room for a sub-word next to the special tokens.
    """
    marks = tokenizer.num_special_tokens_to_add(pair=False)
    room = limit - marks
    if room < 1:
        raise CheckpointError(
            f"{limit} tokens are too few for a word: its tokenizer adds {marks} special tokens; "
            "raise --max-length"
        )
    return tokenizer(
        [list(words) for words in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=limit,
        stride=room // 2,
        return_overflowing_tokens=True,
    )


def spans(encoded: Any, places: Iterable[tuple[int, int]]) -> list[Span | None]:
    """Return where to read each word; None for a word that the tokenizer gave no token.

    Among the windows that contain the word, choose the one with most of its sub-words, and among those the
    one with the most context on its shorter side. An end of the sentence counts as unlimited context.

    Args:
        encoded: from `windows`.
        places: a sentence and the position of one of its words each.
    """
    of_sentence: dict[int, list[int]] = defaultdict(list)
    for window, sentence in enumerate(encoded["overflow_to_sample_mapping"]):
        of_sentence[int(sentence)].append(window)
    runs = [_runs(encoded.word_ids(window)) for window in range(len(encoded["input_ids"]))]
    lengths = [len(ids) for ids in encoded["input_ids"]]
    return [_best(of_sentence[sentence], runs, lengths, word) for sentence, word in places]


def _runs(words: Sequence[int | None]) -> dict[int, tuple[int, int]]:
    """Return, for each word in a window, the range [start, stop) of its sub-words."""
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

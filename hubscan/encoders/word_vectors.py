"""Encode the labelled words of sentences, each as the mean of its sub-words' states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.utils.rnn import pad_sequence

from hubscan.encoders.declared import declaration
from hubscan.encoders.pooling import choose_pooling, pool, pooled_layers
from hubscan.encoders.protocols import Batch, Pooled
from hubscan.encoders.static import is_static
from hubscan.encoders.tables import refuse_tokens_without_a_row
from hubscan.encoders.token_encoder import TokenEncoder
from hubscan.encoders.tokenizer import length_limit, load_tokenizer, padded
from hubscan.encoders.weights import load_errors, load_model
from hubscan.encoders.windows import Span, spans, windows
from hubscan.errors import CheckpointError
from hubscan.records import WORD_POOLINGS, EncodingRequest, Input, Precision

if TYPE_CHECKING:
    from hubscan.records import Rows

SUBWORDS: Final = "subwords"  # in a batch: (words, most sub-words) positions of tokens, -1 for none
NOWHERE: Final = -1


@dataclass(frozen=True)
class PreparedWords:
    """Token ids of each window that has a labelled word, and the positions of these words."""

    tokenizer: Any
    rows: list[dict[str, list[int]]]
    words: list[list[tuple[int, Span]]]  # for each window: the number of each labelled word, and its span
    width: int | None  # of every batch; None: each batch is padded to its longest row

    @property
    def lengths(self) -> Sequence[int]:
        """Return how many tokens of each window are read."""
        return [self.width or len(row["input_ids"]) for row in self.rows]

    def batch(self, rows: Sequence[int]) -> Batch:
        """Pad *rows* to the longest of them, and add the positions of their words' sub-words."""
        tokens = padded(self.tokenizer, [self.rows[row] for row in rows], self.width)
        width = tokens["input_ids"].shape[1]
        subwords = [
            torch.arange(span.start, span.stop) + place * width
            for place, row in enumerate(rows)
            for _, span in self.words[row]
        ]
        return tokens | {SUBWORDS: pad_sequence(subwords, batch_first=True, padding_value=NOWHERE)}

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the numbers of the words that are read in the windows *rows*."""
        return [number for row in rows for number, _ in self.words[row]]


@dataclass(frozen=True)
class WordEncoder(TokenEncoder):
    """A text checkpoint that reads words of sentences.

    The features of a word are the mean of the states of its sub-words; "max" and "last" are options.
    Fine-tuning usually takes only the first sub-word, and the model learns to collect the word there. A
    frozen model has not learnt that: the ending, which often determines the tag, comes last; in a decoder
    the first state does not depend on the others; and some tokenizers split so finely that the first piece
    is a letter.

    Every labelled word is read, so all checkpoints have the same rows:

    - A sentence longer than the limit is read in overlapping windows, each word in the one with most context.
    - A word longer than a window is read in the window with most of it, up to its end.
    - A word that the tokenizer gives no token (such as a lone control character) is read as the unknown
      token, because that is what it is to this checkpoint. A checkpoint without such a token is refused.
    """

    places: Rows  # (n, 2): an input, and one of its words

    @classmethod
    def load(cls, folder: Path, request: EncodingRequest, dtype: Precision, places: Rows) -> WordEncoder:
        """Return the encoder in *folder*, ignoring a pooling that it declares for whole texts.

        Raises:
            CheckpointError: if it cannot be used, or if its tokenizer does not map tokens to words.
        """
        pooling = choose_pooling(request.pooling, None, None)
        if pooling.name not in WORD_POOLINGS:
            raise CheckpointError(
                f"{pooling.name} pooling gives a vector for each text, not for each word; use --pooling mean"
            )
        if is_static(folder):
            raise CheckpointError(
                "static embeddings give a vector for each text, not for each word; choose another"
            )
        declared = declaration(folder)
        model, _ = load_model(declared.network, "text", dtype)
        tokenizer = load_tokenizer(declared.network, model, lower_case=declared.lower_case)
        if not tokenizer.is_fast:
            raise CheckpointError(
                "its tokenizer is not a fast one, so it does not map tokens to words; add its tokenizer.json"
            )
        tokenizer.truncation_side = "right"  # nothing is cut off; this puts windows in reading order
        limit = length_limit(model, tokenizer, request.max_length, declared.max_length)
        return cls(model, tokenizer, pooling, limit, request.layers, places)

    def prepare(self, inputs: Sequence[Input]) -> PreparedWords:
        """Tokenise every sentence once, and keep the windows in which labelled words are read."""
        with load_errors("its tokenizer cannot read the texts"):
            encoded, read = self._read([tuple(map(str, words)) for words in inputs])
        numbers = {window: row for row, window in enumerate(sorted({span.window for span in read}))}
        words: list[list[tuple[int, Span]]] = [[] for _ in numbers]
        for number, span in enumerate(read):
            words[numbers[span.window]].append((number, span))
        names = [name for name in encoded if name != "overflow_to_sample_mapping"]
        rows = [{name: encoded[name][window] for name in names} for window in numbers]
        refuse_tokens_without_a_row(self.model, self.tokenizer, rows)
        return PreparedWords(self.tokenizer, rows, words, self.width)

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers, (words, width) each."""
        tokens = {name: tensor for name, tensor in batch.items() if name != SUBWORDS}
        output = self.output(tokens)
        subwords = batch[SUBWORDS]
        there = (subwords != NOWHERE).long()

        def pooled(states: torch.Tensor, how: str) -> torch.Tensor:
            if states.shape[:2] != tokens["input_ids"].shape:
                raise CheckpointError(
                    "does not give a state for each token, so words have no features; choose another"
                )
            return pool(states.flatten(0, 1)[subwords.clamp(min=0)], there, how)

        return pooled_layers(output, self.layers, self.pooling, pooled)

    def _read(self, sentences: list[tuple[str, ...]]) -> tuple[Any, list[Span]]:
        """Return the windows, and the span of each labelled word in them."""
        joint = _joint(self.tokenizer)
        spaced = [[words[0], *(joint + word for word in words[1:])] for words in sentences]
        places = [(int(sentence), int(word)) for sentence, word in self.places]
        encoded = windows(self.tokenizer, spaced, self.max_length)
        located = spans(encoded, places)
        unread = [place for place, span in zip(places, located, strict=True) if span is None]
        if unread and self.tokenizer.unk_token is not None:
            for sentence, word in unread:
                spaced[sentence][word] = self.tokenizer.unk_token
            encoded = windows(self.tokenizer, spaced, self.max_length)
            located = spans(encoded, places)
        read = [span for span in located if span is not None]
        if len(read) < len(located):
            raise CheckpointError(
                f"its tokenizer gives {len(located) - len(read)} of the {len(located)} words no token, "
                "and has no unknown token; choose another checkpoint"
            )
        return encoded, read


def _joint(tokenizer: Any) -> str:
    """Return what to put before every word but the first, to tokenize words as in a text.

    Most tokenizers treat each word as if it followed a space. For a byte-level one, "Rome" continues the word
    before it, and only " Rome" begins a word.
    """
    text = tokenizer("in in", add_special_tokens=False)["input_ids"]
    for joint in ("", " "):
        words = [["in", joint + "in"]]
        if tokenizer(words, is_split_into_words=True, add_special_tokens=False)["input_ids"][0] == text:
            return joint
    return ""

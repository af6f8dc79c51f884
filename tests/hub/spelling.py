"""Make tiny checkpoints that spell: a word has as many tokens as letters, or bytes.

They are only for tests of the encoders, and are not on the Hub.
"""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    ByT5Tokenizer,
    GPT2Config,
    GPT2Model,
    PreTrainedTokenizerFast,
    T5Config,
    T5Model,
)

from tests.hub.checkpoints import SPECIAL, WIDTH

POSITIONS = 32


def letter_bert(folder: Path, types: int = 2, padding_side: str = "right") -> Path:
    """A BERT whose tokens are letters: one for the first letter of a word, one for later ones."""
    torch.manual_seed(0)
    pieces = (*SPECIAL, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase))
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        type_vocab_size=types,
    )
    BertModel(config).save_pretrained(folder)
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    BertTokenizer(vocab=vocabulary, model_max_length=POSITIONS, padding_side=padding_side).save_pretrained(
        folder
    )
    return folder


def byte_gpt(folder: Path) -> Path:
    """A decoder over bytes: no template for pairs, no unknown token, and a word starts with its space."""
    torch.manual_seed(0)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*letters, "<end>"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    config = GPT2Config(vocab_size=len(vocabulary), n_positions=64, n_embd=WIDTH, n_layer=2, n_head=4)
    GPT2Model(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", model_max_length=64
    ).save_pretrained(folder)
    return folder


def slow_t5(folder: Path) -> Path:
    """An encoder whose tokenizer is written in Python and does not report word boundaries."""
    torch.manual_seed(0)
    config = T5Config(vocab_size=384, d_model=WIDTH, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    T5Model(config).save_pretrained(folder)
    ByT5Tokenizer().save_pretrained(folder)
    return folder

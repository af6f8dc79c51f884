"""Convert text encoders from packages to folders for `AutoModel` and `AutoTokenizer`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from hubscan.demo.checkpoint import Facts, load_pickled, the_file, write_checkpoint, write_json
from hubscan.demo.graph import quantised_weights

TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)

# The architecture that MiniLM-L12 and its descendants share.
MINILM_L12: Final[Facts] = {
    "model_type": "bert",
    "dtype": "float32",
    "vocab_size": 30522,
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}

# A token of a reaction is an atom, a bond, a bracket or the number of a ring.
SMILES: Final = (
    r"\[[^\]]+]|Br?|Cl?|>>?|%[0-9]{2}|[NOSPFIbcnosp0-9()\.=#\-+\\/:~@?*$]"
)  # fmt: skip
SPECIAL: Final[Facts] = {
    f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")
}


def as_packed(source: Path, out: Path) -> Facts:
    """Use the files unchanged."""
    for path in source.iterdir():
        path.rename(out / path.name)
    return {}


def rounded_bert(source: Path, out: Path, architecture: str, labels: int = 0, pooling: str = "") -> Facts:
    """Make a BERT with the architecture of MiniLM-L12 from an int8 ONNX file; declare *pooling*, if any."""
    head = {"id2label": {str(i): f"LABEL_{i}" for i in range(labels)}} if labels else {}
    config = {"architectures": [architecture], **MINILM_L12, **head}
    write_checkpoint(out, config, quantised_weights(the_file(source, "*.onnx")))
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            (source / name).rename(out / name)
    if pooling:
        _declare_pooling(out, pooling, width=MINILM_L12["hidden_size"])
    return {}


def reaction_albert(source: Path, out: Path) -> Facts:
    """Make an ALBERT that reads chemical reactions, with all weights of its pickle."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    write_checkpoint(out, config, load_pickled(source / "pytorch_model.bin"))
    words = (source / "vocab.txt").read_text(encoding="utf-8").split()
    _write_reaction_tokenizer(out, words, config["max_position_embeddings"])
    return {}


def _write_reaction_tokenizer(out: Path, words: list[str], longest: int) -> None:
    """Write a tokenizer that, like that of the package, drops everything but tokens of reactions."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    ids = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(SMILES), "removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(word, ids[word]) for word in ("[CLS]", "[SEP]")],
    )
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    tokenizer.save(str(out / "tokenizer.json"))
    declared = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": longest,
        **SPECIAL,
    }
    write_json(out / "tokenizer_config.json", declared)


def _declare_pooling(out: Path, mode: str, width: int) -> None:
    """Write the three files in which sentence-transformers declares the pooling."""
    steps = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{step}"}
        for i, (path, step) in enumerate(steps.items())
    ]
    modes = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens"}
    chosen = {f"pooling_mode_{name}": key == mode for key, name in modes.items()}
    write_json(out / "modules.json", modules)
    write_json(out / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **chosen})
    write_json(out / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": True})

"""How many rows per second does hubscan read on a GPU, compared with the CPU of the same machine?

    python benchmarks/gpu.py

Encoders of common shapes with random weights, made by the script: speed does not depend on what a network has
learned, and no download is needed. The table shows rows per second in one extraction after a warm-up, in
float32 and, on the GPU, also in bfloat16, which hubscan uses there for checkpoints that are stored in it.
Without a GPU only the CPU is measured. Images are JPEG files, so decoding and resizing count; texts are
tokenised beforehand.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tables import print_table
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

from hubscan import encoders
from hubscan.extract import extract
from hubscan.records import Input, Modality, Precision

SHAPES = {"small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
WORDS = [f"w{number}" for number in range(1000)]
ROWS = {"cpu": 32, "auto": 2000}
COLUMNS: list[tuple[str, str, Precision]] = [
    ("CPU", "cpu", "float32"),
    ("GPU", "auto", "float32"),
    ("GPU, bfloat16", "auto", "bfloat16"),
]


def main() -> None:
    """Print the table."""
    columns = COLUMNS if torch.cuda.is_available() else COLUMNS[:1]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"Rows per second ({gpu}; {os.cpu_count()} CPU cores)\n")
    lines = (line(modality, name, columns) for modality in MAKERS for name in SHAPES)
    print_table(["", "parameters", *(title for title, _, _ in columns)], lines)


def line(modality: Modality, name: str, columns: Sequence[tuple[str, str, Precision]]) -> list[str]:
    """Return the line of one encoder."""
    with tempfile.TemporaryDirectory() as folder:
        MAKERS[modality](Path(folder), *SHAPES[name])
        found = [speed(Path(folder), modality, device, dtype) for _, device, dtype in columns]
    speeds = [f"{one:.1f}" if one < 10 else f"{one:,.0f}" for one, _ in found]
    return [f"{modality}, {name}", f"{found[0][1] / 1e6:.0f} M", *speeds]


def speed(folder: Path, modality: Modality, device: str, dtype: Precision) -> tuple[float, int]:
    """Return rows per second (texts of 20 to 400 words, images of 256 × 256 pixels) and parameters."""
    rows = texts(ROWS[device]) if modality == "text" else images(ROWS[device])
    encoder = encoders.load(folder, modality, dtype=dtype)
    extract(encoder, rows[:16], device)
    found = extract(encoder, rows, device)
    return found.rows_per_second, found.parameters


def texts(count: int) -> Sequence[Input]:
    """Return *count* texts of different lengths."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(20, 400))) for _ in range(count)]


def images(count: int) -> Sequence[Input]:
    """Return *count* JPEG files, sixteen different ones."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(16):
        stored = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)).save(stored, "JPEG")
        files.append(stored.getvalue())
    return [files[i % 16] for i in range(count)]


def bert(folder: Path, width: int, layers: int, heads: int) -> None:
    """Save a BERT with the vocabulary WORDS."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*special, *WORDS])}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {f"{name.strip('[]').lower()}_token": name for name in special}
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=512, **names).save_pretrained(folder)
    shape: dict[str, Any] = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    BertModel(BertConfig(**shape, intermediate_size=4 * width)).save_pretrained(folder)


def vit(folder: Path, width: int, layers: int, heads: int) -> None:
    """Save a ViT for images of 224 × 224 pixels in patches of 16."""
    ViTImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(folder)
    shape: dict[str, Any] = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    ViTModel(ViTConfig(**shape, intermediate_size=4 * width)).save_pretrained(folder)


MAKERS: dict[Modality, Callable[..., None]] = {"text": bert, "image": vit}

if __name__ == "__main__":
    main()

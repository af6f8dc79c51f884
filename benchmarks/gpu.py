"""How fast features come on a GPU, beside the CPU of the same machine.

    python benchmarks/gpu.py

Encoders of the usual shapes with random weights, made on the spot: speed does not depend on what a
network has learnt, and nothing has to be brought along. Rows a second in one extraction of each,
after a warm-up, in float32 and, on the GPU, in bfloat16 as well, which is what a checkpoint that was
stored in it computes in there; on a machine without a GPU the CPU column alone. Pictures come as JPEG
files, so what it takes to decode and resize them counts; texts are cut into tokens before.
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
    ("GPU, bf16", "auto", "bfloat16"),
]


def main() -> None:
    """Print the table."""
    makers: dict[Modality, Callable[..., None]] = {"text": bert, "image": vit}
    columns = COLUMNS if torch.cuda.is_available() else COLUMNS[:1]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    titles = "".join(f"{title:>12}" for title, _, _ in columns)
    print(f"{'rows/s':16}{'parameters':>12}{titles}   ({gpu}; {os.cpu_count()} CPU cores)")
    for modality, make in makers.items():
        for name, shape in SHAPES.items():
            with tempfile.TemporaryDirectory() as folder:
                make(Path(folder), *shape)
                found = [speed(Path(folder), modality, device, dtype) for _, device, dtype in columns]
            cells = "".join(f"{rows_per_second:12.1f}" for rows_per_second, _ in found)
            print(f"{modality + ' ' + name:16}{found[0][1] / 1e6:10.1f} M{cells}", flush=True)


def speed(folder: Path, modality: Modality, device: str, dtype: Precision) -> tuple[float, int]:
    """Return rows a second, of texts of 20 to 400 words or pictures of 256 × 256, and parameters."""
    rows = texts(ROWS[device]) if modality == "text" else pictures(ROWS[device])
    encoder = encoders.load(folder, modality, dtype=dtype)
    extract(encoder, rows[:16], device)
    found = extract(encoder, rows, device)
    return found.rows_per_second, found.parameters


def texts(count: int) -> Sequence[Input]:
    """Return *count* texts of differing lengths."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(20, 400))) for _ in range(count)]


def pictures(count: int) -> Sequence[Input]:
    """Return *count* JPEG files, of which sixteen differ."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(16):
        stored = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)).save(stored, "JPEG")
        files.append(stored.getvalue())
    return [files[i % 16] for i in range(count)]


def bert(folder: Path, width: int, layers: int, heads: int) -> None:
    """Save a BERT with a vocabulary of WORDS."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*special, *WORDS])}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {f"{name.strip('[]').lower()}_token": name for name in special}
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=512, **names).save_pretrained(folder)
    shape: dict[str, Any] = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    BertModel(BertConfig(**shape, intermediate_size=4 * width)).save_pretrained(folder)


def vit(folder: Path, width: int, layers: int, heads: int) -> None:
    """Save a ViT for pictures of 224 × 224 in patches of 16."""
    ViTImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(folder)
    shape: dict[str, Any] = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    ViTModel(ViTConfig(**shape, intermediate_size=4 * width)).save_pretrained(folder)


if __name__ == "__main__":
    main()

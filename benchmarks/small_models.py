"""Pretrain a pool of small checkpoints that differ in ways we know, for `fine_tuned.py` to fine-tune.

    python benchmarks/small_models.py ROOT --teachers ZOO  # continues where it was interrupted
    python benchmarks/small_models.py ROOT --teachers ZOO --only image  # so that two processes share the work

*ROOT* contains `datasets/<org>/<name>` as for `features.py`. The script writes ordinary transformers
checkpoints with a card to `ROOT/models/pool/<name>`:

- BERTs of 2 and 4 layers, pretrained on masked words, on the labels of texts, or on a teacher's vectors;
- ResNets, ConvNeXts and ViTs for images of 32 × 32 pixels, pretrained on labels, on rotations ("turns" in
  names; Gidaris et al., ICLR 2018, arXiv 1803.07728), on hidden patches, or on a teacher's vectors (FitNets,
  Romero et al., ICLR 2015, arXiv 1412.6550).

Teachers are real checkpoints in `ZOO/models/<org>/<name>`. A checkpoint's name says its family, depth and
width, objective, source, and the percentage of the training steps that it has seen.

The checkpoints differ as those in the TransRate paper do (Huang et al., ICML 2022, arXiv 2106.09362): in
source, objective, size, architecture and stage of training. Rows in the samples of `fine_tuned.py` and
`features.py` are left out, so no checkpoint has seen a row of its targets with its label. The emoji are
sampled completely; therefore they are only used without labels.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow.parquet as pq
import torch
from features import datasets
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertModel,
    ConvNextConfig,
    ConvNextModel,
    PreTrainedTokenizerFast,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from hubscan import encoders
from hubscan.extract import extract
from hubscan.media.images import decode
from hubscan.records import EncodingRequest, SampleRequest
from hubscan.sample import draw

Kind = Literal["text", "image"]
Objective = Literal["untrained", "words", "labels", "turns", "patches", "distilled"]

SAMPLED: Final = ((0, 2_000), (1, 2_400))  # seed and rows of the samples for scoring and for fine-tuning
UNLABELLED: Final = "emoji"  # sampled completely, names and images
TEACHERS: Final[dict[Kind, str]] = {"text": "all-MiniLM-L6-v2", "image": "efficientnet_lite0"}
DISTILLED_ROWS: Final[dict[Kind, int]] = {"text": 6_000, "image": 3_000}  # per source
TEXTS: Final = ("imdb", "rotten_tomatoes", "spam_assassin", "shop_reviews")
LABELLED: Final = ("imdb", "rotten_tomatoes", "shop_reviews")  # spam_assassin has hardly a row left
IMAGES: Final = ("fashion_mnist", "mnist_10k", UNLABELLED)
MOST_ROWS: Final[dict[Kind, int]] = {"text": 25_000, "image": 8_000}  # per source
VOCABULARY_ROWS: Final = 8_000  # per source
TOKENS: Final = 32
CHUNKS: Final = 6  # per text, at most
CHARACTERS: Final = 1_000  # enough for those chunks
VOCABULARY: Final = 6_000
SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIDE: Final = 32
PATCH: Final = 8
HIDDEN: Final = {"words": 0.15, "patches": 0.5}  # share of tokens or patches
ROTATIONS: Final = 4  # by multiples of 90°
RATE: Final = 1e-3
BATCH: Final[dict[Kind, int]] = {"text": 32, "image": 64}


@dataclass(frozen=True)
class Pretraining:
    """How to pretrain one network; each of its stages becomes a checkpoint."""

    family: Literal["bert", "resnet", "convnext", "vit"]
    depth: int
    width: int  # of the last layer
    objective: Objective
    sources: tuple[str, ...] = ()
    steps: int = 0
    stages: tuple[int, ...] = (100,)  # percentages of the steps

    @property
    def kind(self) -> Kind:
        """The modality of the network."""
        return "text" if self.family == "bert" else "image"

    def name(self, stage: int) -> str:
        """Return the name of the checkpoint after *stage* percent of the steps."""
        if self.objective == "untrained":
            return f"{self.family}-{self.depth}x{self.width}-untrained"
        source = "mix" if len(self.sources) > 1 else self.sources[0].partition("_")[0]
        return f"{self.family}-{self.depth}x{self.width}-{self.objective}-{source}-{stage:03}"


def _for_texts() -> Iterator[Pretraining]:
    words = Pretraining("bert", 2, 64, "words", ("imdb",), 1_500)
    labels = Pretraining("bert", 2, 64, "labels", ("imdb",), 3_000, (3, 10, 30, 100))
    shorter = replace(labels, steps=1_500, stages=(100,))
    yield replace(words, objective="untrained", stages=(0,))
    yield replace(words, objective="untrained", stages=(0,), width=128)
    yield words
    yield replace(words, sources=("spam_assassin",))
    yield replace(words, sources=("shop_reviews",))
    yield replace(words, sources=TEXTS, steps=3_000, stages=(10, 100))
    yield labels
    yield replace(shorter, sources=("rotten_tomatoes",), steps=600)
    yield replace(labels, sources=("spam_assassin",), steps=300, stages=(10, 30, 100))
    yield replace(shorter, sources=("spam_assassin",), steps=300, width=128)
    yield replace(shorter, sources=("shop_reviews",), stages=(10, 100))
    yield replace(shorter, width=128)
    yield replace(shorter, sources=LABELLED, width=128, steps=3_000, stages=(30, 100))
    yield replace(shorter, depth=4)
    yield replace(shorter, width=32)
    distilled = Pretraining("bert", 2, 64, "distilled", (*TEXTS, UNLABELLED), 3_000, (10, 30, 100))
    yield distilled
    yield replace(distilled, width=128, stages=(100,))
    yield replace(distilled, depth=4, stages=(100,))
    yield replace(distilled, sources=("imdb",), steps=1_500, stages=(100,))
    yield replace(distilled, sources=(UNLABELLED,), steps=1_000, stages=(100,))
    yield replace(distilled, sources=(UNLABELLED,), width=128, stages=(30, 100))


def _for_images() -> Iterator[Pretraining]:
    usual = Pretraining("resnet", 3, 64, "labels", ("fashion_mnist",), 1_000, (10, 30, 100))
    wide = replace(usual, width=128, steps=500, stages=(100,))
    vit = Pretraining("vit", 3, 64, "labels", ("fashion_mnist",), 800, (30, 100))
    convnext = Pretraining("convnext", 3, 96, "labels", ("fashion_mnist",), 500)
    for one in (usual, wide, vit):
        yield replace(one, objective="untrained", stages=(0,))
    yield from (usual, wide, vit, convnext)
    yield replace(usual, sources=("mnist_10k",), steps=500, stages=(10, 100))
    yield replace(usual, objective="turns", sources=("emoji",), steps=500, stages=(100,))
    yield replace(usual, objective="turns", steps=500, stages=(100,))
    yield replace(wide, sources=("fashion_mnist", "mnist_10k"))
    yield replace(vit, objective="turns", sources=("emoji",), stages=(100,))
    yield replace(vit, objective="patches", sources=IMAGES, stages=(100,))
    yield replace(convnext, sources=("mnist_10k",))
    distilled = replace(usual, objective="distilled", sources=(UNLABELLED,), stages=(30, 100))
    yield distilled
    yield replace(distilled, sources=("fashion_mnist",), stages=(100,))
    yield replace(distilled, width=128, steps=500, stages=(100,))
    yield replace(vit, objective="distilled", sources=(UNLABELLED,), stages=(100,))
    yield replace(convnext, objective="distilled", sources=IMAGES)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pretrain a pool of small checkpoints.")
    parser.add_argument(
        "root", type=Path, help="contains datasets/<org>/<name>; the script writes models/pool"
    )
    parser.add_argument("--teachers", type=Path, required=True, help="contains models/<org>/<name>")
    parser.add_argument("--only", choices=("text", "image"), help="pretrain for this modality only")
    asked = parser.parse_args()
    torch.set_flush_denormal(True)
    pool = {"text": _for_texts, "image": _for_images}
    for kind in (asked.only,) if asked.only else pool:
        for plan in pool[kind]():
            pretrain(plan, asked.root, asked.teachers)


# -- pretraining ----------------------------------------------------------------------------------


def pretrain(plan: Pretraining, root: Path, teachers: Path) -> None:
    """Pretrain a network and write its stages, unless all of them exist."""
    finished = {stage: root / "models" / "pool" / plan.name(stage) for stage in plan.stages}
    if all(folder.exists() for folder in finished.values()):
        return
    begun = time.perf_counter()
    seed = zlib.crc32(plan.name(100).encode())
    torch.manual_seed(seed)
    network = _network(plan)
    if plan.objective == "untrained":
        _write(network, plan, 0, 0, finished[0], root)
        return
    task = _task(plan, network, root, teachers)
    losses = []
    due = {plan.steps * stage // 100: folder for stage, folder in finished.items()}
    for step, loss in enumerate(_steps(plan, network, task, np.random.default_rng(seed)), 1):
        losses.append(loss)
        if step in due and not due[step].exists():
            network.eval()
            _write(network, plan, 100 * step // plan.steps, step, due[step], root)
            network.train()
    print(f"{plan.name(100):44} loss {np.mean(losses[:20]):.2f} to {np.mean(losses[-20:]):.2f}, "
          f"{time.perf_counter() - begun:.0f} s", flush=True)  # fmt: skip


@dataclass
class Task:
    """A head to train, the number of rows, and the loss for some of them."""

    head: nn.Module
    rows: int
    loss: Callable[[torch.Tensor, np.random.Generator], torch.Tensor]


def _steps(plan: Pretraining, network: nn.Module, task: Task, rng: np.random.Generator) -> Iterator[float]:
    weights = [*network.parameters(), *task.head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
    warmed = torch.optim.lr_scheduler.LinearLR(optimiser, 0.05, total_iters=plan.steps // 10)
    network.train()
    for _ in range(plan.steps):
        rows = torch.from_numpy(rng.integers(0, task.rows, BATCH[plan.kind]))
        optimiser.zero_grad()
        loss = task.loss(rows, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        warmed.step()
        yield float(loss.detach())


def _task(plan: Pretraining, network: Any, root: Path, teachers: Path) -> Task:
    if plan.objective == "distilled":
        return _distilled(plan, network, root, teachers)
    tasks = {"words": _words, "labels": _labels, "turns": _rotations, "patches": _patches}
    return tasks[plan.objective](plan, network, root)


def _labels(plan: Pretraining, network: Any, root: Path) -> Task:
    """Predict the classes of all sources from the vector that hubscan reads: mean, class token or pooler."""
    inputs, labels = _labelled(plan, root)
    head = nn.Linear(plan.width, int(labels.max()) + 1)

    def loss(rows: torch.Tensor, _: np.random.Generator) -> torch.Tensor:
        return functional.cross_entropy(head(_vectors(plan, network, inputs[rows])), labels[rows])

    return Task(head, len(labels), loss)


def _rotations(plan: Pretraining, network: Any, root: Path) -> Task:
    """Predict by which multiple of 90° an image is rotated."""
    images, _ = _labelled(plan, root)
    head = nn.Linear(plan.width, ROTATIONS)

    def loss(rows: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        quarters = torch.from_numpy(rng.integers(0, ROTATIONS, len(rows)))
        rotated = torch.stack([
            torch.rot90(images[row], int(times), (1, 2)) for row, times in zip(rows, quarters, strict=True)
        ])  # fmt: skip
        return functional.cross_entropy(head(_vectors(plan, network, rotated)), quarters)

    return Task(head, len(images), loss)


def _patches(plan: Pretraining, network: Any, root: Path) -> Task:
    """Predict the pixels of patches that were made grey."""
    images, _ = _labelled(plan, root)
    head = nn.Linear(plan.width, 3 * PATCH * PATCH)

    def loss(rows: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        given = images[rows]
        side = SIDE // PATCH
        hidden = torch.from_numpy(rng.random((len(rows), side, side)) < HIDDEN["patches"])
        seen = given.masked_fill(hidden.repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)[:, None], 0.0)
        states = network(pixel_values=seen).last_hidden_state[:, 1:]
        wanted = functional.unfold(given, PATCH, stride=PATCH).transpose(1, 2)
        masked = hidden.flatten(1)
        return functional.mse_loss(head(states[masked]), wanted[masked])

    return Task(head, len(images), loss)


def _words(plan: Pretraining, network: Any, root: Path) -> Task:
    """Predict hidden tokens: of ten, eight are masked, one is replaced and one is kept, as in BERT."""
    chunks = torch.cat([_tensor(root, source, "text") for source in plan.sources])
    head = nn.Sequential(nn.Linear(plan.width, plan.width), nn.GELU(), nn.LayerNorm(plan.width))
    table = network.embeddings.word_embeddings.weight

    def loss(rows: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        wanted = chunks[rows]
        chance = torch.from_numpy(rng.random(wanted.shape))
        chosen = (wanted >= len(SPECIAL)) & (chance < HIDDEN["words"])
        given = wanted.masked_fill(chosen & (chance < 0.8 * HIDDEN["words"]), SPECIAL.index("[MASK]"))
        other = torch.from_numpy(rng.integers(len(SPECIAL), VOCABULARY, wanted.shape))
        given = torch.where(chosen & (chance > 0.9 * HIDDEN["words"]), other, given)
        states = network(input_ids=given, attention_mask=(wanted != 0).long()).last_hidden_state
        return functional.cross_entropy(head(states[chosen]) @ table.T, wanted[chosen])

    return Task(head, len(chunks), loss)


def _distilled(plan: Pretraining, network: Any, root: Path, teachers: Path) -> Task:
    """Predict the vectors of a real checkpoint for the same rows, each dimension scaled to variance 1."""
    most = DISTILLED_ROWS[plan.kind]
    inputs = torch.cat([_tensor(root, source, plan.kind)[:most] for source in plan.sources])
    wanted = torch.cat([_teacher_vectors(root, teachers, source, plan.kind) for source in plan.sources])
    wanted = (wanted - wanted.mean(0)) / wanted.std(0).clamp(min=1e-6)
    head = nn.Linear(plan.width, wanted.shape[1])

    def loss(rows: torch.Tensor, _: np.random.Generator) -> torch.Tensor:
        return functional.mse_loss(head(_vectors(plan, network, inputs[rows])), wanted[rows])

    return Task(head, len(inputs), loss)


def _vectors(plan: Pretraining, network: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Return (rows, width) as hubscan pools the family."""
    if plan.family == "bert":
        tokens = (inputs != 0).long()
        states = network(input_ids=inputs, attention_mask=tokens).last_hidden_state
        mean: torch.Tensor = (states * tokens[..., None]).sum(1) / tokens.sum(1, keepdim=True)
        return mean
    output = network(pixel_values=inputs)
    if plan.family == "convnext":
        pooled: torch.Tensor = output.pooler_output
        return pooled
    states = output.last_hidden_state
    one: torch.Tensor = states[:, 0] if plan.family == "vit" else states.mean((2, 3))
    return one


# -- networks -------------------------------------------------------------------------------------


def _network(plan: Pretraining) -> Any:
    d = plan.width
    common: dict[str, Any] = {
        "hidden_size": d,
        "num_hidden_layers": plan.depth,
        "num_attention_heads": d // 32,
        "intermediate_size": 2 * d,
    }
    if plan.family == "bert":
        config = BertConfig(vocab_size=VOCABULARY, max_position_embeddings=TOKENS, **common)
        return BertModel(config, add_pooling_layer=False)
    if plan.family == "vit":
        return ViTModel(ViTConfig(image_size=SIDE, patch_size=PATCH, **common), add_pooling_layer=False)
    widths = [d >> (plan.depth - 1 - stage) for stage in range(plan.depth)]
    depths = [1] * plan.depth
    if plan.family == "convnext":
        return ConvNextModel(
            ConvNextConfig(
                num_stages=plan.depth, hidden_sizes=widths, depths=depths, patch_size=4, image_size=SIDE
            )
        )
    return ResNetModel(
        ResNetConfig(embedding_size=widths[0], hidden_sizes=widths, depths=depths, layer_type="basic")
    )


def _write(network: Any, plan: Pretraining, stage: int, step: int, folder: Path, root: Path) -> None:
    """Write the checkpoint to a temporary folder, then rename it."""
    partial = folder.parents[2] / ".partial" / folder.name
    partial.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(partial)
    (_tokenizer(root) if plan.kind == "text" else _processor()).save_pretrained(partial)
    (partial / "README.md").write_text(_card(plan, stage, step, folder.name))
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(folder)


def _card(plan: Pretraining, stage: int, step: int, name: str) -> str:
    return f"""---
library_name: transformers
license: other
---
# {name}

Made by hubscan's `benchmarks/small_models.py` to test rankings; it has no other use.

```
source: {", ".join(plan.sources) if step else "none"}
objective: {plan.objective}
steps: {step} of {BATCH[plan.kind]} rows, {stage} % of {plan.steps if step else 0}
```
"""


# -- data -----------------------------------------------------------------------------------------


@cache
def _rows(root: Path, name: str, kind: Kind) -> tuple[list[Any], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return at most `MOST_ROWS` rows of a source in random order, without those in the samples."""
    (folder,) = datasets(root, [name])
    file = next(iter(sorted(folder.glob("**/train-*.parquet"))))
    table = pq.read_table(file, columns=[kind, "label"])
    left = np.random.default_rng(0).permutation(len(table))
    if name != UNLABELLED:
        sampled = [draw(SampleRequest(str(folder), samples=n, seed=seed)).row_ids for seed, n in SAMPLED]
        left = left[~np.isin(left, np.concatenate(sampled))]
    chosen = table.take(left[: MOST_ROWS[kind]])
    values = chosen[kind].to_pylist()
    if kind == "image":
        values = [value["bytes"] for value in values]
    return values, chosen["label"].to_numpy().astype(np.int64)


@cache
def _tensor(root: Path, name: str, kind: Kind) -> torch.Tensor:
    """Return the tokens of each chunk of the texts, or the pixels of each image."""
    if kind == "text":
        return _chunks(root, name)[0]
    images = [decode(value) for value in _rows(root, name, kind)[0]]
    return _processor()(images, return_tensors="pt")["pixel_values"]  # type: ignore[no-any-return]


@cache
def _teacher_vectors(root: Path, teachers: Path, name: str, kind: Kind) -> torch.Tensor:
    """Return the teacher's vectors for the first `DISTILLED_ROWS` chunks or images of a source, (rows, d)."""
    most = DISTILLED_ROWS[kind]
    if kind == "text":
        inputs = _tokenizer(root).batch_decode(_tensor(root, name, kind)[:most], skip_special_tokens=True)
    else:
        inputs = _rows(root, name, kind)[0][:most]
    (folder,) = (teachers / "models").glob(f"*/{TEACHERS[kind]}")
    return torch.from_numpy(
        extract(encoders.load(folder, kind, EncodingRequest(max_length=TOKENS)), inputs).matrix
    )


def _labelled(plan: Pretraining, root: Path) -> tuple[torch.Tensor, torch.Tensor]:
    if plan.objective == "labels" and UNLABELLED in plan.sources:
        raise ValueError(f"{UNLABELLED} is sampled completely, so its labels are not for pretraining")
    labels, first = [], 0
    for source in plan.sources:
        own = torch.from_numpy(_rows(root, source, plan.kind)[1])
        if plan.kind == "text":
            own = own[_chunks(root, source)[1]]  # a chunk has the label of its text
        labels.append(own + first)
        first += int(own.max()) + 1
    inputs = [_tensor(root, source, plan.kind) for source in plan.sources]
    return torch.cat(inputs), torch.cat(labels)


@cache
def _chunks(root: Path, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return chunks of texts, each as the tokenizer returns it, and the text that each belongs to."""
    cls, sep, pad = (SPECIAL.index(word) for word in ("[CLS]", "[SEP]", "[PAD]"))
    texts = [text[:CHARACTERS] for text in _rows(root, name, "text")[0]]
    found, owners = [], []
    for owner, ids in enumerate(_tokenizer(root)(texts, add_special_tokens=False)["input_ids"]):
        for start in range(0, min(len(ids), CHUNKS * (TOKENS - 2)), TOKENS - 2):
            chunk = [cls, *ids[start : start + TOKENS - 2], sep]
            found.append(chunk + [pad] * (TOKENS - len(chunk)))
            owners.append(owner)
    return torch.tensor(found), torch.tensor(owners)


@cache
def _tokenizer(root: Path) -> PreTrainedTokenizerFast:
    """Return the tokenizer that all checkpoints share, with word pieces of all sources."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL), limit_alphabet=2_500, show_progress=False
    )
    rows = (text for name in TEXTS for text in _rows(root, name, "text")[0][:VOCABULARY_ROWS])
    tokenizer.train_from_iterator((text[:CHARACTERS] for text in rows), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(word, SPECIAL.index(word)) for word in ("[CLS]", "[SEP]")],
    )
    roles = {f"{word.strip('[]').lower()}_token": word for word in SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=TOKENS, **roles)


def _processor() -> ViTImageProcessor:
    return ViTImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5]
    )


if __name__ == "__main__":
    main()

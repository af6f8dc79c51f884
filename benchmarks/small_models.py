"""Small encoders brought up for the truth: what they have seen, how long and how large they are is known.

    python benchmarks/small_models.py ROOT --teachers ZOO  # minutes; goes on where it was cut off
    python benchmarks/small_models.py ROOT --teachers ZOO --only image  # one kind: two processes share it

*ROOT* holds `datasets/<org>/<name>` as for `features.py`; there comes out `ROOT/models/nursery/<name>`, an
ordinary checkpoint of transformers with a card: BERTs of 2 and 4 layers by masked words, by the labels of
texts or by the vectors of a teacher; ResNets, ConvNeXts and ViTs of 32 × 32 pixels by labels, by the turn of
a picture (Gidaris et al., ICLR 2018, arXiv 1803.07728), by hidden patches or by a teacher, too (FitNets,
Romero et al., ICLR 2015, arXiv 1412.6550). Teachers are real checkpoints, `ZOO/models/<org>/<name>`. The name
says which: family, depth and width, objective, source, and the share of the steps that was done, in per cent.

They differ as the encoders do that TransRate was tried on (Huang et al., ICML 2022, arXiv 2106.09362): in
source, objective, size, architecture and stage. Rows that `fine_tuned.py` and `features.py` draw are left out
so that no target's row was seen with its label. The emoji are all drawn; they are learnt from without labels.
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

DRAWN: Final = ((0, 2_000), (1, 2_400))  # seed and rows of what is scored, and of what is fine-tuned on
UNLABELLED: Final = "emoji"  # drawn whole, names and pictures
TEACHERS: Final[dict[Kind, str]] = {"text": "all-MiniLM-L6-v2", "image": "efficientnet_lite0"}
TAUGHT_ROWS: Final[dict[Kind, int]] = {"text": 6_000, "image": 3_000}  # of a source
TEXTS: Final = ("imdb", "rotten_tomatoes", "spam_assassin", "shop_reviews")
LABELLED: Final = ("imdb", "rotten_tomatoes", "shop_reviews")  # spam has hardly a row left
PICTURES: Final = ("fashion_mnist", "mnist_10k", UNLABELLED)
MOST_ROWS: Final[dict[Kind, int]] = {"text": 25_000, "image": 8_000}  # of a source
VOCABULARY_ROWS: Final = 8_000  # of a source
TOKENS: Final = 32
CHUNKS: Final = 6  # of a long text
CHARACTERS: Final = 1_000  # enough for those chunks
VOCABULARY: Final = 6_000
SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIDE: Final = 32
PATCH: Final = 8
HIDDEN: Final = {"words": 0.15, "patches": 0.5}  # share of the tokens and of the patches
TURNS: Final = 4
RATE: Final = 1e-3
BATCH: Final[dict[Kind, int]] = {"text": 32, "image": 64}


@dataclass(frozen=True)
class Pupil:
    """One course of training; each of its stages is a checkpoint."""

    family: Literal["bert", "resnet", "convnext", "vit"]
    depth: int
    width: int  # of the last layer
    objective: Objective
    sources: tuple[str, ...] = ()
    steps: int = 0
    stages: tuple[int, ...] = (100,)  # per cent of the steps

    @property
    def kind(self) -> Kind:
        """What it reads."""
        return "text" if self.family == "bert" else "image"

    def name(self, stage: int) -> str:
        """Return the checkpoint's name after *stage* per cent of the steps."""
        if self.objective == "untrained":
            return f"{self.family}-{self.depth}x{self.width}-untrained"
        source = "mix" if len(self.sources) > 1 else self.sources[0].partition("_")[0]
        return f"{self.family}-{self.depth}x{self.width}-{self.objective}-{source}-{stage:03}"


def _text_pupils() -> Iterator[Pupil]:
    words = Pupil("bert", 2, 64, "words", ("imdb",), 1_500)
    labels = Pupil("bert", 2, 64, "labels", ("imdb",), 3_000, (3, 10, 30, 100))
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
    distilled = Pupil("bert", 2, 64, "distilled", (*TEXTS, UNLABELLED), 3_000, (10, 30, 100))
    yield distilled
    yield replace(distilled, width=128, stages=(100,))
    yield replace(distilled, depth=4, stages=(100,))
    yield replace(distilled, sources=("imdb",), steps=1_500, stages=(100,))
    yield replace(distilled, sources=(UNLABELLED,), steps=1_000, stages=(100,))
    yield replace(distilled, sources=(UNLABELLED,), width=128, stages=(30, 100))


def _image_pupils() -> Iterator[Pupil]:
    usual = Pupil("resnet", 3, 64, "labels", ("fashion_mnist",), 1_000, (10, 30, 100))
    wide = replace(usual, width=128, steps=500, stages=(100,))
    vit = Pupil("vit", 3, 64, "labels", ("fashion_mnist",), 800, (30, 100))
    convnext = Pupil("convnext", 3, 96, "labels", ("fashion_mnist",), 500)
    for one in (usual, wide, vit):
        yield replace(one, objective="untrained", stages=(0,))
    yield from (usual, wide, vit, convnext)
    yield replace(usual, sources=("mnist_10k",), steps=500, stages=(10, 100))
    yield replace(usual, objective="turns", sources=("emoji",), steps=500, stages=(100,))
    yield replace(usual, objective="turns", steps=500, stages=(100,))
    yield replace(wide, sources=("fashion_mnist", "mnist_10k"))
    yield replace(vit, objective="turns", sources=("emoji",), stages=(100,))
    yield replace(vit, objective="patches", sources=PICTURES, stages=(100,))
    yield replace(convnext, sources=("mnist_10k",))
    distilled = replace(usual, objective="distilled", sources=(UNLABELLED,), stages=(30, 100))
    yield distilled
    yield replace(distilled, sources=("fashion_mnist",), stages=(100,))
    yield replace(distilled, width=128, steps=500, stages=(100,))
    yield replace(vit, objective="distilled", sources=(UNLABELLED,), stages=(100,))
    yield replace(convnext, objective="distilled", sources=PICTURES)


def main() -> None:
    parser = argparse.ArgumentParser(description="Small encoders of known upbringing.")
    parser.add_argument("root", type=Path, help="holds datasets/<org>/<name>; models/nursery is made")
    parser.add_argument("--teachers", type=Path, required=True, help="holds models/<org>/<name>")
    parser.add_argument("--only", choices=("text", "image"), help="one kind")
    asked = parser.parse_args()
    torch.set_flush_denormal(True)
    pupils = {"text": _text_pupils, "image": _image_pupils}
    for kind in (asked.only,) if asked.only else pupils:
        for pupil in pupils[kind]():
            bring_up(pupil, asked.root, asked.teachers)


# -- training -------------------------------------------------------------------------------------


def bring_up(pupil: Pupil, root: Path, teachers: Path) -> None:
    """Train *pupil* and write its stages, unless they are all there."""
    finished = {stage: root / "models" / "nursery" / pupil.name(stage) for stage in pupil.stages}
    if all(folder.exists() for folder in finished.values()):
        return
    begun = time.perf_counter()
    seed = zlib.crc32(pupil.name(100).encode())
    torch.manual_seed(seed)
    network = _network(pupil)
    if pupil.objective == "untrained":
        _write(network, pupil, 0, 0, finished[0], root)
        return
    task = _task(pupil, network, root, teachers)
    losses = []
    due = {pupil.steps * stage // 100: folder for stage, folder in finished.items()}
    for step, loss in enumerate(_steps(pupil, network, task, np.random.default_rng(seed)), 1):
        losses.append(loss)
        if step in due and not due[step].exists():
            network.eval()
            _write(network, pupil, 100 * step // pupil.steps, step, due[step], root)
            network.train()
    print(f"{pupil.name(100):44} loss {np.mean(losses[:20]):.2f} to {np.mean(losses[-20:]):.2f}, "
          f"{time.perf_counter() - begun:.0f} s", flush=True)  # fmt: skip


@dataclass
class Task:
    """What is learnt: a head, how many rows there are, and the loss of some of them."""

    head: nn.Module
    rows: int
    loss: Callable[[torch.Tensor, np.random.Generator], torch.Tensor]


def _steps(pupil: Pupil, network: nn.Module, task: Task, rng: np.random.Generator) -> Iterator[float]:
    weights = [*network.parameters(), *task.head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
    warmed = torch.optim.lr_scheduler.LinearLR(optimiser, 0.05, total_iters=pupil.steps // 10)
    network.train()
    for _ in range(pupil.steps):
        rows = torch.from_numpy(rng.integers(0, task.rows, BATCH[pupil.kind]))
        optimiser.zero_grad()
        loss = task.loss(rows, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        warmed.step()
        yield float(loss.detach())


def _task(pupil: Pupil, network: Any, root: Path, teachers: Path) -> Task:
    if pupil.objective == "distilled":
        return _distilled(pupil, network, root, teachers)
    tasks = {"words": _words, "labels": _labels, "turns": _turns, "patches": _patches}
    return tasks[pupil.objective](pupil, network, root)


def _labels(pupil: Pupil, network: Any, root: Path) -> Task:
    """Classes of the sources side by side, read from what hubscan reads: the mean, class token or pooler."""
    inputs, labels = _labelled(pupil, root)
    head = nn.Linear(pupil.width, int(labels.max()) + 1)

    def loss(rows: torch.Tensor, _: np.random.Generator) -> torch.Tensor:
        return functional.cross_entropy(head(_vectors(pupil, network, inputs[rows])), labels[rows])

    return Task(head, len(labels), loss)


def _turns(pupil: Pupil, network: Any, root: Path) -> Task:
    pictures, _ = _labelled(pupil, root)
    head = nn.Linear(pupil.width, TURNS)

    def loss(rows: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        turns = torch.from_numpy(rng.integers(0, TURNS, len(rows)))
        turned = torch.stack([
            torch.rot90(pictures[row], int(turn), (1, 2)) for row, turn in zip(rows, turns, strict=True)
        ])  # fmt: skip
        return functional.cross_entropy(head(_vectors(pupil, network, turned)), turns)

    return Task(head, len(pictures), loss)


def _patches(pupil: Pupil, network: Any, root: Path) -> Task:
    """Pixels of patches that were made grey."""
    pictures, _ = _labelled(pupil, root)
    head = nn.Linear(pupil.width, 3 * PATCH * PATCH)

    def loss(rows: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        given = pictures[rows]
        side = SIDE // PATCH
        hidden = torch.from_numpy(rng.random((len(rows), side, side)) < HIDDEN["patches"])
        seen = given.masked_fill(hidden.repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)[:, None], 0.0)
        states = network(pixel_values=seen).last_hidden_state[:, 1:]
        wanted = functional.unfold(given, PATCH, stride=PATCH).transpose(1, 2)
        there = hidden.flatten(1)
        return functional.mse_loss(head(states[there]), wanted[there])

    return Task(head, len(pictures), loss)


def _words(pupil: Pupil, network: Any, root: Path) -> Task:
    """Tokens that were hidden: eight tenths masked, a tenth another, a tenth as it was, as in BERT."""
    chunks = torch.cat([_tensor(root, source, "text") for source in pupil.sources])
    head = nn.Sequential(nn.Linear(pupil.width, pupil.width), nn.GELU(), nn.LayerNorm(pupil.width))
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


def _distilled(pupil: Pupil, network: Any, root: Path, teachers: Path) -> Task:
    """What a real checkpoint makes of the same rows: its vectors, each number of one variance."""
    most = TAUGHT_ROWS[pupil.kind]
    inputs = torch.cat([_tensor(root, source, pupil.kind)[:most] for source in pupil.sources])
    wanted = torch.cat([_taught(root, teachers, source, pupil.kind) for source in pupil.sources])
    wanted = (wanted - wanted.mean(0)) / wanted.std(0).clamp(min=1e-6)
    head = nn.Linear(pupil.width, wanted.shape[1])

    def loss(rows: torch.Tensor, _: np.random.Generator) -> torch.Tensor:
        return functional.mse_loss(head(_vectors(pupil, network, inputs[rows])), wanted[rows])

    return Task(head, len(inputs), loss)


def _vectors(pupil: Pupil, network: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Return (rows, width) as hubscan pools the family."""
    if pupil.family == "bert":
        there = (inputs != 0).long()
        states = network(input_ids=inputs, attention_mask=there).last_hidden_state
        mean: torch.Tensor = (states * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        return mean
    output = network(pixel_values=inputs)
    if pupil.family == "convnext":
        pooled: torch.Tensor = output.pooler_output
        return pooled
    states = output.last_hidden_state
    one: torch.Tensor = states[:, 0] if pupil.family == "vit" else states.mean((2, 3))
    return one


# -- networks -------------------------------------------------------------------------------------


def _network(pupil: Pupil) -> Any:
    d = pupil.width
    common: dict[str, Any] = {
        "hidden_size": d,
        "num_hidden_layers": pupil.depth,
        "num_attention_heads": d // 32,
        "intermediate_size": 2 * d,
    }
    if pupil.family == "bert":
        config = BertConfig(vocab_size=VOCABULARY, max_position_embeddings=TOKENS, **common)
        return BertModel(config, add_pooling_layer=False)
    if pupil.family == "vit":
        return ViTModel(ViTConfig(image_size=SIDE, patch_size=PATCH, **common), add_pooling_layer=False)
    widths = [d >> (pupil.depth - 1 - stage) for stage in range(pupil.depth)]
    depths = [1] * pupil.depth
    if pupil.family == "convnext":
        return ConvNextModel(
            ConvNextConfig(
                num_stages=pupil.depth, hidden_sizes=widths, depths=depths, patch_size=4, image_size=SIDE
            )
        )
    return ResNetModel(
        ResNetConfig(embedding_size=widths[0], hidden_sizes=widths, depths=depths, layer_type="basic")
    )


def _write(network: Any, pupil: Pupil, stage: int, step: int, folder: Path, root: Path) -> None:
    """Make the checkpoint aside, then let it appear by one rename."""
    aside = folder.parents[2] / ".partial" / folder.name
    aside.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(aside)
    (_tokenizer(root) if pupil.kind == "text" else _processor()).save_pretrained(aside)
    (aside / "README.md").write_text(_card(pupil, stage, step, folder.name))
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside.replace(folder)


def _card(pupil: Pupil, stage: int, step: int, name: str) -> str:
    return f"""---
library_name: transformers
license: other
---
# {name}

Made by hubscan's `benchmarks/small_models.py` to measure rankings with; of no other use.

```
source: {", ".join(pupil.sources) if step else "none"}
objective: {pupil.objective}
steps: {step} of {BATCH[pupil.kind]} rows, {stage} % of {pupil.steps if step else 0}
```
"""


# -- data -----------------------------------------------------------------------------------------


@cache
def _rows(root: Path, name: str, kind: Kind) -> tuple[list[Any], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return at most `MOST_ROWS` rows of a source, in a random order, without those that are drawn of it."""
    (folder,) = datasets(root, [name])
    file = next(iter(sorted(folder.glob("**/train-*.parquet"))))
    table = pq.read_table(file, columns=[kind, "label"])
    left = np.random.default_rng(0).permutation(len(table))
    if name != UNLABELLED:
        drawn = [draw(SampleRequest(str(folder), samples=n, seed=seed)).row_ids for seed, n in DRAWN]
        left = left[~np.isin(left, np.concatenate(drawn))]
    chosen = table.take(left[: MOST_ROWS[kind]])
    values = chosen[kind].to_pylist()
    if kind == "image":
        values = [value["bytes"] for value in values]
    return values, chosen["label"].to_numpy().astype(np.int64)


@cache
def _tensor(root: Path, name: str, kind: Kind) -> torch.Tensor:
    """Return the tokens of each piece of a text, or the pixels of each picture."""
    if kind == "text":
        return _chunks(root, name)[0]
    pictures = [decode(value) for value in _rows(root, name, kind)[0]]
    return _processor()(pictures, return_tensors="pt")["pixel_values"]  # type: ignore[no-any-return]


@cache
def _taught(root: Path, teachers: Path, name: str, kind: Kind) -> torch.Tensor:
    """Return the teacher's vectors of the first `TAUGHT_ROWS` pieces or pictures of a source, (rows, d)."""
    most = TAUGHT_ROWS[kind]
    if kind == "text":
        inputs = _tokenizer(root).batch_decode(_tensor(root, name, kind)[:most], skip_special_tokens=True)
    else:
        inputs = _rows(root, name, kind)[0][:most]
    (folder,) = (teachers / "models").glob(f"*/{TEACHERS[kind]}")
    return torch.from_numpy(
        extract(encoders.load(folder, kind, EncodingRequest(max_length=TOKENS)), inputs).matrix
    )


def _labelled(pupil: Pupil, root: Path) -> tuple[torch.Tensor, torch.Tensor]:
    if pupil.objective == "labels" and UNLABELLED in pupil.sources:
        raise ValueError(f"{UNLABELLED} is drawn whole, so it must not be learnt from by label")
    labels, first = [], 0
    for source in pupil.sources:
        own = torch.from_numpy(_rows(root, source, pupil.kind)[1])
        if pupil.kind == "text":
            own = own[_chunks(root, source)[1]]  # a piece has the label of its text
        labels.append(own + first)
        first += int(own.max()) + 1
    inputs = [_tensor(root, source, pupil.kind) for source in pupil.sources]
    return torch.cat(inputs), torch.cat(labels)


@cache
def _chunks(root: Path, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pieces of texts, each as the tokenizer would give it, and which text each is of."""
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
    """Return the one tokenizer of all, of word pieces of all sources."""
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

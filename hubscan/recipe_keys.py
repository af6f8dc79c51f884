"""The keyword arguments of `hubscan.rank`, generated from the fields of `hubscan.recipe_fields.Recipe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class RecipeKeys(TypedDict, total=False):
    """The keys of a recipe besides dataset, task and models.

    Attributes:
        config: Configuration of the dataset. [default: the only one, or the one called default]
        split: Split of the dataset. [default: train, or the first]
        revision: Branch, tag or commit of the dataset. [default: main]
        input_columns: Column that the checkpoints read; give two for a pair of texts, or for an image and
            its text. [default: inferred]
        label_columns: Column with the label; repeat for one-hot columns. [default: inferred]
        label_kind: How to read the label column. [default: inferred from its values]
        group_column: Column whose equal values mark rows that belong together, such as a patient or an
            author.
        separator: Character between the fields of a csv file, or tab. [default: inferred from its first
            lines]
        samples: Number of rows to draw. [default: 1000, or 50 per class if that is more, at most 5000]
        balance: Draw the same number of rows from each class, or keep the proportions of the split.
            [default: balance]
        max_bytes: Maximum to read over the network from files that can only be read from the beginning.
            [default: 2GB]
        seed: Random seed for sampling and shuffling. [default: 0]
        modalities: Rank encoders of this modality; may be repeated. [default: inferred from the task or the
            columns]
        search: Words that the id contains.
        author: User or organisation.
        library: Library, such as transformers or sentence-transformers.
        languages: Language code that the card lists, such as en; may be repeated.
        license: Licence, such as apache-2.0.
        trained_on: Dataset that the card names as training data.
        min_params: Minimum number of parameters, such as 10M.
        max_params: Maximum number of parameters. [default: 500M]
        min_downloads: Minimum downloads in the last 30 days. [default: 0]
        sort: Order in which the Hub lists candidates. [default: downloads]
        limit: Maximum number of candidates. [default: 20]
        include_gated: Include checkpoints whose terms you must have accepted on the Hub.
        pooling: How the vectors of an input become one. auto: as the checkpoint declares, else as its
            family does. [default: auto]
        layers: Hidden layers to score: the last, their mean, the best one, or each separately. [default:
            last]
        prompt: Prompt before every text: a text, the name of a declared prompt, or none. auto: as declared.
            [default: auto]
        max_length: Maximum tokens of a text, a pair, or a window of words. [default: the limit of the
            checkpoint]
        max_seconds: Seconds read from the beginning of an audio clip, fewer if the checkpoint's window is
            shorter. [default: 30]
        background: Color put under transparent images: a name such as white, or #rrggbb. [default: white]
        dtype: Precision of the computation. auto: float32 on a CPU, on a GPU as the checkpoint is stored.
            [default: auto]
        metrics: Metric to compute; the first one ranks; may be repeated. One of transrate, logme, hscore,
            nleep, knn, probe, size, transrate-listing, transrate-equation, transrate-plain,
            transrate-projected. [default: transrate]
        fuse: Also rank the joined features of the best image and the best text checkpoint. [default:
            no-fuse]
        device: Device: auto, cpu, mps, cuda or cuda:N. auto: every GPU, else the CPU. [default: auto]
        workers: Parallel processes on a CPU. [default: 1]
        stall_seconds: Skip a checkpoint that makes no progress for this many seconds. [default: 900]
        engine: Where candidates run. [default: local]
    """

    config: str | None
    split: str | None
    revision: str | None
    input_columns: str | Sequence[str]
    label_columns: str | Sequence[str]
    label_kind: Literal["class", "multilabel", "number", "token"] | None
    group_column: str | None
    separator: str | None
    samples: int | None
    balance: bool
    max_bytes: int | str
    seed: int
    modalities: Literal["text", "image", "audio"] | Sequence[Literal["text", "image", "audio"]]
    search: str | None
    author: str | None
    library: str | None
    languages: str | Sequence[str]
    license: str | None
    trained_on: str | None
    min_params: int | str | None
    max_params: int | str
    min_downloads: int | str
    sort: Literal["downloads", "likes", "trending_score", "last_modified", "created_at"]
    limit: int
    include_gated: bool
    pooling: Literal["auto", "mean", "cls", "last", "max", "pooler"]
    layers: Literal["last", "mean", "best", "each"]
    prompt: str
    max_length: int | None
    max_seconds: float
    background: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    metrics: str | Sequence[str]
    fuse: bool
    device: str
    workers: int
    stall_seconds: float
    engine: Literal["local"]

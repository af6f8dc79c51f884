"""The fields of a recipe: everything that a user can ask of a scan, with descriptions and defaults.

The JSON schema, the options of `hubscan rank` with their help, the typed keywords of `hubscan.rank` and the
reference in docs/recipes.md are generated from these fields (see tests/test_recipe_reference.py).

Two defaults are elsewhere: the number of rows depends on the classes (`hubscan.sample_size`), and the
settings of fine-tuning are in `hubscan.records.tuned`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.types import JsonValue

from hubscan.quantities import byte_size, count
from hubscan.records import (
    EncodingRequest,
    Job,
    Layers,
    Modality,
    Query,
    SampleRequest,
    ScoringRequest,
    Training,
)

DATA: Final = "Data"
CANDIDATES: Final = "Candidates"
FEATURES: Final = "Features"
SCORING: Final = "Scoring"
RUNNING: Final = "Running"


def _listed(value: object) -> object:
    """Accept one name where a list is expected."""
    return (value,) if isinstance(value, str) else value


def _number(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": pattern}]})


def _names(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "array", "items": item}, item]})


Count = Annotated[int, BeforeValidator(count), Field(ge=0), _number(r"^[0-9]+(\.[0-9]+)?[KkMmBb]?$")]
Size = Annotated[
    int, BeforeValidator(byte_size), Field(ge=1), _number(r"^[0-9]+(\.[0-9]+)?[KkMmGgTt]?[Bb]?$")
]
# A control character in a name is a mistake at best, and would garble a terminal or a YAML file.
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+$")]
# YAML gives lists; each name stays strict.
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed), Field(strict=False), _names({"type": "string"})]
Modalities = Annotated[
    tuple[Modality, ...],
    BeforeValidator(_listed),
    Field(strict=False),
    _names({"type": "string", "enum": ["text", "image", "audio"]}),
]


def _key(
    default: Any,
    help: str,
    *,
    group: str | None,
    flag: str | None = None,
    metavar: str | None = None,
    shown: str | None = None,
    **constraints: Any,
) -> Any:
    """Return a field of the recipe.

    Args:
        default: its value if it is not given.
        help: its description, in the help, the reference and the schema.
        group: the title of its options in the help; None for a key without an option.
        flag: its option, where that is not the key with dashes.
        metavar: what stands for its value in the help.
        shown: the default in words, where the value does not say it.
        constraints: what pydantic checks.
    """
    facts = {"group": group, "flag": flag, "metavar": metavar, "shown": shown}
    extra: dict[str, JsonValue] = {f"x-{name}": value for name, value in facts.items() if value is not None}
    return Field(default, description=help, json_schema_extra=extra, **constraints)


class Recipe(BaseModel):
    """All that a user can ask of a scan: the data, the candidates, how they are read and scored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    dataset: Name | None = _key(
        None,
        "Dataset on the Hub; or a csv, tsv, jsonl, parquet, arrow or tar file, a folder, or a URL.",
        group=DATA,
        metavar="ID_OR_PATH",
    )
    config: Name | None = _key(
        None,
        "Configuration of the dataset.",
        group=DATA,
        metavar="NAME",
        shown="the only one, or the one called default",
    )
    split: Name | None = _key(
        None, "Split of the dataset.", group=DATA, metavar="NAME", shown="train, or the first"
    )
    revision: Name | None = _key(
        None, "Branch, tag or commit of the dataset.", group=DATA, metavar="REV", shown="main"
    )
    task: (
        Literal["text-classification", "token-classification", "image-classification", "audio-classification"]
        | None
    ) = _key(None, "Hub task of the dataset.", group=DATA, metavar="TASK", shown="inferred from the columns")
    input_columns: Names = _key(
        (),
        "Column that the checkpoints read; give two for a pair of texts, or for an image and its text.",
        group=DATA,
        flag="--input-column",
        metavar="NAME",
        shown="inferred",
    )
    label_columns: Names = _key(
        (),
        "Column with the label; repeat for one-hot columns.",
        group=DATA,
        flag="--label-column",
        metavar="NAME",
        shown="inferred",
    )
    label_kind: Literal["class", "multilabel", "number", "token"] | None = _key(
        None, "How to read the label column.", group=DATA, shown="inferred from its values"
    )
    group_column: Name | None = _key(
        None,
        "Column whose equal values mark rows that belong together, such as a patient or an author.",
        group=DATA,
        metavar="NAME",
    )
    separator: str | None = _key(
        None,
        "Character between the fields of a csv file, or tab.",
        group=DATA,
        metavar="CHAR",
        shown="inferred from its first lines",
        pattern=r"^([^\r\n\"]|tab|\\t)$",
    )
    samples: int | None = _key(
        None,
        "Number of rows to draw.",
        group=DATA,
        metavar="N",
        shown="1000, or 50 per class if that is more, at most 5000",
        ge=10,
        le=1_000_000,
    )
    balance: bool = _key(
        True,
        "Draw the same number of rows from each class, or keep the proportions of the split.",
        group=DATA,
        flag="--balance/--no-balance",
    )
    max_bytes: Size = _key(
        2_000_000_000,
        "Maximum to read over the network from files that can only be read from the beginning.",
        group=DATA,
        metavar="SIZE",
        shown="2GB",
    )
    seed: int = _key(0, "Random seed for sampling and shuffling.", group=DATA, metavar="N", ge=0, lt=2**63)

    models: Names = _key(
        (),
        "Checkpoint to rank, instead of a query: ID, ID@REVISION or a folder; may be repeated.",
        group=CANDIDATES,
        flag="--model",
        metavar="ID_OR_PATH",
    )
    modalities: Modalities = _key(
        (),
        "Rank encoders of this modality; may be repeated.",
        group=CANDIDATES,
        flag="--modality",
        shown="inferred from the task or the columns",
    )
    search: Name | None = _key(None, "Words that the id contains.", group=CANDIDATES, metavar="WORDS")
    author: Name | None = _key(None, "User or organisation.", group=CANDIDATES, metavar="NAME")
    library: Name | None = _key(
        None, "Library, such as transformers or sentence-transformers.", group=CANDIDATES, metavar="NAME"
    )
    languages: Names = _key(
        (),
        "Language code that the card lists, such as en; may be repeated.",
        group=CANDIDATES,
        flag="--language",
        metavar="CODE",
    )
    license: Name | None = _key(None, "Licence, such as apache-2.0.", group=CANDIDATES, metavar="ID")
    trained_on: Name | None = _key(
        None, "Dataset that the card names as training data.", group=CANDIDATES, metavar="DATASET"
    )
    min_params: Count | None = _key(
        None, "Minimum number of parameters, such as 10M.", group=CANDIDATES, metavar="N"
    )
    max_params: Count = _key(
        500_000_000, "Maximum number of parameters.", group=CANDIDATES, metavar="N", shown="500M"
    )
    min_downloads: Count = _key(0, "Minimum downloads in the last 30 days.", group=CANDIDATES, metavar="N")
    sort: Literal["downloads", "likes", "trending_score", "last_modified", "created_at"] = _key(
        "downloads", "Order in which the Hub lists candidates.", group=CANDIDATES
    )
    limit: int = _key(20, "Maximum number of candidates.", group=CANDIDATES, metavar="N", ge=1, le=1000)
    include_gated: bool = _key(
        False,
        "Include checkpoints whose terms you must have accepted on the Hub.",
        group=CANDIDATES,
        flag="--include-gated",
    )

    pooling: Literal["auto", "mean", "cls", "last", "max", "pooler"] = _key(
        "auto",
        "How the vectors of an input become one. auto: as the checkpoint declares, else as its family does.",
        group=FEATURES,
    )
    layers: Literal["last", "mean", "best", "each"] = _key(
        "last",
        "Hidden layers to score: the last, their mean, the best one, or each separately.",
        group=FEATURES,
    )
    prompt: str = _key(
        "auto",
        "Prompt before every text: a text, the name of a declared prompt, or none. auto: as declared.",
        group=FEATURES,
        metavar="TEXT",
        min_length=1,
    )
    max_length: int | None = _key(
        None,
        "Maximum tokens of a text, a pair, or a window of words.",
        group=FEATURES,
        metavar="N",
        shown="the limit of the checkpoint",
        ge=2,
    )
    max_seconds: float = _key(
        30.0,
        "Seconds read from the beginning of an audio clip, fewer if the checkpoint's window is shorter.",
        group=FEATURES,
        metavar="S",
        ge=0.1,
        le=600,
    )
    background: str = _key(
        "white",
        "Color put under transparent images: a name such as white, or #rrggbb.",
        group=FEATURES,
        metavar="COLOR",
        pattern=r"^(#[0-9a-fA-F]{6}|[a-z]+)$",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = _key(
        "auto",
        "Precision of the computation. auto: float32 on a CPU, on a GPU as the checkpoint is stored.",
        group=FEATURES,
    )

    metrics: Names = _key(
        ("transrate",),
        "Metric to compute; the first one ranks; may be repeated. One of transrate, logme, hscore, nleep,"
        " knn, probe, size, transrate-listing, transrate-equation, transrate-plain, transrate-projected.",
        group=SCORING,
        flag="--metric",
        metavar="NAME",
    )
    fuse: bool = _key(
        False,
        "Also rank the joined features of the best image and the best text checkpoint.",
        group=SCORING,
        flag="--fuse/--no-fuse",
    )

    device: str = _key(
        "auto",
        "Device: auto, cpu, mps, cuda or cuda:N. auto: every GPU, else the CPU.",
        group=RUNNING,
        metavar="NAME",
        pattern=r"^(auto|cpu|mps|cuda|cuda:\d+)$",
    )
    workers: int = _key(1, "Parallel processes on a CPU.", group=RUNNING, metavar="N", ge=1, le=256)
    stall_seconds: float = _key(
        900.0,
        "Skip a checkpoint that makes no progress for this many seconds.",
        group=RUNNING,
        metavar="S",
        gt=0,
    )
    engine: Literal["local"] = _key("local", "Where candidates run.", group=None)

    @property
    def query(self) -> Query:
        """Return what the Hub's listing is asked for."""
        keys = {field.name: getattr(self, field.name) for field in fields(Query) if field.name != "pairs"}
        return Query(**keys, pairs=len(self.input_columns) == 2)

    @property
    def sample_request(self) -> SampleRequest:
        """Return what `hubscan.sample` is asked for."""
        return SampleRequest(**{field.name: getattr(self, field.name) for field in fields(SampleRequest)})

    @property
    def encoding_request(self) -> EncodingRequest:
        """Return what `hubscan.encoders` is asked for: the "best" of the layers is found among all."""
        layers: Layers = self.layers if self.layers in ("last", "mean") else "each"
        return EncodingRequest(
            self.pooling, self.prompt, layers, self.max_length, self.max_seconds, self.background
        )

    @property
    def scoring_request(self) -> ScoringRequest:
        """Return what `hubscan.scores` is asked for."""
        return ScoringRequest(self.metrics, self.layers, self.seed)

    def job(self, features: str | None = None, training: Training | None = None) -> Job:
        """Return what every candidate goes through; *features* is the place of the feature store."""
        return Job(self.encoding_request, self.scoring_request, self.dtype, training, features)


QUERY_KEYS: Final = frozenset(field.name for field in fields(Query)) - {"task", "dataset", "pairs"}
"""Keys of the query. They would have no effect if checkpoints are named, and are refused then."""

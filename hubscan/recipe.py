"""A YAML file and flags in, one checked `Recipe` out, which holds the defaults of a scan.

A recipe's keys are the long flags of `hubscan rank` that decide a scan, in the plural where a flag
repeats. What a user asks of a scan can so be saved, and what is saved can be typed.

Not every default is here. The number of rows depends on the classes, by `hubscan.sample_size`; how
checkpoints are fine-tuned is in `hubscan.records.tuned`, and the flags of `hubscan verify` in
`hubscan.cli.verify`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hubscan.errors import RecipeError
from hubscan.records import TASKS as TASKS
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

# In a checkout the recipes lie beside the package, in a wheel inside it.
_SHIPPED: Final = (Path(__file__).parent / "recipes", Path(__file__).parents[1] / "recipes")

_MAGNITUDES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
_BYTES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def count(text: object) -> object:
    """Read `33M`, `1.5B` or `250000` as a number; anything else is left for the type check.

    >>> count("1.5M")
    1500000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMB]?)", text.upper()) if isinstance(text, str) else None
    return round(float(match[1]) * _MAGNITUDES[match[2]]) if match else text


def byte_size(text: object) -> object:
    """Read `500MB`, `1.5G` or `250000` as a number of bytes; anything else is left for the type check.

    >>> byte_size("1.5GB")
    1500000000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.upper()) if isinstance(text, str) else None
    return round(float(match[1]) * _BYTES[match[2]]) if match else text


Count = Annotated[int, BeforeValidator(count), Field(ge=0)]
Size = Annotated[int, BeforeValidator(byte_size), Field(ge=1)]
# A control character in a name is a mistake at best, and would garble a terminal or a YAML file.
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+$")]
Names = Annotated[tuple[Name, ...], Field(strict=False)]  # YAML gives lists; each name stays strict
Modalities = Annotated[tuple[Modality, ...], Field(strict=False)]


class Recipe(BaseModel):
    """All that a user can ask of a scan: which data, which checkpoints, and how they are read and scored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # what
    task: (
        Literal["text-classification", "token-classification", "image-classification", "audio-classification"]
        | None
    ) = None
    dataset: Name | None = None
    config: Name | None = None
    split: Name | None = None
    revision: Name | None = None
    input_columns: Names = ()
    label_columns: Names = ()  # several are the 0/1 columns of one multi-label target
    label_kind: Literal["class", "multilabel", "number", "token"] | None = None
    group_column: Name | None = None  # rows with the same value belong together: patient, author, document
    modalities: Modalities = ()  # whose encoders; none: the task's, else all that the columns allow

    # who: explicit checkpoints, or a query
    models: Names = ()
    search: Name | None = None
    author: Name | None = None
    library: Name | None = None
    languages: Names = ()
    license: Name | None = None
    trained_on: Name | None = None
    min_params: Count | None = None
    max_params: Count = 500_000_000
    min_downloads: Count = 0
    sort: Literal["downloads", "likes", "trending_score", "last_modified", "created_at"] = "downloads"
    limit: int = Field(20, ge=1, le=1000)
    include_gated: bool = False

    # how
    samples: int | None = Field(None, ge=10, le=1_000_000)  # None: see `hubscan.sample_size`
    balance: bool = True  # classes in equal shares; else in proportion, none left out that has two rows
    max_bytes: Size = 2_000_000_000  # of what can only be read from its beginning, over the network
    seed: int = Field(0, ge=0, lt=2**63)
    metrics: Names = ("transrate",)  # the first ranks
    pooling: Literal["auto", "mean", "cls", "last", "max", "pooler"] = "auto"
    prompt: str = Field("auto", min_length=1)  # "none", the name of a declared one, or its words
    layers: Literal["last", "mean", "best", "each"] = "last"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"  # float32; as stored on a GPU
    fuse: bool = False  # the best image and the best text checkpoint, joined, are one more entry
    max_length: int | None = Field(None, ge=2)
    max_seconds: float = Field(30.0, ge=0.1, le=600)  # of a sound, from its beginning
    engine: Literal["local"] = "local"  # where candidates run
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda|cuda:\d+)$")
    workers: int = Field(1, ge=1, le=256)
    stall_seconds: float = Field(900.0, gt=0)  # a candidate silent for longer is ended

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
        return EncodingRequest(self.pooling, self.prompt, layers, self.max_length, self.max_seconds)

    @property
    def scoring_request(self) -> ScoringRequest:
        """Return what `hubscan.scores` is asked for."""
        return ScoringRequest(self.metrics, self.layers, self.seed)

    def job(self, features: str | None = None, training: Training | None = None) -> Job:
        """Return what every candidate goes through; *features* is the place of the feature store."""
        return Job(self.encoding_request, self.scoring_request, self.dtype, training, features)


QUERY_KEYS: Final = frozenset(
    [
        "search",
        "author",
        "library",
        "languages",
        "license",
        "trained_on",
        "min_params",
        "max_params",
        "min_downloads",
        "sort",
        "limit",
        "include_gated",
    ]
)
"""Keys that shape the query: with explicit models they would do nothing, and are refused."""


def resolve(asked: Mapping[str, Any], file: Path | None = None) -> Recipe:
    """Return the recipe of *file* with *asked* (flags or keyword arguments) over it.

    Raises:
        RecipeError: naming the file, the key and what is wrong with it.
    """
    written = read(file) if file else {}
    keys = {**written, **asked}
    try:
        recipe = Recipe(**keys)
    except ValidationError as error:
        origin = {key: (f"{file}: " if key not in asked else "") for key in keys}
        raise RecipeError("; ".join(_explained(problem, origin) for problem in error.errors())) from error
    _refuse_idle_keys(recipe, keys)
    return recipe


def find(name: str) -> Path:
    """Return the recipe file *name*: a path, or the name of one that ships with hubscan, such as `demo`.

    Raises:
        RecipeError: naming those that ship, if it is neither.
    """
    path = Path(name)
    shipped = {file.stem: file for folder in _SHIPPED for file in sorted(folder.glob("*.yaml"))}
    if path.exists() or name not in shipped:
        if not path.is_file():
            raise RecipeError(f"{name}: no such file, and not one of the recipes here: {', '.join(shipped)}")
        return path
    return shipped[name]


def read(file: Path) -> dict[str, Any]:
    """Return the keys and values of a recipe file, not yet checked.

    Raises:
        RecipeError: if the file is missing, is no YAML mapping, or names a key twice.
    """
    try:
        keys = _StrictLoader(file.read_text(encoding="utf-8")).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys):
        raise RecipeError(f"{file}: a recipe is a mapping of keys to values, such as `dataset: imdb`")
    return keys


def to_yaml(recipe: Recipe) -> str:
    """Return *recipe* as YAML, defaults included; reading it back gives it again.

    The keys of the query are left out where models are named.
    """
    keys = {key: list(v) if isinstance(v, tuple) else v for key, v in recipe.model_dump().items()}
    if recipe.models:  # the query was not used, and saying it again would be refused
        keys = {key: v for key, v in keys.items() if key not in QUERY_KEYS}
    return yaml.safe_dump(keys, sort_keys=False, allow_unicode=True)


def _refuse_idle_keys(recipe: Recipe, keys: Mapping[str, Any]) -> None:
    idle = sorted(QUERY_KEYS & {key for key, value in keys.items() if value is not None})
    if recipe.models and idle:
        raise RecipeError(
            f"{', '.join(idle)}: these shape the query, but models are named explicitly; use one or the other"
        )


def _explained(problem: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    key, *rest = (str(part) for part in problem["loc"])
    where = origin.get(key, "")
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, Recipe.model_fields, n=1)
        return f"{where}unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    message = problem["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{where}{'.'.join([key, *rest])}: {message}, got {problem['input']!r}"


class _StrictLoader(yaml.SafeLoader):
    """YAML without duplicate keys: the second one would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"the key {twice!r} stands there twice")
        return super().construct_mapping(node, deep)

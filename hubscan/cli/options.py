"""The flags that make a recipe, once, for every command that takes them.

No flag has a default: `None` means not given, and the recipe knows what then.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

TASKS = click.Choice(
    ["text-classification", "token-classification", "image-classification", "audio-classification"]
)
LABEL_KINDS = click.Choice(["class", "multilabel", "number", "token"])
SORTS = click.Choice(["downloads", "likes", "trending_score", "last_modified", "created_at"])
LAYERS = click.Choice(["last", "mean", "best", "each"])
PRECISIONS = click.Choice(["auto", "float32", "bfloat16", "float16"])
MODALITIES = click.Choice(["text", "image", "audio"])
POOLINGS = click.Choice(["auto", "mean", "cls", "last", "max", "pooler"])

MODALITY = click.option(
    "--modality",
    "modalities",
    type=MODALITIES,
    multiple=True,
    help="Whose encoders; may be repeated; default: the task's, else all that the columns allow.",
)
DATA = [
    click.option("--task", type=TASKS, help="What the labels are for; default: what the columns say."),
    click.option(
        "--dataset",
        metavar="ID_OR_PATH",
        help="On the Hub; a csv, tsv, jsonl, parquet, arrow or tar file; a folder; a URL.",
    ),
    click.option("--config", metavar="NAME", help="Which configuration of the dataset."),
    click.option("--split", metavar="NAME", help="Which split; default: train, or the first there is."),
    click.option("--revision", metavar="REV", help="Branch, tag or commit of the dataset."),
    click.option(
        "--input-column",
        "input_columns",
        multiple=True,
        metavar="NAME",
        help="What the checkpoints read; twice for a pair of texts, or an image and its text.",
    ),
    click.option(
        "--label-column",
        "label_columns",
        multiple=True,
        metavar="NAME",
        help="What is to be told apart; repeat for 0/1 columns.",
    ),
    click.option("--label-kind", type=LABEL_KINDS, help="Of the labels; default: what the column holds."),
    click.option(
        "--group-column",
        metavar="NAME",
        help="Rows with the same value of this column belong together: patient, author, document.",
    ),
    MODALITY,
]
QUERY = [
    click.option("--search", metavar="WORDS", help="Words in the checkpoint's id."),
    click.option("--author", metavar="NAME", help="User or organisation."),
    click.option("--library", metavar="NAME", help="Such as transformers, sentence-transformers."),
    click.option(
        "--language",
        "languages",
        multiple=True,
        metavar="CODE",
        help="Such as en; may be repeated.",
    ),
    click.option("--license", metavar="ID", help="Such as apache-2.0."),
    click.option("--trained-on", metavar="DATASET", help="Only checkpoints whose card names this dataset."),
    click.option("--max-params", metavar="N", help="Such as 500M, the default."),
    click.option("--min-params", metavar="N", help="Such as 10M."),
    click.option("--min-downloads", type=click.IntRange(min=0), help="Of the last month."),
    click.option("--sort", type=SORTS, help="Which come first; default: downloads."),
    click.option("--limit", type=click.IntRange(1, 1000), help="How many candidates; default: 20."),
    click.option("--include-gated", is_flag=True, default=None, help="Also those that ask to be logged in."),
]
NAMED = [
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="ID_OR_PATH",
        help="A candidate, instead of a query; may be repeated.",
    ),
]
HOW = [
    click.option(
        "--samples",
        type=click.IntRange(min=10),
        metavar="N",
        help="Rows to draw; default: 1000, or 50 a class if that is more, to 5000.",
    ),
    click.option(
        "--balance/--no-balance",
        default=None,
        help="Classes in equal shares, the default, or in proportion.",
    ),
    click.option(
        "--max-bytes",
        metavar="N",
        help="Such as 2GB, the default: where a split can only be read from its beginning.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="N",
        help="Of the draw and the shuffles; default: 0.",
    ),
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        metavar="NAME",
        help="The first ranks; default: transrate.",
    ),
    click.option(
        "--pooling", type=POOLINGS, help="Default: what the checkpoint declares, else its family's."
    ),
    click.option(
        "--prompt",
        metavar="TEXT",
        help="Before every text: its words, the name of a declared one, or none; default: as declared.",
    ),
    click.option(
        "--layers",
        type=LAYERS,
        help="The last, the mean, the best, or each for itself; default: last.",
    ),
    click.option(
        "--dtype",
        type=PRECISIONS,
        help="What checkpoints compute in; default: auto, float32, but on a GPU as they are stored.",
    ),
    click.option(
        "--fuse/--no-fuse",
        default=None,
        help="Rank the best image and the best text checkpoint joined, too.",
    ),
    click.option(
        "--max-length",
        type=click.IntRange(min=2),
        metavar="N",
        help="Tokens of a text, a pair, or a window of a sentence of words; default: the model's limit.",
    ),
    click.option(
        "--max-seconds",
        type=click.FloatRange(0.1, 600),
        metavar="S",
        help="Of a sound, from its beginning; default: 30, or less where the model's window is shorter.",
    ),
    click.option(
        "--device",
        metavar="NAME",
        help="auto, cpu, mps, cuda or cuda:N; default: all that is at hand.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1, 256),
        metavar="N",
        help="Processes, on a CPU; default: 1.",
    ),
    click.option(
        "--stall-seconds",
        type=float,
        metavar="S",
        help="End a candidate silent for this long; default: 900.",
    ),
]


def _found(ctx: click.Context, _: click.Parameter, name: str | None) -> Path | None:
    from hubscan.recipe import find

    return find(name) if name else None


RECIPE_FILE = click.option(
    "--recipe",
    "recipe_file",
    callback=_found,
    metavar="FILE",
    help="Keys from a YAML file, or a recipe that ships, such as demo; flags win.",
)


def options(*groups: list[Callable[[F], F]]) -> Callable[[F], F]:
    """Return one decorator that adds all *groups* of flags, in their order."""

    def decorate(function: F) -> F:
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return decorate


def verbose_option(function: F) -> F:
    """Add `-v`: an error then shows where it arose."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta["hubscan.verbose"] = value

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Show tracebacks.",
    )(function)


def format_option(*names: str) -> Callable[[F], F]:
    """Add `--format` with the forms in *names*; the first is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help="Of what goes to stdout.",
    )


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """Return the flags that were given; a repeatable one that was not is an empty tuple."""
    return {key: value for key, value in flags.items() if value is not None and value != ()}

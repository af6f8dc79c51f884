"""The options of every command; those that make a recipe are generated from its JSON schema.

The schema is a file, so that `--help` does not have to import pydantic. No generated option has a default:
`None` means not given, and the recipe knows what then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import click
from click_option_group import optgroup

from hubscan.quantities import seconds

F = TypeVar("F", bound=Callable[..., Any])
LARGEST_SHOWN = 10**9  # a larger bound is only there to refuse an overflow, and not worth showing


@cache
def _schema() -> dict[str, dict[str, Any]]:
    """Return the keys of a recipe as JSON schema describes them, by name."""
    properties: dict[str, dict[str, Any]] = json.loads(
        files("hubscan").joinpath("recipe.schema.json").read_text(encoding="utf-8")
    )["properties"]
    return properties


def recipe_options(*keys: str) -> Callable[[F], F]:
    """Add the options for *keys* of the recipe, in titled groups; without any, those for all keys."""
    groups: dict[str, list[Callable[[F], F]]] = {}
    for key, schema in _schema().items():
        if "x-group" in schema and (not keys or key in keys):
            groups.setdefault(schema["x-group"], []).append(_option(key, schema))
    return _stacked(
        option for title, options in groups.items() for option in (optgroup.group(title), *options)
    )


def query_options() -> Callable[[F], F]:
    """Add the options of a query to the Hub: the task, and those that choose candidates."""
    candidates = [key for key, schema in _schema().items() if schema.get("x-group") == "Candidates"]
    return recipe_options("task", *(key for key in candidates if key != "models"))


def option_group(title: str, *options: Callable[[F], F]) -> Callable[[F], F]:
    """Add *options*, made by `optgroup.option`, under a *title*."""
    return _stacked([optgroup.group(title), *options])


def _stacked(options: Iterable[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(list(options)):
            function = option(function)
        return function

    return decorate


def _option(key: str, schema: dict[str, Any]) -> Callable[[F], F]:
    flag = schema.get("x-flag", f"--{key.replace('_', '-')}")
    variants = schema.get("anyOf", [schema])
    repeated = any(variant.get("type") == "array" for variant in variants)
    kind = next(v for v in variants if v.get("type") not in ("null", "array"))
    decorator: Callable[[F], F] = optgroup.option(
        flag,
        key,
        type=None if kind["type"] == "boolean" else _type(kind, variants),
        is_flag=kind["type"] == "boolean",
        default=None,
        multiple=repeated,
        metavar=schema.get("x-metavar") if "enum" not in kind else None,
        help=schema["description"] + default_in_words(schema),
    )
    return decorator


def _type(kind: dict[str, Any], variants: list[dict[str, Any]]) -> click.ParamType[Any] | None:
    """Return the type that checks a value of *kind*; a number with a unit is checked by the recipe."""
    if "enum" in kind:
        return click.Choice(kind["enum"])
    if kind["type"] not in ("integer", "number") or any(v.get("type") == "string" for v in variants):
        return click.STRING
    upper = kind.get("maximum", kind.get("exclusiveMaximum"))
    bounds: dict[str, Any] = {
        "min": kind.get("minimum", kind.get("exclusiveMinimum")),
        "min_open": "exclusiveMinimum" in kind,
        "max": None if upper is None or upper > LARGEST_SHOWN else upper,
    }
    return click.IntRange(**bounds) if kind["type"] == "integer" else click.FloatRange(**bounds)


def default_in_words(schema: dict[str, Any]) -> str:
    """Return the default in words, in brackets; nothing for a key without one."""
    value = schema.get("x-shown", schema.get("default"))
    if isinstance(value, bool):
        flag = schema["x-flag"].partition("/")
        return f" [default: {flag[0 if value else 2].removeprefix('--')}]" if flag[1] else ""
    if isinstance(value, list):
        value = ", ".join(value)
    if isinstance(value, float):
        value = f"{value:g}"
    return f" [default: {value}]" if value not in (None, "") else ""


class Duration(click.ParamType[float]):
    """A duration such as `90s`, `20m` or `2h`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return *value* in seconds."""
        found = value if isinstance(value, float) else seconds(str(value))
        if not found:
            self.fail(f"{value!r} is not a duration such as 90s, 20m or 2h", param, ctx)
        return found


def _found(ctx: click.Context, _: click.Parameter, name: str | None) -> Path | None:
    from hubscan.recipe import find

    return find(name) if name else None


RECIPE_FILE = optgroup.option(
    "--recipe",
    "recipe_file",
    callback=_found,
    metavar="FILE",
    help="YAML file with any of the keys above, or the name of a recipe that ships, such as demo;"
    " options override it.",
)


def common_options(function: F) -> F:
    """Add what every command has: `--no-color`, and `-v` to show the traceback of an error."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta["hubscan.verbose"] = value

    def forbid_colors(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            os.environ["NO_COLOR"] = "1"  # rich reads it, too

    no_color = click.option(
        "--no-color", is_flag=True, expose_value=False, callback=forbid_colors, help="Print without colours."
    )
    verbose = click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=remember, help="Show tracebacks."
    )
    return no_color(verbose(function))


def format_option(*names: str, option: Callable[..., Any] = click.option) -> Callable[[F], F]:
    """Add `--format` with the forms in *names*, made by *option*; the first is the default."""
    decorator: Callable[[F], F] = option(
        "--format",
        "form",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help="Output format.",
    )
    return decorator


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """Return the flags that were given; a repeatable one that was not is an empty tuple."""
    return {key: value for key, value in flags.items() if value is not None and value != ()}

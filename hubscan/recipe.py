"""Read recipes: a YAML file and options, checked and merged into one `Recipe`; and write them.

The keys of a recipe are the long options of `hubscan rank`, in the plural where an option can be repeated.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from hubscan.errors import RecipeError
from hubscan.hub_pages import with_ids
from hubscan.plain_text import visible
from hubscan.recipe_fields import QUERY_KEYS as QUERY_KEYS
from hubscan.recipe_fields import Recipe as Recipe
from hubscan.records import TASKS as TASKS
from hubscan.untrusted import Malformed, Refused, bytes_inside, check_yaml

MOST_BYTES: Final = 2**24  # 100,000 checkpoints take 4 MB

# In a checkout the recipes are next to the package, in a wheel inside it.
_SHIPPED: Final = (Path(__file__).parent / "recipes", Path(__file__).parents[1] / "recipes")

_MESSAGES: Final = {
    **dict.fromkeys(
        (("string_pattern_mismatch", key) for key in Recipe.model_fields),
        "should have no control characters",
    ),
    ("string_pattern_mismatch", "device"): "should be auto, cpu, mps, cuda or cuda:N",
    ("string_pattern_mismatch", "separator"): "should be one character, or tab",
    ("string_pattern_mismatch", "background"): "should be a color such as white, or #rrggbb",
    **dict.fromkeys(
        (("string_unicode", key) for key in Recipe.model_fields),
        "is not valid UTF-8; rename the file or folder",
    ),
}
"""What to say where pydantic would quote a regular expression, by type of problem and key."""

_NULL: Final = "tag:yaml.org,2002:null"


def resolve(asked: Mapping[str, Any], file: Path | None = None) -> Recipe:
    """Return the recipe of *file* with *asked* (flags or keyword arguments) over it.

    Raises:
        RecipeError: naming the file, the key and what is wrong with it.
    """
    written = read(file) if file else {}
    keys = with_ids({key: _as_text(value) for key, value in {**written, **asked}.items()})
    try:
        recipe = Recipe(**keys)
    except ValidationError as error:
        origin = {key: (f"{file}: " if key not in asked else "") for key in keys}
        raise RecipeError("; ".join(_explained(problem, origin) for problem in error.errors())) from error
    _refuse_idle_keys(recipe, keys)
    return recipe


def _as_text(value: Any) -> Any:
    """Return a path as text, which is what a recipe holds, also in a sequence."""
    if isinstance(value, tuple):
        return tuple(_as_text(one) for one in value)
    return str(value) if isinstance(value, Path) else value


def find(name: str) -> Path:
    """Return the recipe file *name*: a path, or the name of one that ships with hubscan, such as `demo`.

    Raises:
        RecipeError: if it is neither; the message names the recipes that ship.
    """
    path = Path(name)
    shipped = {file.stem: file for folder in _SHIPPED for file in sorted(folder.glob("*.yaml"))}
    if path.is_file():
        return path
    if name in shipped and not path.exists():
        return shipped[name]
    near = difflib.get_close_matches(path.stem, shipped, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise RecipeError(f"{name}: no such file{hint} Recipes that ship with hubscan: {', '.join(shipped)}")


def read(file: Path) -> dict[str, Any]:
    """Return the keys and values of a recipe file in YAML 1.2, not yet checked.

    Raises:
        RecipeError: if the file is missing, is not a YAML mapping, or has a key twice.
    """
    try:
        place = file.resolve()  # the user named it, so it may be a link
        content = bytes_inside(place.parent, place.name, most_bytes=MOST_BYTES)
        check_yaml(content, most_bytes=MOST_BYTES)
        keys = YAML(typ="safe", pure=True).load(content.decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise RecipeError(f"{file}: no such file") from error
    except Refused as error:
        raise RecipeError(f"{file}: is {error}, not a recipe") from error
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read: {error.strerror or error}") from error
    except Malformed as error:
        raise RecipeError(f"{file}: {error}") from error
    except (YAMLError, ValueError) as error:
        raise RecipeError(f"{file}: not valid YAML: {_yaml_problem(error)}") from error
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys):
        raise RecipeError(f"{file}: a recipe is a mapping of keys to values, such as `dataset: imdb`")
    return keys


def to_yaml(recipe: Recipe) -> str:
    """Return *recipe* as YAML, with every default and a title above each group of keys.

    Reading it gives the same recipe. The keys of the query are left out if checkpoints are named.
    """
    keys = CommentedMap()
    group = None
    for key, value in recipe.model_dump().items():
        if recipe.models and key in QUERY_KEYS:  # the query was not used, and `resolve` would refuse it
            continue
        keys[key] = list(value) if isinstance(value, tuple) else value
        extra = Recipe.model_fields[key].json_schema_extra
        title = extra.get("x-group") if isinstance(extra, dict) else None
        if title and title != group:
            keys.yaml_set_comment_before_after_key(key, before=str(title))
            group = title
    shown = _dumped(keys, allow_unicode=True)
    # Characters that reverse or hide text are escaped, so that the file shows what is in it.
    return shown if visible(shown) == shown else _dumped(keys, allow_unicode=False)


def _dumped(keys: CommentedMap, *, allow_unicode: bool) -> str:
    written = io.StringIO()
    yaml = YAML()
    yaml.allow_unicode = allow_unicode
    yaml.width = 4096  # a folded name would read back as another one where it has two spaces
    yaml.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(_NULL, "null"))
    yaml.dump(keys, written)
    return written.getvalue()


def _yaml_problem(error: Exception) -> str:
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())[:200]
    return f"line {error.problem_mark.line + 1}: {error.problem}"


def _refuse_idle_keys(recipe: Recipe, keys: Mapping[str, Any]) -> None:
    idle = sorted(QUERY_KEYS & {key for key, value in keys.items() if value is not None})
    if recipe.models and idle:
        raise RecipeError(
            f"{', '.join(idle)}: no effect, because checkpoints are named explicitly; "
            "leave out either these keys or the models"
        )


def _explained(problem: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    key, *rest = (str(part) for part in problem["loc"])
    where = origin.get(key, "")
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, Recipe.model_fields, n=1)
        return f"{where}unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    message = _MESSAGES.get((problem["type"], key)) or problem["msg"].removeprefix("Input ")
    return f"{where}{'.'.join([key, *rest])}: {message}, got {problem['input']!r}"

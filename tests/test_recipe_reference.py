"""What is generated from the fields of `Recipe`; `HUBSCAN_WRITE=1 pytest` on this file writes it again."""

from __future__ import annotations

import inspect
import json
import os
import re
import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import hubscan
from hubscan.cli.options import default_in_words
from hubscan.recipe import Recipe, read
from hubscan.recipe_keys import RecipeKeys
from hubscan.scores.registry import METRICS

PARAMETERS = {"dataset", "task", "models"}  # of `hubscan.rank` itself
KEYS = Path(hubscan.__file__).with_name("recipe_keys.py")
HEAD = '''"""The keyword arguments of `hubscan.rank`, generated from the fields of `hubscan.recipe_fields.Recipe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class RecipeKeys(TypedDict, total=False):
    """The keys of a recipe besides dataset, task and models.

    Attributes:
'''
ROOT = Path(__file__).parents[1]
SCHEMA = Path(hubscan.__file__).with_name("recipe.schema.json")
REFERENCE = ROOT / "docs" / "recipes.md"


def checked(file: Path, content: str) -> None:
    if os.environ.get("HUBSCAN_WRITE"):
        file.write_text(content, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == content, "run HUBSCAN_WRITE=1 pytest on this file"


def schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hubscan recipe",
        **{key: value for key, value in Recipe.model_json_schema().items() if key != "title"},
    }


def test_the_schema_is_that_of_the_recipe() -> None:
    checked(SCHEMA, json.dumps(schema(), indent=2) + "\n")


def test_the_reference_lists_every_key_with_its_description_and_default() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    table = f"<!-- keys -->\n{reference()}<!-- /keys -->"
    checked(REFERENCE, re.sub(r"<!-- keys -->.*<!-- /keys -->", lambda _: table, text, flags=re.DOTALL))
    assert all(f"| `{key}` |" in REFERENCE.read_text(encoding="utf-8") for key in Recipe.model_fields)


def test_the_keyword_arguments_of_rank_are_the_keys_of_a_recipe_and_documented() -> None:
    checked(KEYS, keyword_arguments())
    described = inspect.getdoc(RecipeKeys) or ""
    assert set(RecipeKeys.__annotations__) == set(Recipe.model_fields) - PARAMETERS
    assert all(f"    {key}: " in described for key in RecipeKeys.__annotations__)


def keyword_arguments() -> str:
    """Return the module of `RecipeKeys`: the type and the description of every key."""
    keys = {key: facts for key, facts in schema()["properties"].items() if key not in PARAMETERS}
    described = "".join(
        textwrap.fill(
            f"{key}: {facts['description']}{default_in_words(facts)}", 108, initial_indent=" " * 8, subsequent_indent=" " * 12,
            break_on_hyphens=False, break_long_words=False,
        ) + "\n"
        for key, facts in keys.items()
    )  # fmt: skip
    typed = "".join(f"    {key}: {annotation(facts)}\n" for key, facts in keys.items())
    return HEAD + described + '    """\n\n' + typed


def annotation(facts: dict[str, Any]) -> str:
    variants = facts.get("anyOf", [facts])
    items = [v["items"] for v in variants if v.get("type") == "array"]
    if items:
        one = annotation(items[0])
        return f"{one} | Sequence[{one}]"
    names = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
    return " | ".join(
        f"Literal[{', '.join(json.dumps(value) for value in v['enum'])}]" if "enum" in v
        else f"Literal[{json.dumps(v['const'])}]" if "const" in v
        else names[v["type"]]
        for v in variants
    )  # fmt: skip


def reference() -> str:
    lines, group = [], None
    for key, facts in schema()["properties"].items():
        title = facts.get("x-group")
        if title and title != group:
            lines += ["", f"**{title}**", "", "| key | meaning | default |", "|---|---|---|"]
            group = title
        default = default_in_words(facts).removeprefix(" [default: ").removesuffix("]")
        lines.append(f"| `{key}` | {facts['description']} | {default} |")
    return "\n".join([*lines, "", ""])


@pytest.mark.parametrize("file", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_shipped_recipe_fits_the_schema(file: Path) -> None:
    jsonschema.validate(read(file), json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_schema_accepts_a_number_with_a_unit_and_one_name_for_a_list_and_refuses_other_keys() -> None:
    known = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate({"max_params": "50M", "max_bytes": "2GB", "languages": "no"}, known)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"sample": 10}, known)


def test_the_help_of_metric_names_every_metric() -> None:
    named = set(re.findall(r"[a-z-]+", str(Recipe.model_fields["metrics"].description)))
    assert named >= {"transrate", "size", *METRICS}

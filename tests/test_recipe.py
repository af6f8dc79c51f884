from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubscan import quantities, recipe
from hubscan.errors import RecipeError
from hubscan.records import EncodingRequest, Job, Query, SampleRequest, ScoringRequest

SHIPPED = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("file", SHIPPED, ids=lambda p: p.stem)
def test_a_shipped_recipe_loads_and_asks_its_question_on_the_first_line(file: Path) -> None:
    assert recipe.resolve({}, file).dataset
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ") and first.endswith("?")


def test_three_recipes_ship_and_are_found_by_name() -> None:
    assert {"demo", "sentiment-imdb", "image-classes-fashion"} <= {file.stem for file in SHIPPED}
    assert recipe.find("demo").name == "demo.yaml"


def test_a_recipe_that_is_nowhere_names_those_that_ship() -> None:
    with pytest.raises(RecipeError, match=r"nowhere: no such file.*demo"):
        recipe.find("nowhere")


def test_an_unknown_key_is_refused_with_file_key_and_the_nearest_name(tmp_path: Path) -> None:
    file = written(tmp_path, "dataset: imdb\nsample: 200\n")
    with pytest.raises(RecipeError) as refused:
        recipe.resolve({}, file)
    assert str(refused.value) == f"{file}: unknown key 'sample'; did you mean 'samples'?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("samples: many", "samples: should be a valid integer"),
        ("samples: '200'", "samples: should be a valid integer"),
        ("samples: 1", "samples: should be greater than or equal to 10"),
        ("languages: [1]", "languages.0: should be a valid string, got 1"),
        ("models: {a: b}", "models: should be a valid tuple"),
        ("task: juggling", "task: should be 'text-classification', 'token-classification',"),
        ("device: gpu", "device: should be auto, cpu, mps, cuda or cuda:N"),
        ("seed: 1\nseed: 2", 'line 2: found duplicate key "seed"'),
        ("- a list", "a recipe is a mapping"),
        ("dataset: [unclosed", "not valid YAML"),
        ('split: "a\\x85b"', "split: should have no control characters"),
        ("max_params: 12Q", "max_params: should be a valid integer"),
    ],
)
def test_a_wrong_value_is_refused_by_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(RecipeError) as refused:
        recipe.resolve({}, file)
    assert str(refused.value).startswith(f"{file}: ")
    assert said in str(refused.value)


def test_one_name_is_accepted_where_a_list_is_expected(tmp_path: Path) -> None:
    file = written(tmp_path, "models: org/name\nmodalities: image\nmetrics: logme\n")
    asked = recipe.resolve({"label_columns": "stars"}, file)
    assert (asked.models, asked.modalities) == (("org/name",), ("image",))
    assert (asked.metrics, asked.label_columns) == (("logme",), ("stars",))


def test_no_is_norwegian_and_not_false(tmp_path: Path) -> None:
    asked = recipe.resolve({}, written(tmp_path, "languages: [no, en]\n"))
    assert asked.languages == ("no", "en")
    assert recipe.resolve({}, written(tmp_path, recipe.to_yaml(asked))) == asked


def test_a_mistyped_recipe_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match=r"no such file; did you mean 'sentiment-imdb'"):
        recipe.find("sentiment-imbd")


def test_a_wrong_flag_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as refused:
        recipe.resolve({"samples": 1}, written(tmp_path, "dataset: imdb"))
    assert str(refused.value).startswith("samples: ")


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, "dataset: imdb\nsamples: 500\nlimit: 3\n")
    resolved = recipe.resolve({"samples": 50}, file)
    assert (resolved.samples, resolved.limit, resolved.seed) == (50, 3, 0)


def test_query_keys_beside_named_models_are_refused_since_they_would_do_nothing() -> None:
    with pytest.raises(RecipeError, match="license: no effect"):
        recipe.resolve({"models": ("a/b",), "license": "mit"})


@pytest.mark.parametrize(
    ("text", "number"), [("33M", 33_000_000), ("1.5b", 1_500_000_000), ("250000", 250_000), ("7k", 7000)]
)
def test_sizes_read_as_people_write_them(text: str, number: int) -> None:
    assert recipe.resolve({"max_params": text}).max_params == number


def test_the_b_of_a_parameter_count_is_billions_and_that_of_a_byte_size_is_bytes() -> None:
    assert recipe.resolve({"max_params": "2B"}).max_params == quantities.count("2B") == 2_000_000_000
    assert recipe.resolve({"max_bytes": "2B"}).max_bytes == quantities.byte_size("2B") == 2


NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"), min_size=1
)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "dataset": NAMES,
        "split": NAMES,
        "label_columns": st.lists(NAMES).map(tuple),
        "languages": st.lists(NAMES).map(tuple),
        "input_columns": st.lists(NAMES).map(tuple),
        "samples": st.integers(10, 10**6),
        "seed": st.integers(0, 2**63 - 1),
        "max_params": st.integers(0, 10**12),
        "include_gated": st.booleans(),
        "stall_seconds": st.floats(1e-3, 1e6),
        "pooling": st.sampled_from(["auto", "mean", "cls", "pooler"]),
    },
)


@given(keys=KEYS)
def test_a_resolved_recipe_written_and_read_is_the_same(keys: dict[str, Any], tmp_path_factory: Any) -> None:
    asked = recipe.resolve(keys)
    file = tmp_path_factory.getbasetemp() / "again.yaml"
    file.write_text(recipe.to_yaml(asked), encoding="utf-8")
    assert recipe.resolve({}, file) == asked


def test_every_default_is_spelled_out_in_the_resolved_recipe() -> None:
    text = recipe.to_yaml(recipe.resolve({"dataset": "imdb"}))
    assert {line.split(":")[0] for line in text.splitlines() if line[0] not in "-#"} == set(
        recipe.Recipe.model_fields
    )


def test_the_requests_have_the_defaults_of_the_recipe() -> None:
    asked = recipe.Recipe()
    assert asked.query == Query()
    assert asked.sample_request == SampleRequest(dataset=None)
    assert asked.encoding_request == EncodingRequest()
    assert asked.scoring_request == ScoringRequest()
    assert asked.job() == Job()

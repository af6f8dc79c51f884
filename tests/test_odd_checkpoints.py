"""Checkpoints as people leave them: odd configs, vocabularies and processors, and files that are none."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModel,
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTModel,
    Wav2Vec2FeatureExtractor,
)

import hubscan
from hubscan import encoders, extract
from hubscan.encoders.config import essential
from hubscan.encoders.pixels import parts
from hubscan.encoders.precision import precision
from hubscan.encoders.tables import refuse_tokens_without_a_row
from hubscan.errors import CheckpointError
from hubscan.hub import eligibility, listing
from hubscan.hub.fetch import fetch
from hubscan.records import Candidate, EncodingRequest, Query, Skipped
from tests.families import audio
from tests.families.text import model2vec
from tests.hub.checkpoints import BERT_WORDS, MODELS
from tests.support.images import IMAGES

TEXTS: Final = ["warm bright good", "dull", "a warm " * 20]
SMALL: Final[dict[str, Any]] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
Matrix = npt.NDArray[np.float32]
Make = Callable[..., Path]


def change(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def features(folder: Path, inputs: Any, modality: Any = "text", **asked: Any) -> Matrix:
    return extract.extract(encoders.load(folder, modality, EncodingRequest(**asked)), inputs, "cpu").matrix


@pytest.fixture
def copy(hub_root: Path, tmp_path: Path) -> Make:
    """Return a copy of a checkpoint of the test Hub, with changes to its config."""

    def made(name: str, **keys: Any) -> Path:
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(hub_root / "models/tester" / name, folder)
        change(folder / "config.json", **keys)
        return folder

    return made


# -- configs that say how the network was run ----------------------------------------------------

RUN_OTHERWISE: Final[list[dict[str, Any]]] = [
    {"return_dict": False},
    {"use_return_dict": False},
    {"torchscript": True},
    {"output_hidden_states": True, "output_attentions": True, "output_scores": True},
    {"output_hidden_states": [1]},
    {"_attn_implementation": "flash_attention_2"},
    {"attn_implementation": "flash_attention_3"},
    {"attn_implementation": "kernels-community/flash-attn2"},
    {"_attn_implementation": "flex_attention", "_attn_implementation_autoset": True},
    {"_attn_implementation": "paged|flash_attention_2"},
    {"_attn_implementation": {"": "flash_attention_2"}},
    {"_attn_implementation_internal": "flash_attention_2", "_flash_attn_2_enabled": True},
    {"attn_implementation": "magic", "output_attentions": True},
    {"reference_compile": True, "unpad_inputs": True, "use_memory_efficient_attention": True},
    {"use_flash_attn": True, "use_kernels": True, "deepspeed": {"stage": 3}},
    {"torch_dtype": "auto", "dtype": None},
    {"dtype": "torch.bfloat16"},
    {"torch_dtype": "fp16", "dtype": None},
    {"gradient_checkpointing": True, "use_cache": False},
    {"chunk_size_feed_forward": 3},
    {"problem_type": "single_label_classification", "num_labels": 1},
    {"problem_type": "anything"},
    {"id2label": {"LABEL_0": "good"}},
    {"num_labels": None},
    {"quantization_config": {}},
    {"quantization_config": None},
    {"auto_map": None},
    {"transformers_version": "99.1.0", "unknown_key": [1]},
    {"experts_implementation": "magic"},
]


@pytest.mark.parametrize("keys", RUN_OTHERWISE, ids=str)
@pytest.mark.parametrize("name", ["plain-bert", "tiny-vit"])
def test_how_a_network_was_run_elsewhere_does_not_matter(copy: Make, name: str, keys: Any) -> None:
    inputs, modality = (IMAGES, "image") if name == "tiny-vit" else (TEXTS, "text")
    plain = features(copy(name), inputs, modality)
    np.testing.assert_array_equal(features(copy(name, **keys), inputs, modality), plain)


@pytest.mark.parametrize("keys", [RUN_OTHERWISE[0], RUN_OTHERWISE[3], RUN_OTHERWISE[5]], ids=str)
@pytest.mark.parametrize("layers", ["mean", "each"])
def test_nor_does_it_for_layers_and_words(copy: Make, keys: Any, layers: Any) -> None:
    def found(**changed: Any) -> list[Matrix]:
        folder = copy("roberta", **changed)
        asked = EncodingRequest(layers=layers)
        words = encoders.load(folder, "text", asked, places=np.array([[0, 1], [2, 3]]))
        return [
            *extract.extract(encoders.load(folder, "text", asked), TEXTS, "cpu").layers.values(),
            *extract.extract(words, [tuple(text.split()) for text in TEXTS], "cpu").layers.values(),
        ]

    for one, other in zip(found(), found(**keys), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("modality", ["text", "image"])
def test_nor_in_the_configs_of_towers(tmp_path: Path, modality: Any) -> None:
    text = {**SMALL, "vocab_size": len(BERT_WORDS), "max_position_embeddings": 64, "eos_token_id": 3}
    vision = {**SMALL, "image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(tmp_path)
    MODELS["tester/plain-bert"](tmp_path / "bert")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tmp_path / "bert" / name, tmp_path)
    processor = {"image_processor_type": "CLIPImageProcessor", "size": 32, "crop_size": 32}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    inputs: Any = TEXTS if modality == "text" else IMAGES
    plain = features(tmp_path, inputs, modality)
    odd = {"return_dict": False, "_attn_implementation": "flash_attention_2", "torch_dtype": "bf16"}
    config = json.loads((tmp_path / "config.json").read_text())
    nested = {name: config[name] | odd for name in ("text_config", "vision_config")}
    change(tmp_path / "config.json", **nested, **odd)
    np.testing.assert_array_equal(features(tmp_path, inputs, modality), plain)


def test_nor_for_audio(tmp_path: Path) -> None:
    family = next(family for family in audio.FAMILIES if family.model_type == "wav2vec2")
    family.make(tmp_path)
    clips: Any = audio.rows_of(family)[:2]
    plain = features(tmp_path, clips, "audio")
    change(
        tmp_path / "config.json",
        return_dict=False,
        torchscript=True,
        _attn_implementation="flash_attention_2",
    )
    np.testing.assert_array_equal(features(tmp_path, clips, "audio"), plain)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(tmp_path)
    assert extractor.sampling_rate == audio.RATE


def test_eager_attention_is_kept_for_its_exactness() -> None:
    assert essential({"_attn_implementation": "eager"}) == {"_attn_implementation": "eager"}
    assert essential({"text_config": {"attn_implementation": "sdpa", "x": 1}}) == {"text_config": {"x": 1}}
    labels = {"id2label": {"0": "dtype"}, "label2id": {"dtype": 0}}
    assert essential(labels) == labels


@pytest.mark.parametrize(
    ("named", "used"), [("torch.float16", "float16"), ("bfloat16", "bfloat16"), ("auto", "float32")]
)
def test_the_stored_precision_may_be_written_as_code(tmp_path: Path, named: str, used: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"torch_dtype": named}))
    assert precision("auto", tmp_path, on_gpu=True) == used


def test_what_transformers_says_of_a_wrong_value_is_one_whole_line(copy: Make) -> None:
    with pytest.raises(CheckpointError, match=r"layer_norm_eps.*expected float, got str") as refused:
        encoders.load(copy("plain-bert", layer_norm_eps="tiny"), "text")
    assert "\n" not in str(refused.value)


# -- tokens without a vector ---------------------------------------------------------------------


def llama(folder: Path, **tokens: str) -> Path:
    """A decoder whose tokenizer has the special *tokens*; one named "<pad>" is added behind the table."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(BERT_WORDS), num_key_value_heads=4, max_position_embeddings=64, **SMALL
    )
    LlamaModel(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel(BERT_WORDS, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words, **tokens).save_pretrained(folder)
    return folder


def row_by_row(folder: Path) -> Matrix:
    """The last token's state of each text, straight from transformers, without any padding."""
    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        rows = [
            model(
                **tokenizer(
                    text, return_tensors="pt", return_token_type_ids=False, max_length=64, truncation=True
                )
            )
            for text in TEXTS
        ]
    return np.stack([row.last_hidden_state[0, -1].numpy() for row in rows])


@pytest.mark.parametrize(
    "tokens",
    [
        {"pad_token": "<pad>", "eos_token": "[SEP]", "unk_token": "[UNK]"},
        {"pad_token": "<pad>", "eos_token": "<end>"},
        {"eos_token": "[SEP]"},
        {"pad_token": "[UNK]", "unk_token": "[UNK]"},
        {"pad_token": "[PAD]"},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("pad_token_id", ["unstated", None, -1, len(BERT_WORDS), 50_000])
def test_any_token_pads(tmp_path: Path, tokens: dict[str, str], pad_token_id: Any) -> None:
    folder = llama(tmp_path, **tokens)
    expected = row_by_row(folder)
    if pad_token_id != "unstated":
        change(folder / "config.json", pad_token_id=pad_token_id)
    change(folder / "tokenizer_config.json", padding_side="left")
    np.testing.assert_allclose(features(folder, TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(features(folder, TEXTS[::-1])[::-1], expected, atol=1e-5)


@pytest.mark.parametrize("pad_token_id", [None, 50_000, [1]])
def test_positions_are_counted_from_the_usual_padding(copy: Make, pad_token_id: Any) -> None:
    plain = features(copy("roberta"), TEXTS)
    np.testing.assert_array_equal(features(copy("roberta", pad_token_id=pad_token_id), TEXTS), plain)


def test_positions_that_begin_at_zero_are_all_used(copy: Make) -> None:
    encoder = encoders.load(copy("roberta", pad_token_id=-1), "text", EncodingRequest(max_length=500))
    assert np.isfinite(extract.extract(encoder, ["warm " * 100], "cpu").matrix).all()


def test_padding_that_is_read_needs_a_vector(tmp_path: Path) -> None:
    from tests.families.text import FAMILIES

    next(family for family in FAMILIES if family.model_type == "fnet").make(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_special_tokens({"pad_token": "<padding>"})
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"its padding token '<padding>' has number \d+, its embedding table \d+ rows"
    ):
        encoders.load(tmp_path, "text")


def with_added(folder: Path, *words: str) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(list(words))
    tokenizer.save_pretrained(folder)
    return folder


def test_a_token_without_a_vector_is_named_with_both_sizes(copy: Make) -> None:
    folder = with_added(copy("plain-bert"), "brandname")
    size = len(BERT_WORDS)
    reason = (
        f"its tokenizer has {size + 1} tokens, its embedding table {size} rows, and 1 of 3 inputs contain a token "
        r"without a row \('brandname'\); remove such tokens"
    )
    encoder = encoders.load(folder, "text")
    with pytest.raises(CheckpointError, match=reason):
        encoder.prepare(["warm", "warm brandname", "dull"])
    with pytest.raises(CheckpointError, match="its tokenizer has"):
        encoder.prepare([("warm", "brandname"), ("warm", "dull")])
    places = np.array([[0, 1]])
    with pytest.raises(CheckpointError, match="its tokenizer has"):
        encoders.load(folder, "text", places=places).prepare([("warm", "brandname")])


def test_one_that_does_not_occur_does_no_harm(copy: Make) -> None:
    plain = features(copy("plain-bert"), TEXTS)
    np.testing.assert_array_equal(features(with_added(copy("plain-bert"), "brandname"), TEXTS), plain)


def test_tables_of_vectors_are_held_to_the_same(tmp_path: Path) -> None:
    folder, _ = model2vec(tmp_path / "table")
    plain = hubscan.embed(str(folder), ["warm", "dull"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["brandname"])
    tokenizer.save(str(folder / "tokenizer.json"))
    np.testing.assert_array_equal(hubscan.embed(str(folder), ["warm", "dull"]), plain)
    with pytest.raises(CheckpointError, match="contain a token without a row"):
        hubscan.embed(str(folder), ["a brandname"])


def test_types_of_tokens_need_a_vector_too(copy: Make) -> None:
    encoder: Any = encoders.load(copy("plain-bert"), "text")
    row = {"input_ids": [2, 5, 3], "token_type_ids": [0, 2, 0]}
    with pytest.raises(
        CheckpointError, match="gives token type 2, its table of token types has 2 rows; correct"
    ):
        refuse_tokens_without_a_row(encoder.model, encoder.tokenizer, [row])


# -- images --------------------------------------------------------------------------------------


def noise(width: int, height: int, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "PNG")
    return stored.getvalue()


SHAPES: Final = [(40, 40), (24, 60), (60, 24), (40, 40), (33, 47), (24, 60)]
PICTURES: Final = [noise(*shape, seed) for seed, shape in enumerate(SHAPES)]
KEEPING_SHAPE: Final[list[dict[str, Any]]] = [
    {"image_processor_type": "ViTImageProcessor", "do_resize": False},
    {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "do_center_crop": False},
    {"image_processor_type": "CLIPImageProcessor", "do_resize": False, "do_center_crop": False},
]


@pytest.mark.parametrize("processor", KEEPING_SHAPE, ids=str)
def test_images_of_several_shapes_have_the_features_that_each_has_alone(copy: Make, processor: Any) -> None:
    folder = copy("tiny-resnet")
    statistics = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps({**processor, **statistics}))
    encoder = encoders.load(folder, "image")
    assert len(list(parts(encoder.prepare(PICTURES).batch(range(len(PICTURES)))))) == len(set(SHAPES))
    alone = np.concatenate([features(folder, [picture], "image") for picture in PICTURES])
    np.testing.assert_allclose(features(folder, PICTURES, "image"), alone, atol=1e-6)
    assert np.ptp(alone, axis=0).max() > 1e-3


def test_images_that_are_not_resized_cost_what_they_are(copy: Make) -> None:
    folder = copy("tiny-resnet")
    change(folder / "preprocessor_config.json", image_processor_type="ViTImageProcessor", do_resize=False)
    lengths = encoders.load(folder, "image").prepare([noise(64, 64), noise(640, 64)]).lengths
    assert list(lengths) == [16, 160]


@pytest.mark.parametrize(
    ("mean", "std"), [([0.5], [0.5]), ([0.5] * 3, [0.5] * 3), ([0.2], [0.3] * 3)], ids=str
)
@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_a_network_of_one_channel_reads_grey(tmp_path: Path, family: str, mean: Any, std: Any) -> None:
    torch.manual_seed(0)
    vit = ViTConfig(**SMALL, image_size=32, patch_size=8, num_channels=1)
    resnet = ResNetConfig(num_channels=1, embedding_size=8, hidden_sizes=[16], depths=[1])
    model: Any = ViTModel(vit) if family == "vit" else ResNetModel(resnet)
    model.eval()
    model.save_pretrained(tmp_path)
    size = {"height": 32, "width": 32}
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": size,
        "image_mean": mean,
        "image_std": std,
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    expected = []
    for picture in PICTURES:
        grey = Image.open(io.BytesIO(picture)).convert("L").resize((32, 32), Image.Resampling.BILINEAR)
        pixels = (torch.from_numpy(np.array(grey)).float() / 255 - mean[0]) / std[0]
        with torch.no_grad():
            states = model(pixels[None, None]).last_hidden_state[0]
        expected.append((states[0] if family == "vit" else states.mean((1, 2))).numpy())
    np.testing.assert_allclose(features(tmp_path, PICTURES, "image"), np.stack(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "mean", "said"),
    [
        (1, [0.4, 0.5, 0.6], r"reads 1 channels, its image_mean is \[0.4, 0.5, 0.6\]; correct"),
        (3, [0.5, 0.5], r"reads 3 channels, its image_mean is \[0.5, 0.5\]; correct"),
        (4, [0.5] * 4, "its network reads 4 channels, an image has 1 or 3; choose another"),
    ],
)
def test_statistics_that_do_not_fit_the_channels_are_a_reason(
    tmp_path: Path, channels: int, mean: Any, said: str
) -> None:
    ViTModel(ViTConfig(**SMALL, image_size=32, patch_size=8, num_channels=channels)).save_pretrained(tmp_path)
    processor = {"image_processor_type": "ViTImageProcessor", "image_mean": mean, "image_std": mean}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    with pytest.raises(CheckpointError, match=said):
        encoders.load(tmp_path, "image")


@pytest.mark.parametrize(
    "processor",
    [
        {"feature_extractor_type": "ViTFeatureExtractor", "do_resize": True, "size": 32, "resample": 2},
        {"image_processor_type": "ViTImageProcessorFast", "size": {"height": 32, "width": 32}},
        {"image_processor_type": "ViTImageProcessor", "size": 32, "image_mean": [0.5], "image_std": [0.5]},
        {"size": {"height": 32, "width": 32}},
    ],
    ids=str,
)
def test_old_short_and_incomplete_processors_are_read(copy: Make, processor: Any) -> None:
    plain = features(copy("tiny-vit"), PICTURES, "image")
    folder = copy("tiny-vit", output_attentions=True, _attn_implementation="flash_attention_2")
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    np.testing.assert_allclose(features(folder, PICTURES, "image"), plain, atol=1e-6)


@pytest.mark.parametrize(
    ("processor", "made"),
    [
        ({"size": {"height": 48, "width": 48}}, "48 × 48"),
        ({"size": {"height": 32, "width": 64}}, "32 × 64"),
        ({"do_resize": False}, "40 × 40"),
    ],
)
def test_another_size_than_the_network_has_is_a_reason_with_both(
    copy: Make, processor: Any, made: str
) -> None:
    folder = copy("tiny-vit")
    change(folder / "preprocessor_config.json", **processor)
    said = f"makes images of {made} pixels, its network reads 32 × 32; correct size"
    with pytest.raises(CheckpointError, match=said):
        features(folder, PICTURES, "image")


EXTREME: Final = [(40, 40), (1, 1), (3, 40), (40, 3), (1, 500), (500, 1), (3, 3), (1, 3), (1, 5_000)]


@pytest.mark.parametrize(
    "kind", ["ViTImageProcessor", "CLIPImageProcessor", "ConvNextImageProcessor", "BitImageProcessor"]
)
def test_images_of_one_colour_are_alike_whatever_their_shape(copy: Make, kind: str) -> None:
    folder = copy("tiny-resnet")
    square = {"height": 32, "width": 32}
    size = square if kind == "ViTImageProcessor" else {"shortest_edge": 32}
    change(folder / "preprocessor_config.json", image_processor_type=kind, size=size, crop_size=square)
    files = []
    for shape in EXTREME:
        stored = io.BytesIO()
        Image.new("RGB", shape, (200, 40, 90)).save(stored, "PNG")
        files.append(stored.getvalue())
    found = features(folder, files, "image")
    np.testing.assert_allclose(found, found[:1].repeat(len(files), 0), atol=1e-4)


# -- files that are none -------------------------------------------------------------------------

POINTER: Final = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 437955512\n"
)
FAULTS: Final[dict[str, tuple[Any, str]]] = {
    "pointer": (
        lambda content: POINTER,
        "is a Git LFS pointer, not the file; run git lfs pull in this folder",
    ),
    "empty": (lambda content: b"", "is empty; copy or download it again"),
    "page": (
        lambda content: b"\n<!DOCTYPE html><html>404</html>",
        "is a web page, not the file; download it again",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("plain-bert", "config.json"),
        ("plain-bert", "model.safetensors"),
        ("plain-bert", "tokenizer.json"),
        ("plain-bert", "tokenizer_config.json"),
        ("sentence-bert", "modules.json"),
        ("sentence-bert", "1_Pooling/config.json"),
        ("sentence-bert", "config_sentence_transformers.json"),
        ("tiny-vit", "preprocessor_config.json"),
        ("plain-bert", "vocab.txt"),
        ("plain-bert", "spiece.model"),
        ("plain-bert", "model-00001-of-00002.safetensors"),
    ],
)
def test_a_file_that_is_none_is_named(copy: Make, name: str, file: str, fault: str) -> None:
    make, said = FAULTS[fault]
    folder = copy(name)
    place = folder / file
    place.write_bytes(make(place.read_bytes() if place.exists() else b""))
    modality: Any = "image" if name == "tiny-vit" else "text"
    for named in listing.named([str(folder)], Query(), "text", "image"):
        assert isinstance(named, Candidate)
    candidate = Candidate(str(folder), "sha256:0", modality, local=True)
    for use in (
        lambda: fetch(candidate),
        lambda: encoders.load(folder, modality),
        lambda: hubscan.embed(str(folder), ["a"], modality=modality),
    ):
        with pytest.raises(CheckpointError, match=f"{file} {said}") as refused:
            use()
        assert str(refused.value).removeprefix(f"{folder}: ") == f"{file} {said}"


def test_of_a_repository_its_authors_are_to_be_asked(copy: Make, tmp_path: Path) -> None:
    cached = tmp_path / "models--a--b/snapshots/0123"
    shutil.copytree(copy("plain-bert"), cached)
    (cached / "tokenizer.json").write_bytes(POINTER)
    with pytest.raises(
        CheckpointError, match=r"tokenizer.json is a Git LFS pointer, not the file; ask its authors"
    ):
        encoders.load(cached, "text")


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (
            lambda content: content[: len(content) // 2],
            r"is cut off: it has [\d,]+ of its [\d,]+ bytes; copy or",
        ),
        (lambda content: content[:-1], r"is cut off: it has"),
        (lambda content: content[:100], r"is cut off: it has 100 of its [\d,]+ bytes"),
        (lambda content: content[:5], "does not begin as a safetensors file; download"),
        (lambda content: b"PK\3\4" + content, "does not begin as a safetensors file; download"),
        (lambda content: b"\x80\2" + content[8:], "does not begin as a safetensors file; download"),
        (lambda content: content[:8] + b"[" + content[9:], "does not begin as a safetensors file; download"),
    ],
)
def test_weights_that_are_cut_off_or_something_else_say_so(copy: Make, cut: Any, said: str) -> None:
    folder = copy("plain-bert")
    weights = folder / "model.safetensors"
    weights.write_bytes(cut(weights.read_bytes()))
    with pytest.raises(CheckpointError, match=f"model.safetensors .*{said}"):
        encoders.load(folder, "text")


def test_a_variant_of_the_weights_that_is_not_read_may_be_a_pointer(copy: Make) -> None:
    folder = copy("plain-bert")
    (folder / "model.fp16.safetensors").write_bytes(POINTER)
    assert encoders.load(folder, "text")


def test_a_tokenizer_whose_limit_is_none_has_that_of_the_network(copy: Make) -> None:
    folder = copy("plain-bert")
    change(folder / "tokenizer_config.json", model_max_length=-1)
    assert max(encoders.load(folder, "text").prepare(["warm " * 100]).lengths) == 64


def test_an_empty_file_of_merges_is_one(copy: Make) -> None:
    folder = copy("plain-bert")
    (folder / "merges.txt").touch()
    assert encoders.load(folder, "text")


def test_an_adapter_beside_weights_is_neither_applied_nor_ignored(copy: Make) -> None:
    folder = copy("plain-bert")
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="has an adapter beside its weights; merge it"):
        eligibility.check(folder, "text")
    assert (
        eligibility.reason_in_names(["model.safetensors", "adapter_config.json"])
        == eligibility.EMBEDDED_ADAPTER
    )
    assert eligibility.reason_in_names(["modules.json", "net/model.safetensors"]) is None
    assert eligibility.reason_in_names(["net/model.safetensors"]) == eligibility.NO_SAFETENSORS


def test_a_folder_without_a_config_is_skipped(tmp_path: Path) -> None:
    (skipped,) = listing.named([str(tmp_path)], Query(), "text")
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "no config.json in this folder; pass the folder of a checkpoint"

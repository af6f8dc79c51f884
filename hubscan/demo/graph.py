"""An ONNX file in, its nodes and its constants out: protobuf read as data, nothing is executed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubscan.errors import HubscanError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Constants = dict[str, npt.NDArray[Any]]
    Tensors = dict[str, npt.NDArray[np.float32]]


def read_graph(path: Path) -> tuple[list[Any], Constants]:
    """Return the nodes in order of execution, and the stored arrays by name."""
    try:
        import onnx
    except ImportError as error:
        raise HubscanError("the demo reads ONNX files: pip install 'hubscan[demo]'") from error
    graph = onnx.load(path).graph
    return list(graph.node), {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}


def quantised_weights(path: Path) -> Tensors:
    """Return the weights of a graph that was rounded to int8, as float32 under their module names.

    Biases and embeddings kept their names. Matrices lie transposed, most of them under a number;
    but the node that multiplies by one still bears the module's name in its output:
    `/encoder/layer.0/attention/self/query/MatMul_…`.
    """
    import numpy as np

    nodes, constants = read_graph(path)
    tensors: Tensors = {}
    for name, values in constants.items():
        if name.endswith("_quantized"):
            tensors[name.removesuffix("_quantized")] = _restored(name, constants)
        elif values.dtype == np.float32 and not name.endswith("_scale"):
            tensors[name] = values
    for node in nodes:
        if node.op_type == "MatMulInteger" and node.input[1] in constants:
            name = node.input[1].removesuffix("_quantized")
            module = ".".join(node.output[0].split("/")[1:-1])
            named = f"{module}.weight" if name.startswith("onnx::") else name
            tensors[named] = tensors.pop(name).T
    return tensors


def _restored(name: str, constants: Constants) -> npt.NDArray[np.float32]:
    import numpy as np

    stem = name.removesuffix("_quantized")
    zero = constants[f"{stem}_zero_point"].astype(np.float32)
    scale = constants[f"{stem}_scale"]  # one number, or one a column
    restored: npt.NDArray[np.float32] = (constants[name].astype(np.float32) - zero) * scale
    return restored

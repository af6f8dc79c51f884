"""Read the nodes and constants of an ONNX file as data; nothing is executed."""

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
    """Return the nodes in execution order, and the stored arrays by name."""
    try:
        import onnx
    except ImportError as error:
        raise HubscanError("the demo needs onnx: pip install 'hubscan[demo]'") from error
    graph = onnx.load(path).graph
    return list(graph.node), {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}


def quantised_weights(path: Path) -> Tensors:
    """Return the weights of an int8-quantised graph, as float32 under their module names.

    Biases and embeddings have kept their names. Matrices are stored transposed, and most are named by a
    number; but the output of the node that multiplies by one contains the name of the module:
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
    scale = constants[f"{stem}_scale"]  # one number, or one per column
    restored: npt.NDArray[np.float32] = (constants[name].astype(np.float32) - zero) * scale
    return restored

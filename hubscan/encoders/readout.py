"""Build the pooling and the modules after it from what a sentence-transformers checkpoint declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from hubscan.encoders.declared import Declaration, Module, stated
from hubscan.encoders.pooling import POOLED
from hubscan.errors import CheckpointError

MODES: Final[Mapping[str, str]] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Keys of older pooling configs, in the order in which vectors are concatenated if several are true."""

NAMES: Final = {"mean_sqrt_len_tokens": "sqrt-mean", "weightedmean": "weighted-mean", "lasttoken": "last"}
"""Poolings whose name here differs."""

ACTIVATIONS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    kind.__name__: kind
    for kind in (
        *(nn.Tanh, nn.Identity, nn.ReLU, nn.GELU, nn.Sigmoid, nn.SiLU, nn.ELU, nn.LeakyReLU),
        *(nn.Softplus, nn.Mish, nn.Hardswish, nn.ReLU6, nn.SELU, nn.CELU, nn.Softsign, nn.LogSigmoid),
    )
}
"""Activations of a dense layer. A config names one as a class to import; hubscan looks it up here instead."""


@dataclass(frozen=True)
class Readout:
    """How states become the vector of a text."""

    poolings: str  # names for `pooling.pool`, joined with a plus
    include_prompt: bool = True  # whether the tokens of a prompt are pooled too
    steps: tuple[str, ...] = ()  # names of the modules after the pooling
    head: nn.Sequential = field(default_factory=nn.Sequential)

    @property
    def name(self) -> str:
        """Return all steps by name: "mean, dense, normalize"."""
        return ", ".join([self.poolings, *self.steps])


def readout(declared: Declaration) -> Readout | None:
    """Return how the checkpoint turns states into the vector of a text, None if it declares nothing.

    Raises:
        CheckpointError: if it declares something unsupported, which `--pooling` can override, or if weights
            of a module are missing or do not fit.
    """
    _, *behind = declared.modules or (None,)
    if not behind:
        return None
    if behind[0].kind != "Pooling":
        raise _refused(behind[0].kind)
    poolings, include_prompt = _pooling(behind[0])
    return Readout(poolings, include_prompt, *_head(behind[1:], declared.width))


def static_readout(declared: Declaration) -> Readout:
    """Return the readout of static embeddings: their mean, and the modules after it.

    Raises:
        CheckpointError: as `readout` does.
    """
    return Readout("mean", True, *_head(declared.modules[1:], declared.width))


def normalizing() -> Readout:
    """Return the mean, normalised to length 1."""
    return Readout("mean", True, ("normalize",), nn.Sequential(_Normalize()))


def _head(behind: Sequence[Module], width: int | None) -> tuple[tuple[str, ...], nn.Sequential]:
    """Return the modules after the pooling, by name and as one network."""
    parts = [(module.kind.lower(), _behind(module)) for module in behind if module.kind != "Dropout"]
    if width:
        parts.append((f"first {width}", _First(width)))
    head = nn.Sequential(*(part for _, part in parts)).eval().requires_grad_(False)
    return tuple(name for name, _ in parts), head


def _refused(what: str) -> CheckpointError:
    return CheckpointError(f"declares {what}, which is not supported; choose a pooling with --pooling")


def _pooling(module: Module) -> tuple[str, bool]:
    """Return the names of the poolings, and whether they include the tokens of a prompt."""
    config = stated(module.folder / "config.json")
    said = config.get("pooling_mode", [mode for key, mode in MODES.items() if config.get(key)])
    modes = [str(mode) for mode in (said or ["mean"] if isinstance(said, list) else [said])]
    modes += [
        key for key, on in config.items() if key.startswith("pooling_mode_") and on and key not in MODES
    ]
    names = [NAMES.get(mode, mode) for mode in modes]
    if not set(names) <= set(POOLED):
        raise _refused(f"the pooling {', '.join(names)}")
    return "+".join(names), config.get("include_prompt") is not False


def _behind(module: Module) -> nn.Module:
    """Return a module that comes after the pooling."""
    config = stated(module.folder / "config.json")
    if config.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise _refused(f"{module.kind} of single tokens")
    if module.kind == "Normalize":
        return _Normalize()
    if module.kind == "LayerNorm":
        width = _width(module, config, "dimension")
        return _filled(module, {"norm": nn.LayerNorm(width)})["norm"]
    if module.kind == "Dense":
        return _dense(module, config)
    raise _refused(module.kind)


def _dense(module: Module, config: Mapping[str, Any]) -> nn.Module:
    wide, out = (_width(module, config, key) for key in ("in_features", "out_features"))
    named = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    activation = ACTIVATIONS.get(named.rpartition(".")[2]) if named.startswith("torch.nn.modules.") else None
    if activation is None:
        raise CheckpointError(
            f"declares a dense layer with {named}, which is not a supported activation; "
            "choose a pooling with --pooling"
        )
    parts: dict[str, nn.Module] = {"linear": nn.Linear(wide, out, bias=config.get("bias") is not False)}
    residual = config.get("use_residual") is True
    if residual and wide != out:
        parts["residual"] = nn.Linear(wide, out, bias=False)
    parts = _filled(module, parts)
    through = nn.Sequential(parts["linear"], activation())
    return _Residual(through, parts.get("residual", nn.Identity())) if residual else through


def _width(module: Module, config: Mapping[str, Any], key: str) -> int:
    width = config.get(key)
    if not isinstance(width, int) or not 0 < width < 1_000_000:
        raise CheckpointError(f"{module.folder.name}/config.json is damaged: {key} is {width!r}; correct it")
    return width


def _filled(module: Module, parts: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Return *parts* with the weights from the module's folder, which must match exactly."""
    file = module.folder / "model.safetensors"
    if not file.exists():
        raise CheckpointError(
            f"no safetensors weights for its module {module.folder.name}; choose a pooling with --pooling"
        )
    try:
        nn.ModuleDict(parts).load_state_dict(
            {key: tensor.float() for key, tensor in load_file(file).items()}, strict=True
        )
    except SafetensorError as error:
        raise CheckpointError(
            f"weights of {module.folder.name} are damaged: {error}; download them again"
        ) from error
    except RuntimeError as error:
        said = " ".join(str(error).split()).partition(": ")[2]
        raise CheckpointError(
            f"weights of {module.folder.name} do not fit: {said[:200]}; correct its config.json"
        ) from error
    return parts


class _Normalize(nn.Module):
    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(vectors, dim=-1)


class _Residual(nn.Module):
    def __init__(self, through: nn.Module, beside: nn.Module) -> None:
        super().__init__()
        self.through, self.beside = through, beside

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.through(vectors) + self.beside(vectors)
        return added


class _First(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors[:, : self.width]

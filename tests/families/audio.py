"""Families that read sounds."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
    AutoFeatureExtractor,
    AutoModel,
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    PreTrainedModel,
    SeamlessM4TFeatureExtractor,
    SEWConfig,
    SEWDConfig,
    SEWDModel,
    SEWModel,
    UniSpeechConfig,
    UniSpeechModel,
    UniSpeechSatConfig,
    UniSpeechSatModel,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2Config,
    Wav2Vec2ConformerConfig,
    Wav2Vec2ConformerModel,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from hubscan.records import Input
from tests.families.family import Direct, Family

RATE: Final = 16_000
CLAP_RATE: Final = 48_000
WIDTH: Final = 32
SMALL: Final[Mapping[str, Any]] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
WAVES: Final[Mapping[str, Any]] = {
    # The usual kernels and strides, so that a state is 20 ms.
    **SMALL,
    "conv_dim": (16,) * 7,
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def sound(seed: int, seconds: float, rate: int = RATE, **how: Any) -> bytes:
    """Return a wav file of a few tones in noise."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * pitch * time) for pitch in random.uniform(100, 3000, 3))
    samples = 0.1 * tones + 0.02 * random.normal(size=len(time))
    stored = io.BytesIO()
    soundfile.write(stored, samples, rate, format="WAV", **how)
    return stored.getvalue()


def rows(rate: int = RATE) -> list[Input]:
    """Return sounds of several lengths, two of them equally long, one shorter than a window by far."""
    lengths = (0.7, 1.9, 0.7, 1.203, 0.31)
    return [sound(seed, seconds, rate, subtype="FLOAT") for seed, seconds in enumerate(lengths)]


def rows_of(family: Family) -> list[Input]:
    """Return `rows` at the rate that *family* reads."""
    return rows(CLAP_RATE if family.model_type == "clap" else RATE)


# -- the direct computation -------------------------------------------------------------------------


def samples(row: Input) -> npt.NDArray[np.float32]:
    assert isinstance(row, bytes)
    read: npt.NDArray[np.float32] = soundfile.read(io.BytesIO(row), dtype="float32")[0]
    return read


@torch.no_grad()
def frames(folder: Path, row: Input) -> Sequence[torch.Tensor]:
    """The mean over the states of a sound alone, with the mask that its feature extractor gives."""
    inputs = AutoFeatureExtractor.from_pretrained(folder)(
        samples(row), sampling_rate=RATE, return_tensors="pt"
    )
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    output = model(**inputs, output_hidden_states=True)
    states = (*output.hidden_states[:-1], output.last_hidden_state)
    mask = inputs.get("attention_mask")
    real = slice(None) if mask is None or mask.shape[1] != states[0].shape[1] else mask[0].bool()
    return [layer[0, real].mean(0) for layer in states]


@torch.no_grad()
def whisper(folder: Path, row: Input) -> Sequence[torch.Tensor]:
    """The mean over those states of the encoder that lie in the sound, and not in the silence behind."""
    waveform = samples(row)
    inputs = AutoFeatureExtractor.from_pretrained(folder)(waveform, sampling_rate=RATE, return_tensors="pt")
    encoder = WhisperModel.from_pretrained(folder, dtype=torch.float32).eval().encoder
    output = encoder(**inputs, output_hidden_states=True)
    real = -(-len(waveform) // 320)
    return [layer[0, :real].mean(0) for layer in (*output.hidden_states[:-1], output.last_hidden_state)]


@torch.no_grad()
def spectrogram(folder: Path, row: Input) -> Sequence[torch.Tensor]:
    """The mean of AST's two tokens; the mean over all states of the layers before."""
    inputs = AutoFeatureExtractor.from_pretrained(folder)(
        samples(row), sampling_rate=RATE, return_tensors="pt"
    )
    output = ASTModel.from_pretrained(folder, dtype=torch.float32).eval()(**inputs, output_hidden_states=True)
    before = [layer[0].mean(0) for layer in output.hidden_states[:-1]]
    return [*before, output.last_hidden_state[0, :2].mean(0)]


@torch.no_grad()
def clap(folder: Path, row: Input) -> Sequence[torch.Tensor]:
    """What CLAP's audio tower pools; the mean over the map of the layers before."""
    waveform = samples(row)
    inputs = AutoFeatureExtractor.from_pretrained(folder)(
        waveform, sampling_rate=CLAP_RATE, return_tensors="pt"
    )
    tower = ClapModel.from_pretrained(folder, dtype=torch.float32).eval().audio_model
    inputs["is_longer"] = torch.tensor([[False]])  # it is not, whatever the extractor calls it
    output = tower(**inputs, output_hidden_states=True)
    before = [layer[0].mean((1, 2)) for layer in output.hidden_states[:-1]]
    return [*before, output.pooler_output[0]]


# -- the checkpoints --------------------------------------------------------------------------------


def saved(
    model: Callable[[Any], PreTrainedModel], config: Any, extractor: Any = None
) -> Callable[[Path], None]:
    """Return what writes a checkpoint with random weights that are larger than transformers makes them."""

    def make(folder: Path) -> None:
        torch.manual_seed(0)
        network = model(config)
        with torch.no_grad():
            for name, weight in network.named_parameters():
                if weight.ndim > 1 and "parametrizations" not in name:
                    weight.copy_(torch.randn_like(weight) / weight[0].numel() ** 0.5)
        network.save_pretrained(folder)
        (extractor or Wav2Vec2FeatureExtractor()).save_pretrained(folder)

    return make


def whisper_config() -> WhisperConfig:
    return WhisperConfig(
        vocab_size=64, d_model=WIDTH, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_source_positions=100,
        max_target_positions=16, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip


def clap_config(fusion: bool) -> ClapConfig:
    text = ClapTextConfig(vocab_size=64, max_position_embeddings=32, projection_dim=16, **SMALL)
    audio = ClapAudioConfig(
        spec_size=64, patch_size=4, patch_stride=[4, 4], num_mel_bins=16, window_size=4, hidden_size=64,
        patch_embeds_hidden_size=16, depths=[1, 1, 1], num_attention_heads=[2, 2, 4], num_hidden_layers=3,
        projection_dim=16, enable_fusion=fusion,
    )  # fmt: skip
    return ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=16)


def clap_extractor(truncation: str) -> ClapFeatureExtractor:
    return ClapFeatureExtractor(
        feature_size=16, sampling_rate=CLAP_RATE, max_length_s=2, hop_length=480, truncation=truncation
    )


def _mean(name: str, kind: str, make: Callable[[Path], None], direct: Direct = frames) -> Family:
    return Family(
        name, kind, "audio", make, "mean (default)", "states of 20 ms, none for all of them", direct
    )


LAYER_NORM: Final[Mapping[str, Any]] = {
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
MASKED: Final = Wav2Vec2FeatureExtractor(return_attention_mask=True)

FAMILIES: Final[Sequence[Family]] = (
    _mean("Wav2Vec2", "wav2vec2", saved(Wav2Vec2Model, Wav2Vec2Config(**WAVES))),
    _mean("Wav2Vec2, large", "wav2vec2", saved(Wav2Vec2Model, Wav2Vec2Config(**WAVES, **LAYER_NORM), MASKED)),
    _mean(
        "Wav2Vec2 Conformer",
        "wav2vec2-conformer",
        saved(Wav2Vec2ConformerModel, Wav2Vec2ConformerConfig(**WAVES)),
    ),
    _mean(
        "Wav2Vec2-BERT",
        "wav2vec2-bert",
        saved(
            Wav2Vec2BertModel,
            Wav2Vec2BertConfig(**SMALL, feature_projection_input_dim=160, conv_depthwise_kernel_size=5),
            SeamlessM4TFeatureExtractor(feature_size=80, num_mel_bins=80, stride=2),
        ),
    ),
    _mean("HuBERT", "hubert", saved(HubertModel, HubertConfig(**WAVES))),
    _mean("WavLM", "wavlm", saved(WavLMModel, WavLMConfig(**WAVES))),
    _mean("WavLM, large", "wavlm", saved(WavLMModel, WavLMConfig(**WAVES, **LAYER_NORM), MASKED)),
    _mean("UniSpeech", "unispeech", saved(UniSpeechModel, UniSpeechConfig(**WAVES))),
    _mean("UniSpeech-SAT", "unispeech-sat", saved(UniSpeechSatModel, UniSpeechSatConfig(**WAVES))),
    _mean(
        "Data2Vec Audio",
        "data2vec-audio",
        saved(Data2VecAudioModel, Data2VecAudioConfig(**WAVES, conv_pos_kernel_size=5)),
    ),
    _mean("SEW", "sew", saved(SEWModel, SEWConfig(**WAVES, squeeze_factor=2))),
    _mean("SEW-D", "sew-d", saved(SEWDModel, SEWDConfig(**WAVES, squeeze_factor=2))),
    Family(
        "Whisper",
        "whisper",
        "audio",
        saved(WhisperModel, whisper_config(), WhisperFeatureExtractor(chunk_length=2)),
        "mean (default)",
        "states of the audio only, not of the silence that fills its window",
        whisper,
    ),
    Family(
        "Audio Spectrogram Transformer",
        "audio-spectrogram-transformer",
        "audio",
        saved(
            ASTModel,
            ASTConfig(**SMALL, max_length=200, num_mel_bins=32),
            ASTFeatureExtractor(max_length=200, num_mel_bins=32),
        ),
        "pooler (convention)",
        "the mean of its class and distillation tokens, as in its own classifier",
        spectrogram,
    ),
    *(
        Family(
            f"CLAP, {truncation}",
            "clap",
            "audio",
            saved(ClapModel, clap_config(truncation == "fusion"), clap_extractor(truncation)),
            "pooler (convention)",
            "the mean over the map of its audio tower, before the projection",
            clap,
        )
        for truncation in ("rand_trunc", "fusion")
    ),
)

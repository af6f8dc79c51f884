"""The families of text encoders: what makes a tiny one of each, and what its features are, row by row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CONFIG_MAPPING, AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from hubscan.records import Input
from tests.families.family import Family
from tests.hub.words import VOCABULARY, sentence

POSITIONS: Final = 48
SPECIAL: Final = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
WORDS: Final = {word: number for number, word in enumerate((*SPECIAL, *VOCABULARY))}

ROWS: Final[list[Input]] = [sentence(label, Random(label)) for label in (0, 1, 2)]
ROWS.extend(("a", "warm bright good", "dull " * 20 + "warm " * 300))  # the last is cut

Marks = str  # what a tokenizer puts around a text, "A" being the text: "<s> A </s>"
Config = Mapping[str, Any]

POOLER: Final = 10**6  # no place: the network's own head

NOWHERE: Final = "declared nowhere, and trained for no vector of a text: the mean of all tokens serves"
HALF: Final = "declared nowhere; the decoder reads all states, and so does the mean"
LAST: Final = "the classification class of the family in transformers reads the last token"

BERT: Final[Config] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
}
ROBERTA: Final = {**BERT, "max_position_embeddings": POSITIONS + 2}  # they count from behind the padding's id
SPLIT: Final = {**BERT, "embedding_size": 16}
XLM: Final = {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "max_position_embeddings": POSITIONS}
DEBERTA: Final = {**BERT, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
DECODER: Final = {**BERT, "num_key_value_heads": 2, "head_dim": 8}
GPT2: Final = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS}
MAMBA: Final = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}
T5: Final[Config] = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
T5GEMMA: Final = {**DECODER, "vocab_size": len(WORDS)}
TOWERS: Final = {
    "text_config": {**BERT, "vocab_size": len(WORDS)},
    "vision_config": {**BERT, "image_size": 32, "patch_size": 16},
}
BART: Final[Config] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": POSITIONS,
}
PROPHETNET: Final = {
    "hidden_size": 32,
    "encoder_ffn_dim": 48,
    "num_encoder_layers": 2,
    "num_encoder_attention_heads": 4,
    "decoder_ffn_dim": 48,
    "num_decoder_layers": 1,
    "num_decoder_attention_heads": 4,
    "max_position_embeddings": POSITIONS + 1,
}
FUNNEL: Final = {
    "architectures": ["FunnelModel"],
    "block_sizes": [1, 1],
    "block_repeats": [1, 1],
    "num_decoder_layers": 1,
    **{"d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48},
}


def write_tokenizer(folder: Path, marks: Marks, **settings: Any) -> None:
    """Write a tokenizer of whole words."""
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    around = [(mark, WORDS[mark]) for mark in ("<s>", "</s>")]
    single, second = marks.replace("A", "$A"), marks.replace("A", "$B").removeprefix("<s> ")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=f"{single} {second}", special_tokens=around
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        bos_token="<s>",
        sep_token="</s>",
        eos_token="</s>",
        mask_token="<mask>",
        **settings,
    ).save_pretrained(folder)


def model2vec(folder: Path, vectors: torch.Tensor | None = None, **config: Any) -> tuple[Path, torch.Tensor]:
    """Write a table in model2vec's layout, by default of random vectors; return it and the vectors."""
    folder.mkdir()
    write_tokenizer(folder, "<s> A </s>")
    (folder / "tokenizer_config.json").unlink()
    if vectors is None:
        vectors = torch.randn(len(WORDS), 8, generator=torch.Generator().manual_seed(0))
    save_file({"embeddings": vectors}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", **config}))
    return folder, vectors


def make(model_type: str, marks: Marks, config: Config, folder: Path) -> None:
    """Write a random checkpoint whose rows are far apart: its matrices are wide."""
    torch.manual_seed(0)
    made = CONFIG_MAPPING[model_type](**{"vocab_size": len(WORDS), "pad_token_id": 0, **config})
    model = AutoModel.from_config(made)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(std=0.25)
    model.save_pretrained(folder)
    write_tokenizer(folder, marks)


@cache
def _loaded(folder: Path, loader: Any) -> tuple[Any, Any]:
    how = {} if loader is AutoModel else {"is_encoder_decoder": False}
    model = loader.from_pretrained(folder, dtype=torch.float32, **how)
    whole = getattr(model, "text_model", model)
    network = whole.get_encoder() if whole.config.is_encoder_decoder else whole
    return network.eval(), AutoTokenizer.from_pretrained(folder)


def direct(loader: Any, place: int | None, pad: bool, folder: Path, row: Input) -> Sequence[torch.Tensor]:
    """Return of each layer the mean of the text's states, or the one at *place*."""
    network, tokenizer = _loaded(folder, loader)
    ids = tokenizer(row, truncation=True, max_length=POSITIONS)["input_ids"]
    padding = [0] * (POSITIONS - len(ids)) if pad else []
    with torch.no_grad():
        output = network(torch.tensor([ids + padding]), output_hidden_states=True)
    layers = [*output.hidden_states[:-1], output.last_hidden_state]
    texts = [states[0, : len(ids)] for states in layers]
    if place == POOLER:
        return [*(states.mean(0) for states in texts[:-1]), output.pooler_output[0]]
    return [states.mean(0) if place is None else states[place] for states in texts]


def family(
    name: str,
    model_type: str,
    config: Config = BERT,
    marks: Marks = "<s> A </s>",
    pooling: str = "mean (default)",
    where: str = NOWHERE,
    loader: Any = AutoModel,
    *,
    layers: bool = True,
    pad: bool = False,
) -> Family:
    """Return a family that pools the mean, or the last token where *pooling* says so.

    With *pad* every row is padded to the limit, and no mask says so.
    """
    place = {"mean": None, "last": -1, "pooler": POOLER}[pooling.partition(" ")[0]]
    made = partial(make, model_type, marks, config)
    return Family(name, model_type, "text", made, pooling, where, partial(direct, loader, place, pad), layers)


half = partial(family, where=HALF, marks="A </s>")
last = partial(family, pooling="last (convention)", where=LAST, marks="<s> A")

ENCODERS: Final = [
    family("BERT", "bert"),
    family("ALBERT", "albert", SPLIT),
    family("ELECTRA", "electra", SPLIT),
    family("MPNet", "mpnet", ROBERTA),
    family("RoBERTa", "roberta", ROBERTA),
    family("XLM-RoBERTa", "xlm-roberta", ROBERTA),
    family("XLM-RoBERTa XL", "xlm-roberta-xl", ROBERTA),
    family("RoBERTa PreLayerNorm", "roberta-prelayernorm", ROBERTA),
    family("CamemBERT", "camembert", ROBERTA),
    family("data2vec text", "data2vec-text", ROBERTA),
    family("X-MOD", "xmod", {**ROBERTA, "default_language": "en_XX"}),
    family("I-BERT", "ibert", ROBERTA),
    family("LUKE", "luke", {**ROBERTA, "entity_vocab_size": 8, "entity_emb_size": 16}),
    family("ESM", "esm", ROBERTA),
    family(
        "DistilBERT",
        "distilbert",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": POSITIONS},
    ),
    family("DeBERTa", "deberta", DEBERTA),
    family("DeBERTa-v2 and v3", "deberta-v2", {**DEBERTA, "position_buckets": 8, "conv_kernel_size": 3}),
    family("ModernBERT", "modernbert", {**BERT, "local_attention": 8, "global_attn_every_n_layers": 2}),
    family("EuroBERT", "eurobert", DECODER),
    family("NomicBERT", "nomic_bert"),
    family("GTE", "gte"),
    family("Jina embeddings v3", "jina_embeddings_v3"),
    family("UltraBERT", "ultrabert"),
    family("Longformer", "longformer", {**ROBERTA, "attention_window": 8}),
    family("BigBird", "big_bird", {**BERT, "block_size": 4, "num_random_blocks": 1}),
    family("Funnel", "funnel", FUNNEL, layers=False),
    family("ConvBERT", "convbert", {**SPLIT, "conv_kernel_size": 3}),
    family("MobileBERT", "mobilebert", {**SPLIT, "intra_bottleneck_size": 16}),
    family("SqueezeBERT", "squeezebert", {**BERT, "embedding_size": 32}),
    family("Nyströmformer", "nystromformer", {**BERT, "num_landmarks": 8, "segment_means_seq_len": 8}),
    family("YOSO", "yoso"),
    family("FNet", "fnet", pad=True),
    family("ERNIE", "ernie"),
    family("Megatron-BERT", "megatron-bert"),
    family("RoFormer", "roformer", SPLIT),
    family("RoCBert", "roc_bert"),
    family("RemBERT", "rembert", {**BERT, "input_embedding_size": 16}),
    family("FlauBERT", "flaubert", XLM),
    family("XLM", "xlm", XLM),
    family("XLNet", "xlnet", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}, "A </s> <s>"),
    family("LayoutLM", "layoutlm"),
    family("MarkupLM", "markuplm", {**ROBERTA, "max_depth": 4, "xpath_unit_hidden_size": 4}),
    family("LiLT", "lilt", {**ROBERTA, "hidden_size": 48}),
    family("BertGeneration", "bert-generation"),
    family("Splinter", "splinter"),
    family(
        "EmbeddingGemma",
        "gemma3_text",
        {**DECODER, "use_bidirectional_attention": True},
        where="its repositories declare the mean in 1_Pooling/config.json",
    ),
]
TEXT_TOWERS: Final = [
    family(
        "CLIP",
        "clip",
        TOWERS,
        pooling="last (convention)",
        where="the state of the last token, as in its own pooler",
    ),
    *(
        family(
            name,
            model_type,
            TOWERS,
            "A </s>",
            "pooler (convention)",
            "through the head that it was trained with",
            pad=True,
        )
        for name, model_type in (("SigLIP", "siglip"), ("SigLIP 2", "siglip2"))
    ),
]
HALVES: Final = [
    half("T5 and FLAN-T5", "t5", T5, loader=transformers.T5EncoderModel),
    half("mT5", "mt5", T5, loader=transformers.MT5EncoderModel),
    half("UMT5", "umt5", T5, loader=transformers.UMT5EncoderModel),
    half("LongT5", "longt5", T5, loader=transformers.LongT5EncoderModel),
    half(
        "Switch Transformers",
        "switch_transformers",
        {**T5, "num_experts": 2, "num_sparse_encoder_layers": 1},
        loader=transformers.SwitchTransformersEncoderModel,
    ),
    half(
        "T5Gemma",
        "t5gemma",
        {"encoder": T5GEMMA, "decoder": T5GEMMA},
        loader=transformers.T5GemmaEncoderModel,
    ),
    half("BART", "bart", BART, marks="<s> A </s>"),
    half("mBART", "mbart", BART),
    half("PLBart", "plbart", BART),
    half("MVP", "mvp", BART, marks="<s> A </s>"),
    half("LED", "led", {**BART, "attention_window": 8}, marks="<s> A </s>"),
    half("Pegasus", "pegasus", BART),
    half("Pegasus-X", "pegasus_x", {**BART, "block_size": 32, "num_global_tokens": 4}, layers=False),
    half("BigBird-Pegasus", "bigbird_pegasus", BART),
    half("Marian", "marian", BART),
    half("M2M100 and NLLB", "m2m_100", BART),
    half("Blenderbot", "blenderbot", BART),
    half("Blenderbot small", "blenderbot-small", BART),
    half("ProphetNet", "prophetnet", PROPHETNET),
]
DECODERS: Final = [
    last("Qwen3", "qwen3", DECODER),
    last("Qwen2", "qwen2", DECODER),
    last("Qwen3 MoE", "qwen3_moe", {**DECODER, "num_experts": 4, "num_experts_per_tok": 2}),
    last("Gemma", "gemma", DECODER),
    last("Gemma 2", "gemma2", DECODER),
    last("Gemma 3", "gemma3_text", DECODER),
    last("Mistral", "mistral", DECODER),
    last("Ministral", "ministral", DECODER),
    last("Mixtral", "mixtral", {**DECODER, "num_local_experts": 4}),
    last("Llama", "llama", DECODER),
    last("Phi", "phi", DECODER),
    last("Phi-3", "phi3", DECODER),
    last("OLMo", "olmo", DECODER),
    last("OLMo 2", "olmo2", DECODER),
    last("OLMo 3", "olmo3", DECODER),
    last("SmolLM3", "smollm3", DECODER),
    last("Granite", "granite", DECODER),
    last("Cohere", "cohere", DECODER),
    last("Cohere 2", "cohere2", DECODER),
    last("StarCoder2", "starcoder2", DECODER),
    last("StableLM", "stablelm", DECODER),
    last("GLM", "glm", DECODER),
    last("GLM-4", "glm4", DECODER),
    last("Helium", "helium", DECODER),
    last("Nemotron", "nemotron", DECODER),
    last("ERNIE 4.5", "ernie4_5", DECODER),
    last("EXAONE 4", "exaone4", DECODER),
    last("Arcee", "arcee", DECODER),
    last("Seed-OSS", "seed_oss", DECODER),
    last("Apertus", "apertus", DECODER),
    last("InternLM3", "internlm3", DECODER),
    last("Hunyuan", "hunyuan_v1_dense", DECODER),
    last("GPT-OSS", "gpt_oss", {**DECODER, "num_local_experts": 4}),
    last("DiffLlama", "diffllama", DECODER),
    last("Persimmon", "persimmon", DECODER),
    last("ModernBERT decoder", "modernbert-decoder"),
    last("GPT-NeoX and Pythia", "gpt_neox"),
    last("GPT-NeoX Japanese", "gpt_neox_japanese"),
    last("GPT", "openai-gpt", GPT2),
    last("GPT-2", "gpt2", GPT2),
    last("GPT BigCode", "gpt_bigcode", GPT2),
    last("GPT-J", "gptj", {**GPT2, "rotary_dim": 8}),
    last("CodeGen", "codegen", {**GPT2, "rotary_dim": 8}),
    last(
        "GPT-Neo",
        "gpt_neo",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "max_position_embeddings": POSITIONS,
            "attention_types": [[["global", "local"], 1]],
        },
    ),
    last("OPT", "opt", {**BERT, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    last("BLOOM", "bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    last("MPT", "mpt", {"d_model": 32, "n_layers": 2, "n_heads": 4}),
    last("Falcon", "falcon", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}),
    last("XGLM", "xglm", {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48}),
    last("BioGPT", "biogpt"),
    last("CTRL", "ctrl", {"n_embd": 32, "n_layer": 2, "n_head": 4, "dff": 48}),
    last("Mamba", "mamba", MAMBA),
    last("Mamba 2", "mamba2", {**MAMBA, "num_heads": 8, "head_dim": 8, "n_groups": 1}),
    last("RWKV", "rwkv", {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32}),
]

FAMILIES: Final = [*ENCODERS, *TEXT_TOWERS, *HALVES, *DECODERS]

LEFT_OUT: Final[Mapping[str, str]] = {
    "mra": "its attention needs a CUDA kernel that transformers downloads; hubscan refuses it",
    "reformer": "its attention uses random hashes, so no two passes over a long text agree",
    "perceiver": "returns states of latents instead of tokens; it is skipped when it is run",
    "canine": "reads characters in strides of four and fails on a shorter text",
    "fsmt": "its encoder is not a model of transformers and has no config",
    "tapas": "its tokenizer reads only tables",
    "speecht5, seamless_m4t, kosmos, git, trocr": "text is only half of what they read or write",
    "encoder-decoder": "two checkpoints of other families in one; rank the parts instead",
}
"""Text encoders of transformers that are not answered for, and why."""

"""Find candidates: list the Hub by a query, or resolve names, and pin each candidate to its commit.

Nothing else reads the Hub's listing. It checks everything that the listing states, and downloads no weights:
a checkpoint that cannot be used is left out, with the reason, before any of its files are fetched.
"""

from __future__ import annotations

import difflib
import heapq
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import build_hf_headers, paginate, validate_repo_id  # type: ignore[attr-defined]

from hubscan import __version__
from hubscan.errors import CheckpointError, HubError
from hubscan.families import family_of
from hubscan.hub import cached, eligibility, settings
from hubscan.hub.client import ASKING, api, ask_once, explained, is_unreachable, why_not_asked
from hubscan.hub.deciding import content_of, deciding_files
from hubscan.hub.local_facts import license_in, parameters_in
from hubscan.hub.rows import Row, row_of
from hubscan.records import Candidate, Listed, Modality, Query, Skipped
from hubscan.untrusted import bytes_of, json_of

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

ENCODER_TAGS: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("feature-extraction", "sentence-similarity", "fill-mask", "text-classification"),
    "image": ("image-feature-extraction", "image-classification", "zero-shot-image-classification"),
    "audio": ("audio-classification", "feature-extraction", "automatic-speech-recognition"),
}
"""Pipeline tags of encoders. Each is one listing; the listings are merged."""

TAGS_OF_TASK: Final[Mapping[str, tuple[str, ...]]] = {
    "token-classification": (
        "feature-extraction",
        "sentence-similarity",
        "fill-mask",
        "token-classification",
    ),
}
"""Pipeline tags for tasks that have encoders of their own."""

SHARED_TAG: Final = "feature-extraction"  # text and audio share it; the config distinguishes them
TOWERS_TAG: Final = "zero-shot-image-classification"  # dual encoders for images and texts
PAIR_TAG: Final = "text-ranking"  # cross-encoders: trained to read two texts in one pass

FIELDS: Final = [
    "sha", "safetensors", "gated", "library_name", "pipeline_tag", "tags", "config", "downloads",
    "likes", "lastModified", "createdAt", "trendingScore", "cardData",
]  # fmt: skip
FILES: Final = ["siblings"]  # requested for single checkpoints only; a listing would grow by megabytes

SORTS: Final = {
    "last_modified": "lastModified",
    "created_at": "createdAt",
    "trending_score": "trendingScore",
}
"""The names of the API for those of the client."""

TOKENIZERS: Final = ("tokenizer*", "vocab*", "*.model", "modules.json")

MOST_NEIGHBOURS: Final = 1_000  # folders that are compared with the name of a missing one
FORGIVING_SECONDS: Final = 30.0  # for so long the Hub is not asked again after it could not be reached
ROWS_A_CANDIDATE: Final = 5  # rows to request from each listing for each candidate wanted

_unreachable_at = -FORGIVING_SECONDS


def search(query: Query, *modalities: Modality) -> Iterator[Listed]:
    """Yield the rows of the merged listings, best first, until `limit` of them are candidates.

    Several modalities take turns: the most popular text encoders have many times the downloads of the most
    popular vision encoders, and would leave no room for those.

    Raises:
        HubError: if the endpoint cannot be reached or refuses.
    """
    waiting = deque(_merged(query, modality, modalities) for modality in modalities)
    wanted = query.limit
    if settings.offline_because():
        raise HubError(
            f"the Hub is not asked for checkpoints, as {settings.offline_because()} is set; "
            "unset it, or name checkpoints that are in the cache with --model"
        )
    ask_once()
    while waiting and wanted:
        rows = waiting.popleft()
        for row in rows:
            yield row
            if row.excluded is None:
                wanted -= 1
                waiting.append(rows)
                break


def _merged(query: Query, modality: Modality, modalities: Sequence[Modality]) -> Iterator[Listed]:
    """Yield the rows of one modality's listings, best first."""
    key = _sort_key(query.sort)
    with explained("the listing of models"):
        listings = [_listing(query, tag) for tag in _tags(query, modality, modalities)]
        seen = set[str]()
        for row in heapq.merge(*listings, key=key, reverse=True):
            info = row.info
            if info.id in seen:
                continue
            seen.add(info.id)
            if row.problem:
                yield Listed(Candidate(info.id, "", modality), row.problem)
                continue
            towers = _towers(_model_type(info)) & set(modalities)
            if info.pipeline_tag == TOWERS_TAG and modality not in (towers or {"image"}):
                continue
            if info.pipeline_tag != SHARED_TAG or _may_read(_model_type(info), modality):
                listed = _listed(info, query, modality)
                yield replace(listed, candidate=replace(listed.candidate, tower=len(towers) > 1))


def named(models: Iterable[str], query: Query, *modalities: Modality) -> Iterator[Candidate | Skipped]:
    """Yield a candidate for each of *models*: an id, `id@revision`, or a local folder.

    If there are several *modalities*, each checkpoint gets the one that its files read, and a dual encoder
    is a candidate for each that its towers read. Renamed ids are followed. A name that cannot be resolved
    is yielded as `Skipped`.
    """
    for name in dict.fromkeys(models):
        try:
            folder = _folder(name)
            yield from _local(name, folder, modalities) if folder else _remote(name, query, modalities)
        except (HubError, CheckpointError) as error:
            yield Skipped(name, None, "resolve", error.reason(name))


def _folder(name: str) -> Path | None:
    """Return the folder that *name* is, None if it is the id of a repository.

    Raises:
        CheckpointError: if *name* is neither.
    """
    try:
        folder = Path(name).expanduser()
        is_folder, is_file = folder.is_dir(), folder.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, or the home of no user
        folder, is_folder, is_file = Path(), False, False
    if is_folder:
        return folder
    if not _looks_like_a_path(name):
        return None
    if is_file:
        raise CheckpointError(f"{name}: not a folder; pass the folder that contains the checkpoint's files")
    raise CheckpointError(f"{name}: no such folder{_suggestion(name, folder)}")


def _looks_like_a_path(name: str) -> bool:
    if name.startswith((".", "/", "~")) or "\\" in name:
        return True
    try:
        validate_repo_id(name.partition("@")[0])
    except HFValidationError:
        return True
    return False


def _suggestion(name: str, folder: Path) -> str:
    """Return a hint that names the folder with the most similar name in the same parent, or ""."""
    try:
        siblings = [
            entry.name for entry in islice(folder.parent.iterdir(), MOST_NEIGHBOURS) if entry.is_dir()
        ]
    except OSError:
        return ""
    close = difflib.get_close_matches(folder.name, siblings, n=1)
    return f"; did you mean {name.rstrip('/').removesuffix(folder.name)}{close[0]}?" if close else ""


def _model_type(info: ModelInfo) -> str | None:
    model_type = (info.config or {}).get("model_type")
    return model_type if isinstance(model_type, str) else None


def _towers(model_type: str | None) -> set[Modality]:
    """Return the modalities that a dual encoder of *model_type* reads; of any other type, nothing."""
    family = family_of(model_type)
    return set(family.towers) if family.is_dual else set()


def _may_read(model_type: str | None, modality: Modality) -> bool:
    """Return whether a checkpoint of *model_type* may read *modality*.

    Modalities share pipeline tags and file names, so only the model type identifies an audio encoder.
    """
    towers = family_of(model_type).towers
    return modality in towers if "audio" in (modality, *towers) else True


def _tags(query: Query, modality: Modality, modalities: Sequence[Modality]) -> tuple[str, ...]:
    """Return the pipeline tags to list.

    Pairs of texts, recognised by their two columns, add that of cross-encoders. Texts that come with images
    add that of dual encoders, whose text towers read them.
    """
    tags = TAGS_OF_TASK.get(query.task or "", ENCODER_TAGS[modality])
    if modality == "text" and "image" in modalities:
        return (*tags, TOWERS_TAG)
    return (*tags, PAIR_TAG) if modality == "text" and query.pairs else tags


def _listing(query: Query, pipeline_tag: str) -> Iterator[Row]:
    """Yield the rows of one listing; the client's own function ends at the first row that it cannot read."""
    tags = ["safetensors", *query.languages]
    tags += [f"license:{query.license}"] if query.license else []
    tags += [query.library] if query.library else []
    tags += [f"dataset:{query.trained_on}"] if query.trained_on else []
    bounds = [f"max:{query.max_params}"] + ([f"min:{query.min_params}"] if query.min_params else [])
    limit = ROWS_A_CANDIDATE * max(query.limit, 10)
    asked = {
        "pipeline_tag": pipeline_tag,
        "filter": tags,
        "author": query.author,
        "search": query.search,
        "num_parameters": ",".join(bounds),
        "gated": None if query.include_gated else False,
        "sort": SORTS.get(query.sort, query.sort),
        "limit": limit,
        "expand": FIELDS,
    }
    params = {name: value for name, value in asked.items() if value is not None}
    headers = build_hf_headers(library_name="hubscan", library_version=__version__)
    rows = paginate(f"{constants.ENDPOINT}/api/models", params=params, headers=headers)
    return map(row_of, islice(rows, limit))


def _sort_key(sort: str) -> Callable[[Row], tuple[float, str]]:
    def key(row: Row) -> tuple[float, str]:
        value = getattr(row.info, sort, None) or 0
        return (value.timestamp() if isinstance(value, datetime) else float(value), row.info.id)

    return key


def _listed(info: ModelInfo, query: Query, modality: Modality) -> Listed:
    candidate = _candidate(info, query, modality)
    cached.note_main(candidate.model, candidate.revision)
    reason = _unusable(info, modality)
    if reason is None and not _may_read(_model_type(info), modality):
        reason = f"model type {_model_type(info) or 'unknown'} is not a supported {modality} encoder"
    if reason is None and "safetensors" not in (info.tags or []):
        reason = eligibility.NO_SAFETENSORS
    if reason is None and info.gated and not query.include_gated:
        reason = "gated"
    if reason is None and (candidate.downloads or 0) < query.min_downloads:
        reason = f"{candidate.downloads or 0} downloads, fewer than {query.min_downloads}"
    if reason is None and candidate.parameters and candidate.parameters > query.max_params:
        reason = f"{candidate.parameters} parameters, more than {query.max_params}"
    return Listed(candidate, reason)


def _candidate(info: ModelInfo, query: Query, modality: Modality) -> Candidate:
    card = info.card_data
    tags = info.tags or []
    license_tag = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)
    trained = {tag.removeprefix("dataset:") for tag in tags if tag.startswith("dataset:")}
    return Candidate(
        model=info.id,
        revision=str(info.sha),
        modality=modality,
        parameters=info.safetensors.total if info.safetensors else None,
        license=license_tag or (str(card.license) if card and card.license else None),
        downloads=info.downloads,
        pipeline_tag=info.pipeline_tag,
        library=info.library_name,
        flags=("trained on this dataset",) if query.dataset in trained else (),
    )


def _unusable(info: ModelInfo, modality: Modality) -> str | None:
    if info.sha is None:
        return "the listing names no commit"
    by_tags = eligibility.reason_in_tags(info.tags or [], info.library_name)
    return by_tags or eligibility.reason(info.config or {}, modality)


def _read_by(
    files: Collection[str], tag: str | None, model_type: str | None, modalities: Sequence[Modality]
) -> Sequence[Modality]:
    """Return which of *modalities* a checkpoint with *files* reads.

    The model type alone identifies audio encoders and dual encoders. An image encoder has a
    preprocessor_config.json, without which it cannot be used. A text encoder has a tokenizer.
    """
    open_to = [modality for modality in modalities if _may_read(model_type, modality)] or list(modalities)
    has_tokenizer = any(fnmatch(name, kind) for name in files for kind in TOKENIZERS)
    towers = _towers(model_type) - (set() if has_tokenizer else {"text"})
    if any(modality in towers for modality in open_to):
        return [modality for modality in open_to if modality in towers]
    if len(open_to) == 1 or "audio" in open_to:
        return open_to[:1] if len(open_to) == 1 else ["audio"]
    if "image" in open_to and "preprocessor_config.json" in files:
        return ["image"]
    if "text" in open_to and has_tokenizer:
        return ["text"]
    tagged = [modality for modality in open_to if tag in ENCODER_TAGS.get(modality, ())]
    return (tagged or open_to)[:1]


def _of_each(candidate: Candidate, modalities: Sequence[Modality]) -> Iterator[Candidate]:
    """Yield *candidate* once for each of *modalities*, marked as a tower if there are several."""
    for modality in modalities:
        yield replace(candidate, modality=modality, tower=len(modalities) > 1)


def _remote(name: str, query: Query, modalities: Sequence[Modality]) -> Iterator[Candidate]:
    """Yield *name* as the Hub describes it, or as the client's cache has it if the Hub cannot be asked."""
    global _unreachable_at
    repo, _, revision = name.partition("@")
    offline = settings.offline_because()
    try:
        with explained(repo):
            validate_repo_id(repo)
            if offline or time.monotonic() - _unreachable_at < FORGIVING_SECONDS:
                yield from _in_cache(name, modalities)
                return
            info = api().model_info(
                repo,
                revision=revision or None,
                expand=FIELDS + FILES,  # type: ignore[arg-type]
                timeout=ASKING,  # type: ignore[arg-type]
            )
    except HubError as error:
        if not is_unreachable(error):
            raise
        _unreachable_at = time.monotonic()
        yield from _in_cache(name, modalities)
        return
    names = [file.rfilename for file in info.siblings or []]
    read = _read_by(names, info.pipeline_tag, _model_type(info), modalities)
    reason = _unusable(info, read[0]) or eligibility.reason_in_names(names)
    if reason:
        raise CheckpointError(f"{name}: {reason}")
    if not revision:
        cached.note_main(info.id, str(info.sha))
    yield from _of_each(_candidate(info, query, read[0]), read)


def _in_cache(name: str, modalities: Sequence[Modality]) -> Iterator[Candidate]:
    because = why_not_asked()
    found = cached.checkpoint(name, because)
    exact = name.endswith(f"@{found.commit}")
    candidate = Candidate(
        found.repo,
        found.commit,
        "text",
        parameters=parameters_in(found.folder),
        license=license_in(found.folder),
        library="transformers",
        flags=() if exact else (f"commit {found.commit[:7]} from the cache, as {because}",),
    )
    yield from _of_each(candidate, _read_by(found.names, None, _type_in(found.folder), modalities))


def _local(name: str, folder: Path, modalities: Sequence[Modality]) -> Iterator[Candidate]:
    if not {"config.json", "modules.json"} & deciding_files(folder).keys():
        raise CheckpointError(f"{name}: no config.json in this folder; pass the folder of a checkpoint")
    read = _read_by([file.name for file in folder.iterdir()], None, _type_in(folder), modalities)
    candidate = Candidate(
        name,
        content_of(folder),
        read[0],
        local=True,
        parameters=parameters_in(folder),
        license=license_in(folder),
        library="transformers",
    )
    yield from _of_each(candidate, read)


def _type_in(folder: Path) -> str | None:
    """Return the model type in a folder's config, None if it is damaged; loading it reports the damage."""
    try:
        model_type = json_of(bytes_of(folder / "config.json"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return model_type if isinstance(model_type, str) else None

"""Publish a run in a repository of the user; no other module writes to the Hub.

README.md      the card
ranking.json   the ranking, as `--format json` prints it
recipe.yaml    what was asked
lock.yaml      what was used
sample.parquet row ids, labels and groups of the sample, unless the dataset is on the user's disk
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import yaml
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    constants,
    get_token,
    metadata_load,
)
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import ModelInfo

from hubscan import run_files, sample_file
from hubscan.errors import HubError
from hubscan.hub.client import api, explained
from hubscan.publish.card import card_of
from hubscan.publish.public import is_hub_id, public
from hubscan.publish.secrets import refuse_secrets
from hubscan.report.json_form import as_json
from hubscan.run import LOCK, RECIPE, SAMPLE, Run
from hubscan.run_labels import labels_of

CARD, RANKING = "README.md", "ranking.json"
OURS: Final = (CARD, RANKING, RECIPE, LOCK, SAMPLE)
OWN_TAG: Final = "hubscan"
MADE_BY_THE_HUB: Final = {".gitattributes"}

LOG_IN: Final = "log in with `hf auth login`, using a token with write access"
REFUSALS: Final = {
    401: f"the Hub does not accept the token; {LOG_IN}",
    403: "your token may not write there; use one with write access to this repository",
    409: "somebody else is writing there right now; try again",
    412: "somebody else committed there in the meantime, and nothing was overwritten; try again",
}


@dataclass(frozen=True, slots=True)
class Published:
    """The outcome of publishing a run."""

    url: str  # of the repository's page
    commit: str  # the commit of its main branch now
    changed: bool  # False if all files were up to date, and no commit was made


def publish(
    run: Run, repo: str, *, private: bool = False, force: bool = False, token: str | None = None
) -> Published:
    """Commit the card of *run*, and the files that reproduce it, to *repo*; create *repo* if necessary.

    All files go into one commit on top of the state that was checked, so nobody's changes are lost. With
    *force*, a repository with content that hubscan did not write is accepted; its history keeps that content.

    Raises:
        RankingError: if nothing was scored.
        HubError: if there is no token, if the repository belongs to somebody else or has other content, or
            if the Hub refuses the card or cannot be reached.
    """
    check_repo(repo)
    files = contents(run, repo)
    token = token or get_token()
    if token is None:
        raise HubError(f"{repo}: you are not logged in; {LOG_IN}")
    with _explained_writing(repo):
        # Validate first: otherwise a card that the Hub refuses would leave an empty repository.
        with _card_refused(repo):
            ModelCard(files[CARD].decode()).validate("model")
        hub = api()
        info = _opened(hub, repo, private, token)
        mine = _is_ours(hub, info, token)
        if not (mine or force):
            _refuse_foreign(repo, info)
        return _committed(hub, info, files, replaces=mine, token=token)


def contents(run: Run, repo: str) -> dict[str, bytes]:
    """Return the files to publish by name; none of them reveals a path of this machine.

    Raises:
        RankingError: if nothing was scored.
        HubError: if the card's metadata could not be read back, or a file contains what looks like a secret.
    """
    shown = public(run)
    card = card_of(shown, repo)
    _check_card(card)
    files = {
        CARD: card.encode(),
        RANKING: (as_json(shown.ranking) + "\n").encode(),
        RECIPE: shown.recipe_yaml().encode(),
        LOCK: shown.lock_yaml().encode(),
    }
    refuse_secrets(files)
    # Row ids of a local dataset are useless to others, and its labels may be private.
    if not shown.local_dataset and run_files.is_there(run.folder, SAMPLE):
        # Described as in the lock, whose text was checked for secrets.
        sample = replace(labels_of(run), draw=run.lock.draw)
        files[SAMPLE] = sample_file.as_bytes(sample, inputs=False)
    return files


def check_repo(repo: str) -> None:
    """Refuse an id without a namespace, which would depend on who is logged in.

    Raises:
        HubError: if *repo* is not a valid `namespace/name`.
    """
    if not is_hub_id(repo) or "/" not in repo:
        raise HubError(f"{repo}: not a valid repository id (expected `namespace/name`)")


def _check_card(card: str) -> None:
    try:
        results = ModelCard(card).data.get("eval_results")
    except (ValueError, yaml.YAMLError) as error:
        raise HubError(f"the card's metadata cannot be read back: {error}") from error
    if not results:
        raise HubError("the card's metadata contains no score")


def _opened(hub: HfApi, repo: str, private: bool, token: str) -> ModelInfo:
    """Return the Hub's description of *repo*; create it if it does not exist."""
    look = partial(hub.model_info, repo, token=token)
    try:
        info = look()
    except RepositoryNotFoundError:
        # None, not False: the default of the organisation may be private.
        hub.create_repo(repo, private=private or None, exist_ok=True, token=token)
        info = look()
    if private and not info.private:
        raise HubError(f"{repo} is public; make it private in its settings, or publish without --private")
    return info


def _is_ours(hub: HfApi, info: ModelInfo, token: str) -> bool:
    if CARD not in _names(info):
        return False
    card = hub.hf_hub_download(info.id, CARD, revision=info.sha, token=token)
    try:
        tags = (metadata_load(card) or {}).get("tags")
    except (ValueError, yaml.YAMLError):  # hubscan writes only cards that can be read back
        return False
    return isinstance(tags, list) and OWN_TAG in tags


def _refuse_foreign(repo: str, info: ModelInfo) -> None:
    foreign = sorted(_names(info) - MADE_BY_THE_HUB)
    if foreign:
        shown = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        raise HubError(
            f"{repo}: contains files that hubscan did not write ({shown}); name another repository, "
            "or pass --force to write to it anyway"
        )


def _committed(
    hub: HfApi, info: ModelInfo, files: dict[str, bytes], *, replaces: bool, token: str
) -> Published:
    stale = {name for name in OURS if name not in files} & _names(info) if replaces else set()

    with _card_refused(info.id), _quiet_client():
        made = hub.create_commit(
            info.id,
            [
                *(CommitOperationAdd(name, content) for name, content in files.items()),
                *(CommitOperationDelete(name) for name in sorted(stale)),
            ],
            commit_message="Publish a ranking with hubscan",
            parent_commit=info.sha,
            token=token,
        )
    commit = str(made.oid)
    return Published(f"{constants.ENDPOINT}/{info.id}", commit, changed=commit != info.sha)


def _names(info: ModelInfo) -> set[str]:
    return {sibling.rfilename for sibling in info.siblings or []}


@contextmanager
def _explained_writing(repo: str) -> Iterator[None]:
    """Explain the Hub's refusals of a write; other errors are explained as for reading."""
    with explained(repo):
        try:
            yield
        except RepositoryNotFoundError:
            raise
        except HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status not in REFUSALS:
                raise
            raise HubError(f"{repo}: {REFUSALS[status]}") from error


@contextmanager
def _card_refused(repo: str) -> Iterator[None]:
    """Turn the bare ValueError that the client raises if the Hub refuses a card into a `HubError`."""
    try:
        yield
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise HubError(f"{repo}: the Hub refuses the card's metadata: {reason}") from error


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Silence the client's messages about data files and empty commits."""
    client = logging.getLogger("huggingface_hub.hf_api")
    level = client.level
    client.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*about to commit a data file")
            yield
    finally:
        client.setLevel(level)

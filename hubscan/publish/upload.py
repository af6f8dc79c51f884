"""A run in, a commit in a repository of the user's out; the only writer to the Hub.

README.md      the card
ranking.json   the ranking, as `--format json` has it
recipe.yaml    what was asked
lock.yaml      what was seen
sample.parquet the numbers, labels and groups of the rows, if the dataset is one that others can read
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

from hubscan.errors import HubError
from hubscan.hub.client import api, explained, patient
from hubscan.publish.card import card_of
from hubscan.publish.public import is_hub_id, public
from hubscan.report.json_form import as_json
from hubscan.run import LOCK, RECIPE, SAMPLE, Run

CARD, RANKING = "README.md", "ranking.json"
OURS: Final = (CARD, RANKING, RECIPE, LOCK, SAMPLE)
OWN_TAG: Final = "hubscan"
MADE_BY_THE_HUB: Final = {".gitattributes"}

LOG_IN: Final = "log in with `hf auth login`, with a token that may write"
REFUSALS: Final = {
    401: f"the Hub does not accept the token; {LOG_IN}",
    403: "your token may not write there",
    409: "somebody else is writing there at this moment; try again",
    412: "somebody else wrote there at this moment, and nothing was overwritten; try again",
}


@dataclass(frozen=True, slots=True)
class Published:
    """What became of it."""

    url: str  # of the repository's page
    commit: str  # what its main branch points to now
    changed: bool  # False if everything lay there already, and no commit was made


def publish(
    run: Run, repo: str, *, private: bool = False, force: bool = False, token: str | None = None
) -> Published:
    """Commit the card of *run*, and what repeats it, to *repo*; the repository is made if it is not there.

    All files go in one commit on top of what was looked at, so that nothing of anybody is lost. With
    *force* a repository that hubscan did not fill is written to all the same; its history keeps what
    was there.

    Raises:
        RankingError: if nothing was scored.
        HubError: if there is no token, the repository is somebody else's or holds something else, or
            the Hub refuses the card or cannot be reached.
    """
    check_repo(repo)
    files = contents(run, repo)
    token = token or get_token()
    if token is None:
        raise HubError(f"{repo}: you are not logged in; {LOG_IN}")
    with _explained_writing(repo):
        # Before anything is made: a card that the Hub refuses must not leave an empty repository.
        with _card_refused(repo):
            patient(partial(ModelCard(files[CARD].decode()).validate, "model"))
        hub = api()
        info = _opened(hub, repo, private, token)
        mine = _is_ours(hub, info, token)
        if not (mine or force):
            _refuse_foreign(repo, info)
        return _committed(hub, info, files, replaces=mine, token=token)


def contents(run: Run, repo: str) -> dict[str, bytes]:
    """Return the files to publish, by name; none of them tells a path of this machine.

    Raises:
        RankingError: if nothing was scored.
        HubError: if the card's metadata could not be read back.
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
    # Numbers of rows that nobody else can look up help nobody, and their labels may be private.
    if not shown.local_dataset and (run.folder / SAMPLE).exists():
        files[SAMPLE] = (run.folder / SAMPLE).read_bytes()
    return files


def check_repo(repo: str) -> None:
    """Refuse what is no `namespace/name`: a bare name would go to whoever is logged in.

    Raises:
        HubError: saying what is expected.
    """
    if not is_hub_id(repo) or "/" not in repo:
        raise HubError(f"{repo}: not a valid repository id (expected `namespace/name`)")


def _check_card(card: str) -> None:
    try:
        results = ModelCard(card).data.get("eval_results")
    except (ValueError, yaml.YAMLError) as error:
        raise HubError(f"the card's metadata cannot be read back: {error}") from error
    if not results:
        raise HubError("the card's metadata has no score in it")


def _opened(hub: HfApi, repo: str, private: bool, token: str) -> ModelInfo:
    """Return what lies in *repo*, which is made if it is not there."""
    look = partial(hub.model_info, repo, token=token)
    try:
        info = patient(look)
    except RepositoryNotFoundError:
        # Not private is left to the organisation's default, which may be private.
        patient(partial(hub.create_repo, repo, private=private or None, exist_ok=True, token=token))
        info = patient(look)
    if private and not info.private:
        raise HubError(f"{repo}: is public; make it private in its settings, or publish without --private")
    return info


def _is_ours(hub: HfApi, info: ModelInfo, token: str) -> bool:
    if CARD not in _names(info):
        return False
    fetch = partial(hub.hf_hub_download, info.id, CARD, revision=info.sha, token=token)
    try:
        tags = (metadata_load(patient(fetch)) or {}).get("tags")
    except (ValueError, yaml.YAMLError):  # a card that cannot be read is none that hubscan wrote
        return False
    return isinstance(tags, list) and OWN_TAG in tags


def _refuse_foreign(repo: str, info: ModelInfo) -> None:
    foreign = sorted(_names(info) - MADE_BY_THE_HUB)
    if foreign:
        shown = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        raise HubError(
            f"{repo}: holds what hubscan did not write ({shown}); name another repository, "
            "or pass --force to write to it all the same"
        )


def _committed(
    hub: HfApi, info: ModelInfo, files: dict[str, bytes], *, replaces: bool, token: str
) -> Published:
    stale = {name for name in OURS if name not in files} & _names(info) if replaces else set()

    def commit() -> str:
        # Operations remember what became of them, so each try has its own.
        done = hub.create_commit(
            info.id,
            [
                *(CommitOperationAdd(name, content) for name, content in files.items()),
                *(CommitOperationDelete(name) for name in sorted(stale)),
            ],
            commit_message="Publish a ranking with hubscan",
            parent_commit=info.sha,
            token=token,
        )
        return str(done.oid)

    with _card_refused(info.id), _quiet_client():
        made = patient(commit)
    return Published(f"{constants.ENDPOINT}/{info.id}", made, changed=made != info.sha)


def _names(info: ModelInfo) -> set[str]:
    return {sibling.rfilename for sibling in info.siblings or []}


@contextmanager
def _explained_writing(repo: str) -> Iterator[None]:
    """Say in words what the Hub refuses to a writer; the rest is explained as for a reader."""
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
    """Turn what the client raises when the Hub refuses a card, a bare ValueError, into a `HubError`."""
    try:
        yield
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise HubError(f"{repo}: the Hub refuses the card's metadata: {reason}") from error


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Hold back what the client says about a data file among the files, and about an empty commit."""
    client = logging.getLogger("huggingface_hub.hf_api")
    level = client.level
    client.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*about to commit a data file")
            yield
    finally:
        client.setLevel(level)

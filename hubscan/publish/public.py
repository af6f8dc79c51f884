"""Remove everything from a run that reveals where files are on this machine.

A local folder keeps its name and loses the path to it: `/home/me/models/mine` becomes `./mine`. With that
folder next to the recipe, the recipe still repeats the scan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from hubscan import recipe as recipes
from hubscan.publish.renamed import renamed, renamed_verdict
from hubscan.recipe import Recipe
from hubscan.records import Candidate, Ranking, SampleInfo, Skipped
from hubscan.records.joined import is_joined
from hubscan.run import Lock, Run

PUBLIC_ENDPOINT: Final = constants._HF_DEFAULT_ENDPOINT

# An absolute path on any system, in a message of another library; not the path of a web address.
_PATH = re.compile(r"(?<![\w/.:~\\-])(?:~|[A-Za-z]:)?(?:[/\\]+[^\s/\\'\"`,;:()\[\]{}<>|]+){2,}[/\\]?")


@dataclass(frozen=True, slots=True)
class Public:
    """The parts of a run that anybody may see."""

    recipe: Recipe
    lock: Lock
    ranking: Ranking
    unfinished: int  # number of candidates without a result

    @property
    def local_dataset(self) -> bool:
        """Return whether the data is on the user's disk, where nobody else can read it."""
        return self.lock.draw.local

    def recipe_yaml(self) -> str:
        """Return the content of `recipe.yaml`."""
        return recipes.to_yaml(self.recipe)

    def lock_yaml(self) -> str:
        """Return the content of `lock.yaml`."""
        return self.lock.to_yaml()


def public(run: Run) -> Public:
    """Return the recipe, lock and ranking of *run* as others may see them.

    Raises:
        RankingError: if nothing was scored.
    """
    names = _Anonymizer(run)
    lock, recipe = run.lock, run.recipe
    return Public(
        recipe=recipe.model_copy(
            update={
                "dataset": recipe.dataset and names.name(recipe.dataset),
                "models": tuple(names.name(model) for model in recipe.models),
            }
        ),
        lock=Lock(
            task=lock.task,
            draw=names.draw(lock.draw),
            candidates=tuple(names.candidate(candidate) for candidate in lock.candidates),
            unresolved=tuple(names.skipped(skipped) for skipped in lock.unresolved),
            provenance=names.provenance(lock.provenance),
        ),
        ranking=names.ranking(run.ranking),
        unfinished=len(run.unfinished()),
    )


def is_hub_id(name: str) -> bool:
    """Return whether *name* is a valid repository id, with or without a namespace."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


class _Anonymizer:
    """The local names of one run, and the public name of each."""

    def __init__(self, run: Run) -> None:
        self._names: dict[str, str] = {}
        for path in _local_names(run):
            self._names.setdefault(path, self._free(f"./{_base_name(path)}"))
        known = {form: name for path, name in self._names.items() for form in _forms(path)}
        known |= {form: f"./{_base_name(str(run.folder))}" for form in _forms(str(run.folder))}
        known |= {form: "~" for form in _forms("~")}
        endpoint = run.lock.provenance.get("endpoint", PUBLIC_ENDPOINT)
        known |= {endpoint: "the Hub"} if endpoint != PUBLIC_ENDPOINT else {}
        # Longest first: one path may be the prefix of another.
        self._known = sorted(known.items(), key=lambda pair: len(pair[0]), reverse=True)

    def name(self, name: str) -> str:
        """Return the public name of a model or dataset; an id of the Hub stays the same."""
        return self._names.get(name, name)

    def text(self, text: str) -> str:
        """Return *text* with every path replaced."""
        for path, name in self._known:
            text = text.replace(path, name)
        return _PATH.sub(lambda match: f"…/{_base_name(match[0])}", text)

    def draw(self, draw: SampleInfo) -> SampleInfo:
        return replace(draw, dataset=self.name(draw.dataset))

    def candidate(self, candidate: Candidate) -> Candidate:
        return replace(candidate, model=self.name(candidate.model))

    def skipped(self, skipped: Skipped) -> Skipped:
        # The name of a joined pair contains two names.
        name = self.text(skipped.model) if is_joined(skipped) else self.name(skipped.model)
        return replace(skipped, model=name, reason=self.text(skipped.reason))

    def provenance(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """Remove an endpoint other than the public Hub: the address of a company's mirror is private."""
        return {k: v for k, v in provenance.items() if k != "endpoint" or v == PUBLIC_ENDPOINT}

    def ranking(self, ranking: Ranking) -> Ranking:
        return replace(
            ranking,
            entries=renamed(ranking, self.name),
            verdict=renamed_verdict(ranking.verdict, self.name),
            skipped=tuple(self.skipped(skipped) for skipped in ranking.skipped),
            draw=self.draw(ranking.draw),
            run=None,
            provenance=self.provenance(ranking.provenance),
        )

    def _free(self, name: str) -> str:
        """Return *name*, with a number appended if another folder has that name already."""
        taken = set(self._names.values())
        numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
        return next(free for free in (name, *numbered) if free not in taken)


def _local_names(run: Run) -> Iterator[str]:
    """Yield each name in the run that is a path, in order of appearance."""
    if run.lock.draw.local:
        yield run.lock.draw.dataset
        if run.recipe.dataset:
            yield run.recipe.dataset
    yield from (candidate.model for candidate in run.lock.candidates if candidate.local)
    unfound = [skipped.model for skipped in run.lock.unresolved]
    yield from (name for name in [*run.recipe.models, *unfound] if not is_hub_id(name.partition("@")[0]))


def _base_name(path: str) -> str:
    """Return the last part of a path on any system; for `.` and `~`, after resolving them."""
    full = path.rstrip("/\\")
    if full in ("", ".", "..", "~") or full.endswith(("/.", "/..")):
        full = str(_expanded(path).resolve())
    return re.split(r"[/\\]", full)[-1] or "root"


def _forms(path: str) -> list[str]:
    """Return how a message may spell *path*; a name without a slash could match inside other words."""
    forms = [path, str(_expanded(path)), str(_expanded(path).absolute())]
    return [form for form in forms if re.search(r"[/\\].", form) and len(form) > 3]


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user: `~nobody`
        return Path(path)

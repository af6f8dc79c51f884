"""Write the model card of a ranking: the README.md of a repository that also has the recipe."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any, Final

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from hubscan.errors import RankingError
from hubscan.plain_text import cleaned
from hubscan.publish.public import Public, public
from hubscan.publish.renamed import renamed, renamed_verdict
from hubscan.records import Candidate, Ranking, SampleInfo
from hubscan.records.joined import outcome
from hubscan.report.answer import answer, recommended
from hubscan.report.formatting import byte_count
from hubscan.report.json_form import provenance
from hubscan.report.markdown import Markdown, escaped, legend_list, ranking_table, skipped_table, table
from hubscan.report.verified import legend, lists_table, said, tuned_table
from hubscan.run import Run

LICENSE: Final = "cc0-1.0"  # for the card and its numbers; checkpoints and data keep their own
TAGS: Final = ["hubscan", "transferability", "transrate"]
SHOWN_CLASSES: Final = 50


def as_card(run: Run, repo: str | None = None) -> str:
    """Return the README.md for the ranking of *run*; *repo* is its future repository, if known.

    Local folders appear by name, never with their path.

    Raises:
        RankingError: if nothing was scored, or the best score is not a finite number.
    """
    return card_of(public(run), repo)


def card_of(shown: Public, repo: str | None = None) -> str:
    """Return the card of *shown*, as in `as_card`."""
    shown = cleaned(shown)
    environment = Environment(
        loader=PackageLoader("hubscan.publish", "."),
        finalize=escaped,  # applies to every expression that is not `Markdown`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # would escape for HTML; `finalize` escapes for Markdown
    )
    return environment.get_template("card.md.jinja").render(_variables(shown, repo))


def _metadata(ranking: Ranking) -> ModelCardData:
    """Return the card's YAML.

    Raises:
        RankingError: if the best score is not a finite number.
    """
    draw, chosen = ranking.draw, recommended(ranking)
    joined = outcome(ranking)
    if joined and chosen is joined.entry:  # the Hub would take a card with two bases for a merged model
        chosen = joined.better
    base = chosen.scored.candidate if chosen else None
    ranked = [entry.scored.candidate for entry in ranking]
    data_id = None if draw.local else draw.dataset
    return ModelCardData(
        license=LICENSE,
        tags=TAGS,
        datasets=[data_id] if data_id else None,
        # The Hub lists a card under each base model as derived from it, and with several as a "merge". A
        # model in this repository would start from the recommended checkpoint. The others were only
        # evaluated; `ranked` below has their commits.
        base_model=base.model if isinstance(base, Candidate) and not base.local else None,
        model_name=ranking.first.model,
        eval_results=[_result(ranking)],
        hubscan={
            "version": str(ranking.provenance.get("hubscan", "")) or None,
            "metric": ranking.metric,
            "seed": draw.seed,
            "rows": draw.rows,
            "fingerprint": draw.fingerprint,
            "ranked": [f"{c.model}@{c.revision}" for c in ranked if isinstance(c, Candidate)],
        },
    )


def _result(ranking: Ranking) -> EvalResult:
    score, draw = ranking.first.scored.leading, ranking.draw
    known = {key: getattr(score, key) for key in ("value", "low", "high", "null")}
    numbers = {key: float(number) for key, number in known.items() if number is not None}
    if not all(abs(number) < float("inf") for number in numbers.values()):
        raise RankingError(f"{ranking.first.model}: its {ranking.metric} is not a finite number: {numbers}")
    return EvalResult(
        task_type=ranking.task,
        # The Hub expects a dataset id here, and the name of a local folder could be somebody else's.
        dataset_type="local" if draw.local else draw.dataset,
        dataset_name=draw.dataset,
        dataset_config=draw.config or None,
        dataset_split=draw.split,
        dataset_revision=draw.revision,
        metric_type=score.name,
        metric_name=score.label,
        metric_value=numbers.pop("value"),
        metric_args=numbers,
    )


def _variables(shown: Public, repo: str | None) -> dict[str, Any]:
    """Return the variables of the template."""
    ranking = _marked(shown.ranking)
    return {
        "metadata": Markdown(_metadata(ranking).to_yaml()),
        "ranking": ranking,
        "draw": ranking.draw,
        "data_name": ranking.draw.dataset,
        "local_dataset": shown.local_dataset,
        "local_models": any(candidate.local for candidate in shown.lock.candidates),
        "unfinished": shown.unfinished,
        "candidates": len(shown.lock.candidates),
        "answer": answer(ranking),
        "legend": legend_list(ranking),
        "table": ranking_table(ranking),
        "sample": _sample_table(ranking.draw),
        "classes": table(
            ["class", "rows"], islice(ranking.draw.classes.items(), SHOWN_CLASSES), right="rows"
        ),
        "more_classes": max(0, len(ranking.draw.classes) - SHOWN_CLASSES),
        "commits": _commit_table(ranking),
        "skipped": skipped_table(ranking) if ranking.skipped else None,
        "repo": Markdown(repo) if repo else None,
        "provenance": _provenance_table(ranking),
        "verified": _verified(ranking),
        "score": ranking.first.scored.leading,
        "accuracy": ranking.first.scored.accuracy,
        "widest": max(entry.scored.width for entry in ranking),
    }


def _sample_table(draw: SampleInfo) -> Markdown:
    facts = {
        "dataset": draw.dataset,
        "commit": draw.revision,
        "config": draw.config or "none",
        "split": draw.split,
        "columns": ", ".join(f"{role}: {column}" for role, column in draw.columns.items()),
        "rows": f"{draw.rows:,}, drawn from {draw.rows_seen:,}",
        "exact duplicates among them": draw.duplicates,
        **({} if draw.group_count is None else {"groups": draw.group_count}),
        "dropped rows": _dropped(draw),
        "seed": draw.seed,
        "fingerprint": draw.fingerprint,
        "read from the network": byte_count(draw.bytes_read),
        **({"notes": "; ".join(draw.notes)} if draw.notes else {}),
    }
    return table(["sample", "value"], facts.items())


def _dropped(draw: SampleInfo) -> str:
    reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in draw.dropped.items())
    return f"{sum(draw.dropped.values()):,} ({reasons})" if reasons else "none"


def _commit_table(ranking: Ranking) -> Markdown:
    rows = (
        [entry.rank, c.model, c.revision, c.modality, entry.scored.layer, entry.scored.processor]
        for entry in ranking
        for c in [entry.scored.candidate]
    )
    return table(["rank", "checkpoint", "commit", "modality", "layer", "processor"], rows, right="rank")


def _provenance_table(ranking: Ranking) -> Markdown:
    known = provenance(ranking)
    facts = {
        "hubscan": ranking.provenance.get("hubscan", "not recorded"),
        **{key: known[key] for key in ("python", "device", "dtype", "endpoint") if key in known},
        **known["versions"],
    }
    return table(["environment", "value"], facts.items())


def _verified(ranking: Ranking) -> dict[str, Any] | None:
    verdict = ranking.verdict
    if verdict is None:
        return None
    return {
        "said": " ".join(said(verdict)),
        "tuned": table(*tuned_table(verdict, ranking)),
        "legend": legend(verdict),
        "lists": table(*lists_table(verdict)),
    }


def _marked(ranking: Ranking) -> Ranking:
    """Return *ranking* with each `./name`, the public form of a local name, as `name (local)`."""
    return replace(
        ranking,
        entries=renamed(ranking, _local_name),
        verdict=renamed_verdict(ranking.verdict, _local_name),
        skipped=tuple(replace(skipped, model=_local_name(skipped.model)) for skipped in ranking.skipped),
        draw=replace(ranking.draw, dataset=_local_name(ranking.draw.dataset)),
    )


def _local_name(name: str) -> str:
    return f"{name.removeprefix('./')} (local)" if name.startswith("./") else name

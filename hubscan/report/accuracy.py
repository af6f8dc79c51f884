"""The accuracy of a linear head in words and in table cells."""

from __future__ import annotations

from hubscan.records import Accuracy, Ranked, Ranking, SampleInfo
from hubscan.records.accuracy import NAMES

POINT = 0.01
SHARES = ("accuracy", "balanced_accuracy")  # kinds that are shown in per cent


def sentence(accuracy: Accuracy, draw: SampleInfo) -> str:
    """Return how accurate a linear head on the frozen features is, next to what chance gives."""
    rows = "words" if draw.label_kind == "token" else "rows"
    head = "A linear head on its frozen features"
    if accuracy.kind == "accuracy":
        return f"{head} is right on {percent(accuracy.value)} of unseen {rows} ({baseline(draw)})."
    if accuracy.kind == "balanced_accuracy":
        chance = f"chance: {percent(1 / max(len(draw.classes), 1))}"
        return f"{head} has a balanced accuracy of {percent(accuracy.value)} on unseen {rows} ({chance})."
    if accuracy.kind == "r2":
        return f"{head} has an R² of {accuracy.value:z.2f} on unseen rows (predicting the mean: 0)."
    sample = "" if draw.representative else " of the balanced sample"
    return f"{head} has a micro-F1 of {accuracy.value:.2f} on unseen rows{sample}."


def baseline(draw: SampleInfo) -> str:
    """Return the accuracy without features: chance, or that of the most frequent class if it is higher."""
    largest = draw.majority_share or 0.0
    chance = 1 / max(len(draw.classes), 1)
    if largest <= chance + POINT:
        return f"chance: {percent(chance)}"
    unit = "tag" if draw.label_kind == "token" else "class"
    return f"always the most frequent {unit}: {percent(largest)}"


def title(ranking: Ranking) -> str:
    """Return the title of the column, with its unit."""
    accuracy = _first(ranking)
    name = NAMES[accuracy.kind] if accuracy else NAMES["accuracy"]
    return f"{name}, %" if accuracy is None or accuracy.kind in SHARES else name


def cell(entry: Ranked) -> str:
    """Return the accuracy and its standard error for a cell; nothing if it is unknown."""
    accuracy = entry.scored.accuracy
    if accuracy is None:
        return ""
    if accuracy.kind in SHARES:
        return f"{100 * accuracy.value:.1f} ±{100 * accuracy.error:.1f}"
    return f"{accuracy.value:z.2f} ±{accuracy.error:.2f}"


def short(accuracy: Accuracy) -> str:
    """Return the number for brackets, with its name unless it is a percentage."""
    return percent(accuracy.value) if accuracy.kind in SHARES else named(accuracy)


def named(accuracy: Accuracy) -> str:
    """Return the name and the number: "balanced accuracy 84 %", "R² 0.45"."""
    return f"{NAMES[accuracy.kind]} {value(accuracy.kind, accuracy.value)}"


def value(kind: str, number: float) -> str:
    """Return *number*, an accuracy of this *kind*, in per cent if it is a share."""
    return percent(number) if kind in SHARES else f"{number:z.2f}"


def legend(ranking: Ranking) -> str:
    """Return what the column means, without its title; nothing if no accuracy is known."""
    accuracy = _first(ranking)
    if accuracy is None:
        return ""
    said = {
        "accuracy": "share of unseen rows that a linear head on the frozen features gets right",
        "balanced_accuracy": "recall of a linear head on the frozen features, class average on unseen rows",
        "r2": "of a linear head on the frozen features, on unseen rows (1 = perfect, 0 = the mean)",
        "micro_f1": "of a linear head on the frozen features, on unseen rows, one threshold for all labels",
    }[accuracy.kind]
    if accuracy.kind == "micro_f1" and not ranking.draw.representative:
        said += ", on the balanced sample"
    differing = {k: v for k, v in accuracy.also.items() if abs(v - accuracy.value) >= POINT / 2}
    also = ", ".join(f"{NAMES.get(name, name)} {value:.2f}" for name, value in differing.items())
    return f"{said}, ± standard error" + (f"; the first also has {also}" if also else "")


def percent(share: float) -> str:
    """Return a share as a percentage, with a decimal near 0 and near 100.

    >>> [percent(x) for x in (0.843, 0.978, 1.0)]
    ['84 %', '97.8 %', '100 %']
    """
    digits = 1 if 0.95 <= share < 1 or 0 < share < 0.05 else 0
    return f"{100 * share:.{digits}f}".removesuffix(".0") + " %"


def _first(ranking: Ranking) -> Accuracy | None:
    return next((entry.scored.accuracy for entry in ranking if entry.scored.accuracy), None)

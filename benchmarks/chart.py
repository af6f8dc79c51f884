"""Draw the chart of `README.md`: how well each metric agrees with fine-tuned accuracy.

    python benchmarks/chart.py     # needs the dependency group `charts`

Reads `results/agreement.csv`, which `fine_tuned.py agree --csv` writes, and writes `results/agreement.svg`.
"""

from __future__ import annotations

from pathlib import Path

import altair as alt
import pandas as pd

RESULTS = Path(__file__).with_name("results")
REAL = "fine_tuned"  # the file with the accuracies of real checkpoints
OURS = "transrate"
REFERENCE = "fine-tuned again"
COLOURS = {
    "ranks in hubscan": "#c2410c",
    "other orders": "#475569",
    "fine-tuned accuracy with itself": "#94a3b8",
}
PANELS = {
    "weighted Kendall (1 is the same order)": ("weighted_kendall", "kendall_low", "kendall_high"),
    "regret in points of accuracy (0 is best)": ("regret", "regret_low", "regret_high"),
}


def main() -> None:
    """Write the chart."""
    table = pd.read_csv(RESULTS / "agreement.csv")
    table = table[table["accuracies"] == REAL].sort_values("weighted_kendall", ascending=False)
    own, other, reference = COLOURS
    table["kind"] = table["order_by"].map({OURS: own, REFERENCE: reference}).fillna(other)
    panels = [panel(table, title, *columns) for title, columns in PANELS.items()]
    chart = (
        alt.hconcat(*panels, spacing=24)
        .properties(
            title=f"Agreement with fine-tuned accuracy, mean over {table['lists'].max()} lists, 1,000 rows"
        )
        .configure(background="white", font="sans-serif")
        .configure_view(stroke=None)
        .configure_title(anchor="start", fontSize=14)
    )
    chart.save(RESULTS / "agreement.svg")


def panel(table: pd.DataFrame, title: str, value: str, low: str, high: str) -> alt.LayerChart:
    """Return one panel: a point for each order, with its interval."""
    first = value == "weighted_kendall"
    order = alt.Y("order_by:N", sort=list(table["order_by"]), title=None)
    order = order.axis(ticks=False, domain=False, labelLimit=220, labels=first, grid=True)
    colour = alt.Color("kind:N", title=None).scale(domain=list(COLOURS), range=list(COLOURS.values()))
    base = alt.Chart(table).encode(y=order, color=colour.legend(orient="bottom"))
    intervals = base.mark_rule(strokeWidth=2).encode(x=alt.X(f"{low}:Q", title=title), x2=f"{high}:Q")
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=f"{value}:Q")
    return (intervals + points).properties(width=320 if first else 240, height=alt.Step(20))


if __name__ == "__main__":
    main()

"""The faults and hostile inputs that the tests try, what hubscan answered, and what was lost: one table.

HUBSCAN_FAULTS=faults.jsonl pytest              # the tests append a line for each
python -m tests.support.fault_table faults.jsonl    # prints the table
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Final

VARIABLE: Final = "HUBSCAN_FAULTS"
MOST_SHOWN: Final = 180  # characters of an outcome
# What differs from run to run: temporary folders, ports, hashes, process ids.
VARIES: Final = (
    (re.compile(r"(/[\w.+-]+)*/(pytest-[\w-]+|hubscan-[\w-]+|tmp\w+)(/[\w.+-]+)*/"), "…/"),
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), "HOST"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "HASH"),
    (re.compile(r"\bprocess \d+"), "process N"),
)


def record(part: str, fault: str, outcome: str, lost: str = "nothing") -> None:
    """Append one row of the table.

    Args:
        part: what the fault is in, such as "run folder", "network" or "dataset".
        fault: the input or the fault, in words.
        outcome: what happened: hubscan's own line, or words such as "ranked; the link was not followed".
        lost: what was lost; the test must have checked it.
    """
    place = os.environ.get(VARIABLE)
    if not place:
        return
    row = {"part": part, "fault": fault, "outcome": outcome, "lost": lost}
    with Path(place).open("a", encoding="utf-8") as file:  # one short write each, from several processes
        file.write(json.dumps(row) + "\n")


def table(lines: str) -> str:
    """Return the table in Markdown: each row once, by part."""
    rows = {(row["part"], row["fault"]): row for row in map(json.loads, lines.splitlines())}
    shown = [
        f"| {_cell(row['part'])} | {_cell(row['fault'])} | {_cell(row['outcome'])} | {_cell(row['lost'])} |"
        for _, row in sorted(rows.items())
    ]
    head = ["| part | fault or hostile input | what happened | lost |", "|---|---|---|---|"]
    return "\n".join([*head, *shown]) + "\n"


def _cell(text: str) -> str:
    line = " ".join(text.split())
    for pattern, name in VARIES:
        line = pattern.sub(name, line)
    shown = line if len(line) <= MOST_SHOWN else line[: MOST_SHOWN - 1] + "…"
    return shown.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text(encoding="utf-8")), end="")

"""What a draw costs, beside streaming with a shuffle buffer and a full download; and what bad input gives.

    python benchmarks/sample.py FOLDER [GIGABYTES]

Makes a sorted dataset of texts and one of pictures in FOLDER, 2 GB each by default, serves them from a
Hub on this machine, and draws 2 000 rows in each way, each in a process and with a cache of its own.
Then prints what each kind of bad row or file gives.

By default, 1 000 rows, a draw reads 4.2 % of the bytes of the texts and twice those of the drawn pictures, as
before samples were nested; every row of a class is equally likely at every size. See `README.md` beside this.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from hubscan.demo.hub import Hub, serve
from tests.hub.fixtures import environment
from tests.hub.large import image_shards, text_shards

ROWS, SHARDS = 2000, 20
BYTES_A_TEXT, SIDE = 2000, 183  # a picture of noise, 183 pixels wide and high, has 100 kB

ENDING = r"""
import json, re
from pathlib import Path
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"classes": len(set(labels)), "rows": len(labels), "peak": peak}))
"""
WAYS = {
    "hubscan": """
from hubscan import recipe
from hubscan.sample import draw
labels = draw(recipe.resolve({"dataset": NAME, "samples": ROWS}).sample_request).labels.tolist()
""",
    "streaming, shuffle buffer of 1,000": """
from datasets import load_dataset
rows = load_dataset(NAME, split="train", streaming=True).decode(False)
labels = [row["label"] for row in rows.shuffle(seed=0, buffer_size=1000).take(ROWS)]
""",
    "full download": """
from datasets import load_dataset
rows = load_dataset(NAME, split="train").shuffle(seed=0).select(range(ROWS))
labels = [row["label"] for row in rows.with_format("arrow").iter(1) for row in row.to_pylist()]
""",
}


def main(folder: Path, gigabytes: float) -> None:
    """Print both tables."""
    hub = folder / "hub"
    texts, pictures = hub / "datasets/bench/texts", hub / "datasets/bench/pictures"
    rows = int(gigabytes * 1e9 / SHARDS / BYTES_A_TEXT)
    if not hub.exists():
        text_shards(texts, shards=SHARDS, rows=rows, row_bytes=BYTES_A_TEXT, classes=20, group_rows=1000)
        image_shards(pictures, shards=SHARDS, rows=rows // 50, side=SIDE, classes=20)
    print("| data | way | bytes read | requests | seconds | peak memory | classes of 20 |")
    print("|---|---|---|---|---|---|---|")
    with serve(hub) as served:
        for name in ("texts", "pictures"):
            for way in WAYS:
                found = _measured(served, f"bench/{name}", way, folder / "home")
                print(f"| {name} | {way} | {' | '.join(found)} |", flush=True)
    print()
    print(bad_input())


def _measured(hub: Hub, name: str, way: str, home: Path) -> list[str]:
    shutil.rmtree(home, ignore_errors=True)
    before = len(hub.requests)
    begun = time.perf_counter()
    code = f"NAME, ROWS = {name!r}, {ROWS}\n{WAYS[way]}\n{ENDING}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(hub.endpoint, home), capture_output=True, text=True
    )
    seconds = time.perf_counter() - begun
    shutil.rmtree(home, ignore_errors=True)
    if done.returncode:
        return [done.stderr.strip().splitlines()[-1][:80], "", f"{seconds:.0f}", "", ""]
    told = json.loads(done.stdout.splitlines()[-1])
    asked = hub.requests[before:]
    sent = sum(one.body_bytes for one in asked) / 1e6
    return [
        f"{sent:,.1f} MB",
        f"{len(asked):,}",
        f"{seconds:.0f}",
        f"{told['peak'] / 1e6:,.0f} MB",
        f"{told['classes']}",
    ]


def bad_input() -> str:
    """Return the table of bad inputs: one row in five is bad, and 100 of 400 are drawn."""
    from hubscan.errors import HubscanError
    from tests.test_bad_rows import BAD_PICTURES, BAD_TEXTS, GOOD_PICTURES, ROWS, pictures, texts

    lines = ["| every fifth row | gives |", "|---|---|"]
    cases: list[tuple[str, Any, Any]] = [
        *((f"text: {name}", texts, value) for name, (value, _) in BAD_TEXTS.items()),
        ("text of 10 MB", texts, "word " * 2_000_000),
        ("text: exact copies", texts, "the same"),
        *((f"picture: {name}", pictures, value) for name, value in GOOD_PICTURES.items()),
        *((f"picture: {name}", pictures, value) for name, (value, _) in BAD_PICTURES.items()),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, make, value in cases:
            spoilt = {0: value} if name == "text of 10 MB" else dict.fromkeys(range(0, ROWS, 5), value)
            try:
                draw = make(Path(folder), spoilt, **({"samples": ROWS} if "10 MB" in name else {})).draw
                dropped = ", ".join(f"{reason} {count}" for reason, count in draw.dropped.items())
                copies = f", {draw.duplicates} exact copies said" if draw.duplicates else ""
                notes = f", {draw.notes[0]}" if draw.notes else ""
                said = f"{draw.rows} rows; dropped: {dropped or 'none'}{copies}{notes}"
            except HubscanError as error:
                said = f"one line: {error}"
            lines.append(f"| {name} | {said} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 2.0)

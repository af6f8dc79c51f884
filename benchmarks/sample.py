"""What does sampling rows cost, compared with streaming and a full download? What happens to bad rows?

    python benchmarks/sample.py FOLDER [GIGABYTES]

Writes two datasets into FOLDER (texts and images, 2 GB each by default, sorted by class), serves them from a
Hub on this machine, and samples 2,000 rows in three ways: with hubscan, by streaming with a shuffle buffer,
and after a full download. Each runs in its own process with an empty cache. Prints one table of the costs,
and one of what happens to each kind of bad row.
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
BYTES_PER_TEXT, SIDE = 2000, 183  # an image of noise with 183 × 183 pixels has 100 kB

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
    texts, images = hub / "datasets/bench/texts", hub / "datasets/bench/images"
    rows = int(gigabytes * 1e9 / SHARDS / BYTES_PER_TEXT)
    if not hub.exists():
        text_shards(texts, shards=SHARDS, rows=rows, row_bytes=BYTES_PER_TEXT, classes=20, group_rows=1000)
        image_shards(images, shards=SHARDS, rows=rows // 50, side=SIDE, classes=20)
    print("| data | way | bytes read | requests | seconds | peak memory | classes of 20 |")
    print("|---|---|---|---|---|---|---|")
    with serve(hub) as served:
        for name in ("texts", "images"):
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
    report = json.loads(done.stdout.splitlines()[-1])
    requests = hub.requests[before:]
    sent = sum(request.body_bytes for request in requests) / 1e6
    return [
        f"{sent:,.1f} MB",
        f"{len(requests):,}",
        f"{seconds:.0f}",
        f"{report['peak'] / 1e6:,.0f} MB",
        f"{report['classes']}",
    ]


def bad_input() -> str:
    """Return the table of bad rows: every fifth of 400 rows is bad, and the sample has 100 rows."""
    from hubscan.errors import HubscanError
    from tests.support.bad_rows import BAD_IMAGES, BAD_TEXTS, ROWS, UNUSUAL_IMAGES, images, texts

    lines = ["| every fifth row | result |", "|---|---|"]
    cases: list[tuple[str, Any, Any]] = [
        *((f"text: {name}", texts, value) for name, (value, _) in BAD_TEXTS.items()),
        ("text of 10 MB", texts, "word " * 2_000_000),
        ("text: exact copies", texts, "the same"),
        *((f"image: {name}", images, value) for name, value in UNUSUAL_IMAGES.items()),
        *((f"image: {name}", images, value) for name, (value, _) in BAD_IMAGES.items()),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, make, value in cases:
            replaced = {0: value} if name == "text of 10 MB" else dict.fromkeys(range(0, ROWS, 5), value)
            try:
                draw = make(Path(folder), replaced, **({"samples": ROWS} if "10 MB" in name else {})).draw
                dropped = ", ".join(f"{reason} {count}" for reason, count in draw.dropped.items())
                copies = f", {draw.duplicates} exact copies counted" if draw.duplicates else ""
                notes = f", {draw.notes[0]}" if draw.notes else ""
                result = f"{draw.rows} rows; dropped: {dropped or 'none'}{copies}{notes}"
            except HubscanError as error:
                result = f"error: {error}"
            lines.append(f"| {name} | {result} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 2.0)

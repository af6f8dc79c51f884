"""The library as its users call it, in scripts of their own: no main guard, no set-up."""

from __future__ import annotations

import json
from pathlib import Path

from tests.hub import LabHub, environment, run_python

RANK = """
import json, hubscan
ranking = hubscan.rank("reviews", "text-classification", samples=60, run="kept", device="cpu",
                       models=["tester/seeing-bert", "tester/blind-bert", "broken/nan"])
frame = ranking.to_pandas()
again = hubscan.load_run("kept").ranking
print(json.dumps({
    "best": ranking.best.model,
    "order": [entry.model for entry in ranking],
    "skipped": [s.model for s in ranking.skipped],
    "frame": list(frame.model),
    "columns": sorted(set(frame.columns) & {"rank", "parameters", "transrate", "null", "accuracy"}),
    "again": [entry.model for entry in again],
    "words": str(ranking).splitlines()[0],
    "markdown": ranking._repr_markdown_(),
}))
"""

ONE = """
import hubscan, sys
ranking = hubscan.rank("reviews", models="tester/seeing-bert", samples=60, device="cpu")
print("hushed", file=sys.stderr)
hubscan.rank("reviews", models=("tester/seeing-bert",), samples=60, device="cpu", progress=False)
print([entry.model for entry in ranking], len(repr(ranking).splitlines()))
"""

EMBED = """
import io, json, numpy as np, hubscan
from hubscan.errors import HubscanError
from PIL import Image
texts = ["warm and bright", "poor and dull on a street", "warm and bright"]
vectors = hubscan.embed("plain-bert", texts)
alone = np.vstack([hubscan.embed("tester/plain-bert", [text]) for text in texts])
picture = Image.new("RGB", (20, 20), (200, 10, 10))
stored = io.BytesIO(); picture.save(stored, "PNG")
pictures = hubscan.embed("tester/tiny-vit", [picture, picture])
pairs = [("warm", "and bright"), ("and bright", "warm")]
paired = hubscan.embed("tester/plain-bert", pairs)
said = []
for rows in ([("a", "b", "c")], ["a", ("a", "b")]):
    try: hubscan.embed("tester/plain-bert", rows)
    except HubscanError as error: said.append(str(error))
for model in ("no/such", "./nowhere", "acme/gated-bert"):
    try: hubscan.embed(model, texts)
    except HubscanError as error: said.append(str(error))
print(json.dumps({
    "shape": vectors.shape, "dtype": str(vectors.dtype), "apart": float(abs(vectors - alone).max()),
    "same": float(abs(vectors[0] - vectors[2]).max()), "pictures": pictures.shape,
    "pairs": paired.shape, "turned": float(abs(paired[0] - paired[1]).max()),
    "bytes": float(abs(hubscan.embed("tester/tiny-vit", [stored.getvalue()]) - pictures[:1]).max()), "said": said,
}))
"""


def test_rank_works_in_a_plain_script_and_its_answer_can_be_used(hub: LabHub, tmp_path: Path) -> None:
    script = f"import os; os.chdir({str(tmp_path)!r})\n{RANK}"
    home = environment(hub.endpoint, tmp_path / "home") | {"HUBSCAN_CACHE": str(tmp_path / "cache")}
    said = json.loads(run_python(script, home, cold=True).stdout)
    assert said["best"] == "tester/seeing-bert"
    assert said["order"] == said["frame"] == said["again"] == ["tester/seeing-bert", "tester/blind-bert"]
    assert said["skipped"] == ["broken/nan"]
    assert said["columns"] == ["accuracy", "null", "parameters", "rank", "transrate"]
    assert said["words"].startswith("Use tester/seeing-bert (")
    assert "| tester/seeing-bert |" in said["markdown"]


def test_one_name_is_one_model_and_progress_is_shown_unless_it_is_turned_off(
    hub: LabHub, tmp_path: Path
) -> None:
    done = run_python(ONE, environment(hub.endpoint, tmp_path) | {"HUBSCAN_CACHE": str(tmp_path / "cache")})
    assert done.stdout == "['tester/seeing-bert'] 2\n"
    shown, hushed = done.stderr.split("hushed\n")
    assert (
        "1 checkpoint, 60 rows of tester/reviews" in shown and "[1/1] tester/seeing-bert: transrate" in shown
    )
    assert "[1/1]" not in hushed and "rows of" not in hushed


def test_embed_gives_each_input_its_own_vector_whatever_stands_beside_it(hub: LabHub, tmp_path: Path) -> None:
    said = json.loads(run_python(EMBED, environment(hub.endpoint, tmp_path)).stdout)
    assert (said["shape"], said["dtype"], said["pictures"]) == ([3, 32], "float32", [2, 32])
    assert said["apart"] < 1e-5 and said["same"] < 1e-6 and said["bytes"] < 1e-6
    assert said["pairs"] == [2, 32] and said["turned"] > 1e-3
    triple, mixed, missing, nowhere, gated = said["said"]
    assert "neither a pair of texts" in triple and "inputs mixes" in mixed
    assert "not on the Hub" in missing and nowhere == "./nowhere: no such folder" and "gated" in gated

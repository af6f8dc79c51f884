"""Scans of ordinary and hostile data under an audit hook in every process: nothing foreign happens."""

from __future__ import annotations

import base64
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hub import LabHub, environment
from tests.hub.fixtures import REPOSITORY
from tests.support import audit, fault_table, programs
from tests.support.commands import SMALL

Watched = Callable[..., str]

FOREIGN = {
    "a program": "import subprocess; subprocess.run(['true'])",
    "a shell": "import os; os.system('true')",
    "a pickle": "import pickle, collections; pickle.loads(pickle.dumps(collections.OrderedDict()))",
    "a read outside": "open('{outside}/private')",
    "a link that leads outside": "open('{inside}/link')",
    "a write outside": "open('{outside}/new', 'w')",
    "a removal outside": "import os; os.remove('{outside}/private')",
    "a pickle in the data": "open('{inside}/vocab.bin', 'rb')",
    "code in the data": "import sys; sys.path.insert(0, '{inside}'); import evil",
    "another host": "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
    "a name": "import socket; socket.getaddrinfo('evil.example', 80)",
}


class Exploit:
    """Unpickles as a call of a program."""

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, ("touch exploited",)


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return the folder that the hook lets hubscan read and write."""
    folder = tmp_path / "inside"
    (folder / "tmp").mkdir(parents=True)
    (tmp_path / "private").write_text("private")
    return folder


@pytest.fixture
def variables(hub: LabHub, inside: Path, tmp_path: Path) -> dict[str, str]:
    """Return the variables of a process that is watched, as are those that it starts."""
    ours = environment(hub.endpoint, inside / "home") | {
        "HUBSCAN_CACHE": str(inside / "cache"),
        "TMPDIR": str(inside / "tmp"),
        "HOME": str(inside),
    }
    hosts = [address.removeprefix("http://") for address in (hub.endpoint, hub.cdn)]
    return audit.audited(ours, tmp_path / "audit.jsonl", [inside], hosts)


@pytest.fixture
def watched(variables: dict[str, str], inside: Path, tmp_path: Path) -> Watched:
    """Run `hubscan` with the given arguments, and check that nothing foreign happened."""

    def run(*arguments: str, code: int = 0) -> str:
        done = programs.run_cold(("-m", "hubscan", *arguments), variables, inside, timeout=240)
        assert audit.events(tmp_path / "audit.jsonl") == []
        assert done.returncode == code, done.stderr
        assert not (inside / "exploited").exists()
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize("kind", FOREIGN)
def test_the_hook_sees_what_is_foreign(
    kind: str, variables: dict[str, str], inside: Path, tmp_path: Path
) -> None:
    (inside / "link").symlink_to(tmp_path / "private")
    (inside / "vocab.bin").write_bytes(b"")
    (inside / "evil.py").write_text("")
    code = FOREIGN[kind].format(inside=inside, outside=tmp_path)
    programs.run_cold(("-c", code), variables, inside, timeout=60)
    assert audit.events(tmp_path / "audit.jsonl") != []


def test_an_ordinary_program_causes_no_event(variables: dict[str, str], inside: Path, tmp_path: Path) -> None:
    code = f"import json, socket; open('{inside}/new', 'w').write('x'); open('{REPOSITORY}/README.md').read()"
    done = programs.run_cold(("-c", code), variables, inside, timeout=60)
    assert (done.returncode, audit.events(tmp_path / "audit.jsonl")) == (0, [])


def test_no_command_does_anything_foreign(watched: Watched) -> None:
    asked = ("--task", "text-classification", "--dataset", "reviews", "--limit", "4")
    watched("search", "--task", "text-classification")
    watched("rank", *asked, *SMALL, "--dry-run")
    assert "tester/seeing-bert" in watched("rank", *asked, *SMALL, "--run", "mine")
    watched("show", "mine")
    watched("score", "mine", "--metric", "logme")
    watched("publish", "mine", "--repo", "me/x", "--dry-run")


@pytest.mark.slow
def test_fine_tuning_does_nothing_foreign(watched: Watched) -> None:
    models = ("--model", "tester/seeing-bert", "--model", "tester/blind-bert")
    watched("rank", "--dataset", "reviews", *models, *SMALL, "--run", "mine")
    watched("verify", "mine", "--top", "1")


def test_images_that_name_programs_and_files_are_dropped(watched: Watched, inside: Path) -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(exploited) (w) file closefile showpage\n"
    cells = [
        {"bytes": postscript, "path": None},
        {"bytes": b"\xc5\xd0\xd3\xc6" + bytes(28) + postscript, "path": "x.eps"},
        {"bytes": b"\x80\x04", "path": "x.pkl"},
        {"bytes": None, "path": "../private"},
    ]
    good = [{"bytes": picture(shade), "path": None} for shade in range(40)]
    table = pa.table({"image": cells * 4 + good, "label": ["a", "b"] * 28})
    (inside / "data").mkdir()
    pq.write_table(table, inside / "data" / "rows.parquet")
    said = watched("rank", "--dataset", "data", "--model", "tester/tiny-vit", "--samples", "40", "--run", "r")
    assert "tester/tiny-vit" in said
    fault_table.record(
        "dataset", "images in PostScript, and cells that name private files", "ranked without them"
    )


def test_pickles_of_a_checkpoint_are_not_opened(watched: Watched, hub_root: Path, inside: Path) -> None:
    evil = inside / "evil"
    shutil.copytree(hub_root / "models" / "tester" / "seeing-bert", evil)
    (evil / "pytorch_model.bin").write_bytes(pickle.dumps(Exploit()))
    (evil / "tokenization_evil.py").write_text("raise SystemExit(1)")
    (evil / "__init__.py").write_text("raise SystemExit(1)")
    said = watched("rank", "--dataset", "reviews", "--model", "./evil", *SMALL, "--run", "r")
    fault_table.record(
        "checkpoint", "a pickle that starts a program, as pytorch_model.bin", said.splitlines()[-1]
    )


def test_files_that_an_index_names_are_not_opened(watched: Watched, hub_root: Path, inside: Path) -> None:
    evil = inside / "evil"
    shutil.copytree(hub_root / "models" / "tester" / "seeing-bert", evil)
    (evil / "vocab.bin").write_bytes(pickle.dumps(Exploit()))
    (evil / "model.safetensors").rename(evil / "a.safetensors")
    index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": "vocab.bin"}}
    (evil / "model.safetensors.index.json").write_text(json.dumps(index))
    said = watched("rank", "--dataset", "reviews", "--model", "./evil", *SMALL, "--run", "r", code=1)
    assert "which is not a safetensors file beside it" in said


def test_native_code_that_a_config_names_is_not_asked_for(
    watched: Watched, variables: dict[str, str], hub_root: Path, inside: Path
) -> None:
    evil, library = inside / "evil", inside / "library"
    shutil.copytree(hub_root / "models" / "tester" / "seeing-bert", evil)
    config = json.loads((evil / "config.json").read_text())
    asked = {"_attn_implementation": "evil/kernel", "attn_implementation": "evil/kernel", "use_kernels": True}
    (evil / "config.json").write_text(json.dumps(config | asked))
    (library / "kernels").mkdir(parents=True)
    (library / "kernels" / "__init__.py").write_text("raise SystemExit(1)")
    (library / "kernels-0.18.5.dist-info").mkdir()
    (library / "kernels-0.18.5.dist-info" / "METADATA").write_text("Name: kernels\nVersion: 0.18.5\n")
    variables["PYTHONPATH"] += f":{library}"
    said = watched("rank", "--dataset", "reviews", "--model", "./evil", *SMALL, "--run", "r")
    assert "./evil" in said
    fault_table.record("checkpoint", "a config that names native code on the Hub", "ranked without it")


def picture(shade: int) -> bytes:
    """Return a GIF of one pixel."""
    head = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
    return head[:13] + bytes([shade * 6] * 3) + head[16:]

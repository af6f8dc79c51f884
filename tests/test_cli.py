from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from hubscan.cli.group import COMMANDS

HEAVY = {"torch", "transformers", "datasets", "numpy", "huggingface_hub", "pydantic", "rich", "accelerate"}


@pytest.mark.parametrize("package", ["hubscan", "hubscan.records", "hubscan.sample", "hubscan.scores"])
def test_every_name_that_a_package_calls_public_is_there(package: str) -> None:
    module = import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_all_records_are_imported_without_anything_heavy() -> None:
    code = "from hubscan.records import *; import sys; print(Candidate.__name__, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Candidate ")
    assert set(done.stdout.split()) & HEAVY == set()


def test_the_library_imports_what_is_asked_for_when_it_is_asked_for() -> None:
    code = """
import sys
import hubscan
public = set(hubscan.__all__)
assert public <= set(dir(hubscan)), dir(hubscan)
print(*sys.modules)
print(*[name for name in hubscan.scores.__all__ if callable(getattr(hubscan.scores, name))])
print(*[getattr(hubscan, name).__module__ for name in ("rank", "embed", "load_run")])
try: hubscan.nonsense
except AttributeError as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported, *asked = done.stdout.splitlines()
    assert set(imported.split()) & HEAVY == set()
    assert asked == [
        " ".join(import_module("hubscan.scores").__all__),
        "hubscan.api hubscan.api hubscan.run",
        "module 'hubscan' has no attribute 'nonsense'",
    ]


def modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom hubscan.cli import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_nothing_heavy() -> None:
    assert modules_after("--help") & HEAVY == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_imports_nothing_heavy_and_explains_every_option(command: str) -> None:
    assert modules_after(command, "--help") & HEAVY == set()


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hubscan", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rank"], 2, "no dataset: pass --dataset"),
        (["rank", "--recipe", "nowhere.yaml"], 2, "nowhere.yaml: no such file"),
        (
            ["rank", "--dataset", "x", "--model", "a/b", "--license", "mit"],
            2,
            "license: these shape the query",
        ),
        (["rank", "--dataset", "x", "--max-params", "lots"], 2, "max_params: should be a valid integer"),
        (["rank", "--dataset", "x", "--metric", "luck"], 2, "unknown measure 'luck'; there are: transfer"),
        (["rank", "--resume"], 2, "--resume goes with --run DIR alone"),
        (["rank", "--nonsense"], 2, "No such option"),
        (["search"], 2, "--task or --modality is needed"),
        (["show", "."], 1, "no run here"),
        (["publish", ".", "--repo", "me/name"], 1, "no run here"),
    ],
)
def test_wrong_usage_is_one_line_on_stderr_with_the_code_of_the_contract(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and "Traceback" not in done.stderr


def test_verbose_shows_where_an_error_arose(tmp_path: Path) -> None:
    done = run("show", ".", "-v", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr and done.stderr.endswith("lock.yaml in it)\n")


def test_version_is_that_of_the_package(tmp_path: Path) -> None:
    from importlib.metadata import version

    assert run("--version", cwd=tmp_path).stdout == f"hubscan, version {version('hubscan')}\n"


def test_doctor_says_what_there_is_and_fails_without_a_hub(cli: object, tmp_path: Path) -> None:
    assert callable(cli)
    done = cli("doctor", "--format", "json", HF_TOKEN="hf_good")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["endpoint"].endswith("(reachable)") and found["login"] == "tester"
    assert "cpu" in found["devices"] and "torch" in found["versions"]
    lost = cli("doctor", HF_ENDPOINT="http://127.0.0.1:9")
    assert lost.returncode == 1 and "not reachable" in lost.stdout

"""The command line: its help, and how it ends on wrong usage."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from click_option_group._core import _GroupTitleFakeOption

from hubscan.cli import main, signals
from hubscan.cli.group import COMMANDS
from tests.support.commands import Cli

RunHere = Callable[..., Result]
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
def test_the_help_of_every_command_imports_nothing_heavy(command: str) -> None:
    assert modules_after(command, "--help") & HEAVY == set()


def commands_of(command: click.Command) -> Iterator[click.Command]:
    """Yield *command* and all that are below it."""
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands_of(below)


@pytest.mark.parametrize("command", list(commands_of(main)), ids=lambda command: command.name)
def test_every_option_of_every_command_is_explained_in_its_help(command: click.Command) -> None:
    assert command.help
    shown = " ".join(command.get_help(click.Context(command)).split())
    for option in command.params:
        if isinstance(option, click.Option) and not isinstance(option, _GroupTitleFakeOption):
            assert option.help and not option.hidden, option.opts
            assert set(option.opts) <= set(shown.replace(",", " ").replace("/", " ").split())
            # Lines also break behind the hyphens of names.
            assert "".join(option.help.split()) in shown.replace(" ", "")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunHere]:
    """Run `hubscan` in an empty folder and in this process."""
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in signals.ENDING}
    yield lambda *arguments: CliRunner().invoke(main, arguments, prog_name="hubscan")
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rank"], 2, "no dataset: pass --dataset"),
        (["rank", "--recipe", "nowhere.yaml"], 2, "nowhere.yaml: no such file"),
        (
            ["rank", "--dataset", "x", "--model", "a/b", "--license", "mit"],
            2,
            "license: no effect",
        ),
        (["rank", "--dataset", "x", "--max-params", "lots"], 2, "max_params: should be a valid integer"),
        (["rank", "--dataset", "x", "--metric", "luck"], 2, "unknown metric 'luck'. Metrics: transrate"),
        (["rank", "--resume"], 2, "--resume needs --run DIR"),
        (["rank", "--nonsense"], 2, "No such option"),
        (["rnak"], 2, "no such command 'rnak'; did you mean 'rank'?"),
        (["verify", ".", "--time-per-checkpoint", "20"], 2, "'20' is not a duration such as 90s, 20m or 2h"),
        (["rank", "--recipe", "dmeo"], 2, "did you mean 'demo'?"),
        (["search"], 2, "pass --task or --modality"),
        (["show", "."], 1, "no run here"),
        (["publish", ".", "--repo", "me/name"], 1, "no run here"),
    ],
)
def test_wrong_usage_is_one_line_on_stderr_with_the_code_of_the_contract(
    run: RunHere, arguments: list[str], code: int, said: str
) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr and "Traceback" not in done.stderr


def test_verbose_shows_where_an_error_arose(run: RunHere) -> None:
    done = run("show", ".", "-v")
    assert done.exit_code == 1
    assert "Traceback" in done.stderr and done.stderr.endswith("lock.yaml in it)\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--version",), 0, ""),
        (("show", "."), 1, "Error: .: no run here (there is no lock.yaml in it)\n"),
        (("rank",), 2, "Error: no dataset: pass --dataset ID_OR_PATH, or a --recipe that names one\n"),
    ],
)
def test_a_program_ends_with_the_code_of_the_contract(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    program = [sys.executable, "-m", "hubscan", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stderr) == (code, said)


def test_version_is_that_of_the_package(run: RunHere) -> None:
    from importlib.metadata import version

    assert run("--version").stdout == f"hubscan, version {version('hubscan')}\n"


def test_doctor_says_what_there_is_and_fails_without_a_hub(cli: Cli) -> None:
    done = cli("doctor", "--format", "json", HF_TOKEN="hf_good")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["endpoint"].endswith("(reachable)") and found["login"] == "tester"
    assert "cpu" in found["devices"] and "torch" in found["versions"]
    lost = cli("doctor", HF_ENDPOINT="http://127.0.0.1:9")
    assert lost.returncode == 1 and "not reachable" in lost.stdout

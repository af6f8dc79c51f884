"""A bad environment variable is one line that names it, and matters only where it is used."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from hubscan import environment, run
from hubscan.errors import DiskError, RunError, SettingError
from hubscan.hub import settings
from hubscan.hub.session import _Factory
from hubscan.secret_text import PROXIES
from tests.hub import LabHub
from tests.hub import environment as hub_environment
from tests.support import programs

Cli = Callable[..., subprocess.CompletedProcess[str]]
TOKEN = "hf_SeCrEt"


# -- what libraries read when they are imported ---------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HF_ENDPOINT", "hf-mirror.com", "not an http address; write it as https://hf-mirror.com"),
        ("HF_ENDPOINT", "127.0.0.1:9", "not an http address; write it as https://127.0.0.1:9"),
        ("HF_ENDPOINT", "ftp://hub.test", "not an http address; write it as https://hub.test"),
        ("HF_ENDPOINT", "https://hub.test/ ", "contains a space or a line break; remove it"),
        ("HF_ENDPOINT", "https://hub test", "contains a space"),
        ("HF_ENDPOINT", "", "is empty; unset it"),
        ("HF_ENDPOINT", "https://", "not an http address"),
        ("HF_ENDPOINT", "https://hub.test:port", "not an address"),
        ("HF_ENDPOINT", "https://[::1", "not an address"),
        ("HF_ENDPOINT", "https://hub.test?x=1", "contains a query"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "abc", "not a whole number from 1; correct it, or unset it"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "", "not a whole number"),
        ("HF_HUB_ETAG_TIMEOUT", "1.5", "not a whole number"),
        ("HF_HUB_ETAG_TIMEOUT", "-1", "not a whole number"),
        ("HF_DATASETS_IN_MEMORY_MAX_SIZE", "5GB", "not a number; correct it, or unset it"),
        ("TQDM_MININTERVAL", "abc", "not a number; correct it, or unset it"),
        ("TQDM_NCOLS", "wide", "not a whole number from 0; correct it, or unset it"),
        ("OMP_NUM_THREADS", "abc", "not a number of threads; correct it, or unset it"),
        ("OMP_NUM_THREADS", "0", "not a number of threads"),
        ("MKL_NUM_THREADS", "many", "not a number of threads"),
        ("HF_HOME", "", "is empty, which means the current folder; unset it, or name a folder"),
        ("HF_DATASETS_CACHE", " ", "is empty"),
    ],
)
def test_a_bad_value_is_named_with_what_to_do(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as raised:
        environment.check()
    shown = value.replace("?x=1", "?…")  # a query may be a signature
    assert str(raised.value).startswith(f"{name}={shown!r}: {said}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_ENDPOINT", "https://hub.test"),
        ("HF_ENDPOINT", "http://hub.test:8080/a/path/"),
        ("HF_ENDPOINT", "http://[::1]:8080"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "30"),
        ("HF_DATASETS_IN_MEMORY_MAX_SIZE", "1e9"),
        ("OMP_NUM_THREADS", "4,2"),
        ("OMP_NUM_THREADS", ""),
        ("HF_HOME", "relative"),
    ],
)
def test_a_good_value_is_accepted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    environment.check()


def test_a_library_that_stumbles_over_a_variable_is_explained_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "site-packages" / "library.py"
    library.parent.mkdir()
    library.write_text("import os\nNUMBER = int(\n    os.environ.get('LIBRARY_NUMBER', '1')\n)\n")
    code = compile(library.read_text(), str(library), "exec")
    monkeypatch.setenv("LIBRARY_NUMBER", "many")
    with pytest.raises(SettingError) as raised, environment.explained():
        exec(code, {})
    assert str(raised.value).startswith("LIBRARY_NUMBER='many': cannot be used: invalid literal for int()")
    assert str(raised.value).endswith("; correct it, or unset it")


def test_a_bug_is_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "here")
    with pytest.raises(ZeroDivisionError), environment.explained():
        print(1 / 0, "HF_HOME")


@pytest.mark.parametrize(
    ("name", "value"),
    [("HF_HUB_ETAG_TIMEOUT", "abc"), ("HF_ENDPOINT", "hub.test"), ("OMP_NUM_THREADS", "abc")],
)
def test_every_command_and_the_package_say_it_in_one_line(name: str, value: str, tmp_path: Path) -> None:
    variables = hub_environment("http://127.0.0.1:9", tmp_path) | {name: value}
    words = ("-m", "hubscan", "rank", "--dataset", "x.csv")
    done = programs.run_cold(words, variables, tmp_path, timeout=60)
    assert done.returncode == 1 and done.stderr.startswith(f"Error: {name}='{value}': ")
    assert done.stderr.count("\n") == 1
    code = "import hubscan\nfrom hubscan.errors import SettingError\ntry:\n    hubscan.rank\n"
    code += "except SettingError as error:\n    print(error)"
    done = programs.run_cold(("-c", code), variables, tmp_path, timeout=60)
    assert done.stdout.startswith(f"{name}="), done.stderr


# -- tokens, proxies and certificates, which only the Hub needs -----------------------------------


@pytest.fixture
def no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*settings.TOKENS, "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "home" / "token"
    file.parent.mkdir()
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(file))
    return file


BAD_TOKENS = {
    f"“{TOKEN}”": "quotation marks",
    f'"{TOKEN}"': "quotation marks",
    f"{TOKEN} more": "a space or a line break",
    f"{TOKEN}\r\nmore": "a space or a line break",
    f"{TOKEN}\u00a0more": "a space or a line break",
    f"{TOKEN}é": "a character that is not ASCII",
    f"{TOKEN}\u200b": "a character that is not ASCII",
    f"{TOKEN}\x07": "a control character",
}


@pytest.mark.parametrize("token", BAD_TOKENS)
@pytest.mark.parametrize("name", settings.TOKENS)
def test_a_token_that_is_none_is_named_but_not_shown(
    name: str, token: str, no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, token)
    with pytest.raises(SettingError) as raised:
        settings.check_token()
    assert str(raised.value) == f"{name}: the token contains {BAD_TOKENS[token]}; correct it, or unset it"


@pytest.mark.parametrize("content", [f"“{TOKEN}”\n".encode(), b"\xff\xfe", f"{TOKEN} x".encode()])
def test_a_token_file_is_named_too(content: bytes, no_token: Path) -> None:
    no_token.write_bytes(content)
    with pytest.raises(SettingError, match="run `hf auth login` again") as raised:
        settings.check_token()
    assert str(raised.value).startswith(f"{no_token}: the token ") and TOKEN not in str(raised.value)


def test_a_token_file_below_a_file_is_named_with_its_variable(
    no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_token.write_text("x")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", f"{no_token}/token")
    monkeypatch.setenv("HF_HOME", str(no_token))
    with pytest.raises(SettingError, match="cannot be read: Not a directory; correct HF_HOME"):
        settings.check_token()


@pytest.mark.parametrize("token", [TOKEN, f" {TOKEN}\r\n", "eyJ.eyJ-_.x=", ""])
def test_a_token_is_accepted_as_the_client_cleans_it(
    token: str, no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.check_token()
    monkeypatch.setenv("HF_TOKEN", token)
    settings.check_token()
    monkeypatch.delenv("HF_TOKEN")
    no_token.write_text(token)
    settings.check_token()


def test_a_token_that_cannot_be_exchanged_is_named_by_its_variable(
    no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_OIDC_ID_TOKEN", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_OIDC_RESOURCE", "abc")
    with pytest.raises(
        SettingError, match=r"^HF_OIDC_RESOURCE: no token for it: .*; correct it, or unset it$"
    ):
        settings.check_token()


def factory_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> httpx.Client:
    for name in (*PROXIES, "no_proxy", *settings.CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return _Factory(httpx.Client)()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "socks5://127.0.0.1:9",
            "a SOCKS proxy needs another package; run `pip install 'httpx2[socks]'`, or",
        ),
        ("socks5h://me:secret@127.0.0.1:9", "a SOCKS proxy needs another package"),
        ("socks4://127.0.0.1:9", "not the address of a proxy: its scheme is not http, https or socks5"),
        ("http://proxy.test:port", "not the address of a proxy: "),
        ("http://me:secret@proxy.test:port", "not the address of a proxy: "),
        ("me:secret@proxy.test:port", "not the address of a proxy: "),
        ("me:top/secret@proxy.test:port", "not the address of a proxy: "),
        ("http://proxy\x07.test", "not the address of a proxy: "),
    ],
)
def test_a_proxy_with_which_no_session_starts_is_named(
    name: str, value: str, said: str, no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingError) as raised:
        factory_with(monkeypatch, **{name: value})
    assert str(raised.value).startswith(f"{name}=") and said in str(raised.value)
    assert "secret" not in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": "127.0.0.1:9"},
        {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "localhost,::1,[::1],fd07:b51a:cc66:f0::/64,[,%"},
        {"HTTPS_PROXY": "", "ALL_PROXY": ""},
    ],
)
def test_other_proxies_are_the_clients_to_read(
    variables: dict[str, str], no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory_with(monkeypatch, **variables).close()


@pytest.mark.parametrize("name", settings.CERTIFICATES)
def test_certificates_that_are_not_there_are_named(
    name: str, no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingError, match=rf"^{name}='/nowhere/x': no .*; correct it, or unset it$"):
        factory_with(monkeypatch, **{name: "/nowhere/x"})


def test_doctor_reports_what_is_wrong_and_goes_on(cli: Cli) -> None:
    done = cli("doctor", "--format", "json", HTTPS_PROXY="socks5://127.0.0.1:9", HF_TOKEN=f"“{TOKEN}”")
    found = json.loads(done.stdout)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "HF_TOKEN: the token contains quotation marks" in found["endpoint"]
    assert TOKEN not in done.stdout and "torch" in found["versions"]
    done = cli("doctor", HF_ENDPOINT="hub.test")
    assert "HF_ENDPOINT='hub.test': not an http address" in done.stdout and "versions" in done.stdout


@pytest.mark.parametrize("ending", ["/", "//"])
def test_an_endpoint_may_end_in_a_slash(hub: LabHub, tmp_path: Path, ending: str) -> None:
    code = """
from hubscan.hub import listing
from hubscan.records import Query, SampleRequest
from hubscan.sample import draw
print(draw(SampleRequest("tester/lines-csv", samples=4)).draw.rows)
print(draw(SampleRequest("tester/reviews", samples=20)).draw.rows)
print(next(listing.named(["tester/plain-bert"], Query(), "text")).model)
"""
    variables = hub_environment(hub.endpoint + ending, tmp_path / "home")
    done = programs.run(("-c", code), variables, tmp_path, timeout=120)
    assert done.stdout.split() == ["4", "20", "tester/plain-bert"], done.stderr


# -- folders --------------------------------------------------------------------------------------


def test_a_folder_is_tried_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert environment.why_not_writable(tmp_path / "new" / "er") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
    assert environment.why_not_writable(tmp_path / "file" / "below") == "Not a directory"
    assert environment.why_not_writable(Path("/proc/nowhere")) is not None


def test_the_clients_cache_is_named_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    for name in settings.CACHE:
        monkeypatch.delenv(name, raising=False)
    for name in reversed(settings.CACHE):
        monkeypatch.setenv(name, "x")
        with pytest.raises(DiskError, match=rf"^{name}: .*cannot be written: Not a directory; set HF_HOME"):
            settings.check_cache()


def test_hubscans_cache_gives_way_to_a_temporary_folder_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        folder = environment.cache_folder()
        assert environment.cache_folder() == folder
    assert folder.is_dir() and len(caplog.records) == 1
    assert caplog.messages[0].startswith("HUBSCAN_CACHE: hubscan's cache in ")
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path / "new"))
    assert environment.cache_folder() == tmp_path / "new"


def test_a_run_folder_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^/proc/run: cannot be written: "):
        run.require_writable(Path("/proc/run"))
    run.require_writable(tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []


LOCAL = """
from hubscan.sample import draw
from hubscan.records import SampleRequest
from huggingface_hub.utils import _http
sample = draw(SampleRequest("data.csv", samples=4))
print(sample.draw.rows, _http._GLOBAL_CLIENT)
"""


@pytest.mark.parametrize(
    "bad",
    [
        {"HF_HOME": "data.csv/below"},
        {"HF_HOME": "/proc/nowhere", "HUBSCAN_CACHE": "/proc/nowhere"},
        {"HF_DATASETS_CACHE": "data.csv/below", "HF_HUB_CACHE": "data.csv/below"},
        {"HOME": "/proc/nowhere", "HF_HOME": "/proc/nowhere/x", "XDG_CACHE_HOME": "/proc/nowhere"},
        {"ALL_PROXY": "socks5://127.0.0.1:9", "HF_TOKEN": "“x”", "SSL_CERT_FILE": "/nowhere"},
        {"TMPDIR": "/proc/nowhere"},
    ],
    ids=lambda bad: "+".join(bad),
)
def test_local_data_needs_no_cache_no_token_and_no_session(bad: dict[str, str], tmp_path: Path) -> None:
    rows = "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(12))
    (tmp_path / "data.csv").write_text("text,label\n" + rows)
    variables = hub_environment("http://127.0.0.1:9", tmp_path / "home") | bad
    done = programs.run(("-c", LOCAL), variables, tmp_path, timeout=120)
    assert done.stdout.split() == ["4", "None"], done.stderr


def test_a_dataset_of_the_hub_needs_the_clients_cache(hub: LabHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code = """
from hubscan.sample import draw
from hubscan.records import SampleRequest
from hubscan.errors import HubscanError
try:
    draw(SampleRequest("tester/reviews", samples=4))
except HubscanError as error:
    print(error)
"""
    variables = hub_environment(hub.endpoint, tmp_path / "home")
    for name in ("HF_HUB_CACHE", "HF_HOME"):
        done = programs.run(("-c", code), variables | {name: str(tmp_path / "file/x")}, tmp_path, timeout=120)
        assert name in done.stdout and "Not a directory; " in done.stdout, done.stderr
        assert done.stdout.count("\n") == 1

"""Secrets are hidden in whatever hubscan shows, and the rest of a message stays as it is."""

from __future__ import annotations

import pytest

from hubscan.cli.say import show_traceback
from hubscan.environment import shown
from hubscan.errors import HubError
from hubscan.plain_text import LONGEST, plain
from hubscan.secret_text import hide, public_url, without_secrets
from tests.support.fault_table import record

TOKEN = "hf_" + "Ab3" * 12
SECRETS = {
    "a password": ("http://me:sesame@host:80/x: refused", "sesame", "http://…@host:80/x: refused"),
    "a password with @ and :": ("http://me:s@s:ame@host/x", "ame@", "http://…@host/x"),
    "a user alone": (f"http://{TOKEN}@host/x.csv", TOKEN, "http://…@host/x.csv"),
    "a signature": ("'https://host/x?a=1&X-Amz-Signature=5e5'", "5e5", "'https://host/x?…'"),
    "a token": (f"the header is {TOKEN}.", TOKEN, "the header is …."),
    "a header": ("Authorization: Bearer eyJ.sesame.x", "sesame", "Authorization: Bearer …"),
    "a proxy": ("socks5://u:sesame@10.0.0.1:1080", "sesame", "socks5://…@10.0.0.1:1080"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_hidden_in_errors_and_plain_text(name: str) -> None:
    given, secret, shown = SECRETS[name]
    assert plain(given) == str(HubError(given)) == without_secrets(given) == shown
    assert secret not in shown
    record("secrets", f"{name} in a message", shown)


def test_the_token_of_the_environment_is_hidden_whatever_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "mirror-sesame")
    assert str(HubError("the mirror quotes mirror-sesame")) == "the mirror quotes …"


def test_a_secret_is_hidden_before_a_long_text_is_cut() -> None:
    text = "x" * (2 * LONGEST - 10) + f" {TOKEN}"
    assert "hf_" not in plain(text, 4 * LONGEST) and "hf_" not in plain(text)


@pytest.mark.parametrize(
    "text", ["hf_hub/bert", "a@b.c says: why?", "hf://datasets/a/b@main/x.csv", "https://host/a/b: gone"]
)
def test_other_text_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_public_url_has_no_user_query_or_fragment() -> None:
    assert public_url("https://me:p@host:8443/a/x.csv?sig=1#f") == "https://host:8443/a/x.csv"
    assert public_url("https://host/x.csv") == "https://host/x.csv"


@pytest.mark.parametrize("name", ["HF_ENDPOINT", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("address", ["http://me:open%2Fsesame@host:80", "me:open%2Fsesame@host:80"])
def test_the_password_of_an_address_in_the_environment_is_hidden_whatever_quotes_it(
    name: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, address)
    for quoting in ("open/sesame", "open%2Fsesame", "me:open%2Fsesame", "bWU6b3Blbi9zZXNhbWU="):
        assert without_secrets(f"no {quoting} here") == "no … here"
    assert without_secrets(f"{address}: refused") == address.replace("me:open%2Fsesame", "…") + ": refused"


def test_a_user_without_a_password_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://reader@host")
    assert without_secrets("the model reader/bert") == "the model reader/bert"


def test_a_token_that_was_read_from_a_file_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubscan.secret_text._from_files", [])
    hide("mirror-sesame")
    hide("short")
    assert without_secrets("a short mirror-sesame") == "a short …"


def test_a_value_is_shown_without_its_password_even_if_it_is_cut() -> None:
    long = "s" * 100
    for value in (
        f"me:{long}@host",
        f"http://me:{long}@host",
        f"me:{long}//{long}@host",
        f"//me:{long}@host",
    ):
        assert shown(value) in ("'…@host'", "'http://…@host'", "'//…@host'")
    assert shown("socks5://host:80/x") == "'socks5://host:80/x'"


def test_a_traceback_has_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("http://me:sesame@host/x is unexpected")
    except ValueError as error:
        show_traceback(type(error), error)
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback") and "ValueError: http://…@host/x is unexpected" in printed

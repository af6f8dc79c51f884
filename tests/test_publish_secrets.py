"""Nothing that looks like a secret is published, and the refusal does not repeat it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hubscan.errors import HubError
from hubscan.publish.secrets import refuse_secrets
from hubscan.publish.upload import contents
from hubscan.records import Skipped
from tests.support.fault_table import record
from tests.support.rankings import BGE, make_run

SECRETS = {
    "a token of the Hub": "hf_" + "aB3" * 11,
    "an old token of an organisation": "api_org_" + "aB3" * 11,
    "a password in an address": "https://me:pass@host/x.csv",
    "a password without a user": "redis://:pass@host/0",
    "a signature of S3": "https://host/x.csv?a=1&X-Amz-Signature=0123456789abcdef",
    "a signature of Azure": "https://host/x.csv?sv=2020&sig=abc%3D",
    "a signature of Google": "https://host/x?X-Goog-Signature=0123",
    "a key of AWS": "AKIA" + "ABCDEFGH23456789",
    "a key of Google": "AIza" + "a" * 35,
    "a token of GitHub": "ghp_" + "a1" * 18,
    "a token of GitLab": "glpat-" + "a1" * 10,
    "a key of OpenAI": "sk-" + "a1" * 20,
    "a token of Slack": "xoxb-" + "123456789012",
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "a JSON web token": "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_refused_and_not_repeated(kind: str) -> None:
    with pytest.raises(HubError, match=r"lock\.yaml, line 2: contains") as raised:
        refuse_secrets({"README.md": b"fine\n", "lock.yaml": f"a: 1\nb: {SECRETS[kind]}\n".encode()})
    assert SECRETS[kind] not in str(raised.value)
    record("secrets", f"{kind} in a file to publish", str(raised.value))


def test_the_token_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "unusual-token")
    with pytest.raises(HubError, match="a token, key or password of yours"):
        refuse_secrets({"README.md": b"x unusual-token y"})


FINE = [
    "dataset: stanfordnlp/imdb",
    "revision: 5c38ec7c405ec4b44b94cc5a9bb96e735b38267a",
    "https://huggingface.co/datasets/a/b?row=3&signal=1",
    "ask-me-anything, sk-learn, task_0, hf_model, a:b@c",
    "mail: me@example.org, time 12:30@noon",
]


@pytest.mark.parametrize("text", FINE)
def test_ordinary_text_passes(text: str) -> None:
    refuse_secrets({"README.md": text.encode()})


def test_a_run_with_a_secret_in_a_reason_is_not_published(tmp_path: Path) -> None:
    secret = "ghp_" + "a1" * 18
    skipped = Skipped("a/b", "f" * 40, "load", f"bad header: {secret}")
    run = make_run(tmp_path / "run", [replace(BGE), skipped])
    with pytest.raises(HubError, match="a token of a code host") as raised:
        contents(run, "me/x")
    assert secret not in str(raised.value)

"""Refuse to publish a text that contains what looks like a secret, whoever wrote it into the run folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hubscan.errors import HubError
from hubscan.secret_text import own_secrets, values_of

KEYS: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)  # environment variables, besides those of the Hub
KINDS: Final[Mapping[str, re.Pattern[str]]] = {
    "a token of the Hub": re.compile(r"\b(hf|api_org)_[A-Za-z0-9]{16,}"),
    "a password in an address": re.compile(
        r"[a-z][a-z0-9+.-]{1,20}://[^\s/?#@:'\"]{0,200}:[^\s/?#@'\"]{1,200}@"
    ),
    "a signed address": re.compile(
        r"[?&](X-Amz-(Signature|Credential|Security-Token)|X-Goog-Signature|Signature|sig|AWSAccessKeyId)=",
        re.IGNORECASE,
    ),
    "a key of a cloud": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b"),
    "a token of a code host": re.compile(
        r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{18,})"
    ),
    "a secret key": re.compile(r"\bsk-[A-Za-z0-9_-]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}


def refuse_secrets(files: Mapping[str, bytes]) -> None:
    """Check the texts in *files*, by name, before any of them leaves this machine.

    Raises:
        HubError: naming the file, the line and the kind of secret, and never the secret.
    """
    own = [*own_secrets(), *values_of(KEYS)]
    for name, content in files.items():
        for number, line in enumerate(content.decode("utf-8", "ignore").splitlines(), start=1):
            kind = "a token, key or password of yours" if any(value in line for value in own) else None
            kind = kind or next((kind for kind, mark in KINDS.items() if mark.search(line)), None)
            if kind:
                raise HubError(
                    f"{name}, line {number}: contains {kind}, so nothing was published; "
                    "remove it from the run folder, or scan again without it"
                )

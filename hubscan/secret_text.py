"""Hide secrets in text: passwords and signatures in URLs, and tokens.

The messages of libraries quote URLs, headers and environment variables. `hubscan.plain_text` hides the
secrets in everything that is shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit, urlunsplit

HIDDEN: Final = "…"
SHORTEST: Final = 6  # characters of a token that is looked for; a shorter one would hide ordinary words

TOKENS: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_ID_TOKEN")
# What a URL has before its host, and after its path. No part contains a space.
_USER: Final = re.compile(r"(?<=://)[^\s/?#]{1,1000}@")
_QUERY: Final = re.compile(r"(://[^\s?#]{1,4000}\?)[^\s'\"<>`)]+")
_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{16,}|(?<=Bearer )[^\s'\"]+")


def without_secrets(text: str) -> str:
    """Return *text* with an ellipsis for each secret, and for the queries of URLs, which sign them.

    >>> without_secrets("http://me:pass@host/x.csv?X-Amz-Signature=1f: status 403")
    'http://…@host/x.csv?… status 403'
    """
    for token in values_of(TOKENS):
        text = text.replace(token, HIDDEN)
    if "://" in text:
        text = _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
    return _TOKEN.sub(HIDDEN, text) if "hf_" in text or "Bearer " in text else text


def values_of(variables: Iterable[str]) -> Iterator[str]:
    """Yield the values of environment variables that are set to something long enough for a secret."""
    values = (os.environ.get(name, "").strip() for name in variables)
    yield from (value for value in values if len(value) >= SHORTEST)


def public_url(url: str) -> str:
    """Return *url* without the user, password, query and fragment, which may be or sign a secret.

    >>> public_url("https://me:pass@host:8443/x.csv?sig=1f#rows")
    'https://host:8443/x.csv'

    Raises:
        ValueError: if the host is not one, such as an unfinished address of version 6.
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

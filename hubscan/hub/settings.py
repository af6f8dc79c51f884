"""Check what only matters when the Hub is asked: the token, the proxies and the certificates."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.request import proxy_bypass

from huggingface_hub import constants, get_token
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from hubscan.environment import deciding, shown, why_not_writable
from hubscan.errors import DiskError, SettingError
from hubscan.secret_text import PROXIES, hide, unquoted

TOKENS: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # in the order in which the client looks for one
CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
CACHE: Final = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME")
"""The variables that decide where the client keeps its cache; the first that is set decides."""


def check_token() -> None:
    """Check the token that the client would send; the error does not contain it.

    Raises:
        SettingError: naming the variable or the file, if it cannot be a token.
    """
    if os.environ.get("HF_OIDC_RESOURCE"):
        _check_exchange()
        return
    name = next((name for name in TOKENS if os.environ.get(name)), None)
    if name is not None:
        _check_token(name, os.environ[name], "correct it, or unset it")
        return
    try:
        token = Path(constants.HF_TOKEN_PATH).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingError(
            f"{constants.HF_TOKEN_PATH}: the token cannot be read: {error.strerror or error}; "
            f"correct {deciding(('HF_TOKEN_PATH', *CACHE[2:]))}, which names the folder, or set HF_TOKEN"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingError(
            f"{constants.HF_TOKEN_PATH}: the token is not text; run `hf auth login` again"
        ) from error
    _check_token(constants.HF_TOKEN_PATH, token, "run `hf auth login` again")
    hide(token.strip())


def check_cache() -> None:
    """Check that the client can write its cache.

    Raises:
        DiskError: naming the variable, if it cannot.
    """
    folder = Path(constants.HF_HUB_CACHE)
    problem = why_not_writable(folder)
    if problem:
        raise DiskError(
            f"{deciding(CACHE)}: the cache of the Hub's client, {folder}, cannot be written: {problem}; "
            "set HF_HOME to a folder that can be written"
        )


def check_certificates() -> None:
    """Check the folder of certificates; one that is not there counts as empty, and every server is refused.

    Raises:
        SettingError: naming the variable, if there is no such folder.
    """
    folder = os.environ.get("SSL_CERT_DIR")
    if folder and not os.environ.get("SSL_CERT_FILE") and not Path(folder).is_dir():
        raise SettingError(f"SSL_CERT_DIR={shown(folder)}: no such folder; correct it, or unset it")


def explain(error: Exception) -> SettingError:
    """Return in one line, naming the variable, why the client's session could not be created."""
    for name, value in os.environ.items():
        if name.lower() in PROXIES and value:
            problem = _problem_of_proxy(value)
            if problem:
                return SettingError(f"{name}={shown(value)}: {problem}")
    for name in CERTIFICATES:
        if os.environ.get(name):
            reason = getattr(error, "strerror", None) or str(error)
            return SettingError(
                f"{name}={shown(os.environ[name])}: no certificates can be read there: {reason}; "
                "correct it, or unset it"
            )
    return SettingError(f"the Hub's client cannot be set up: {error}; check the environment variables")


def proxy_for(url: str) -> str | None:
    """Return the variable that names the proxy for requests to *url*, None without one."""
    scheme, _, rest = url.partition("://")
    if proxy_bypass(rest.partition("/")[0]):
        return None
    wanted = (f"{scheme}_proxy", "all_proxy")
    return next(
        (name for kind in wanted for name, value in os.environ.items() if value and name.lower() == kind),
        None,
    )


def _check_token(where: str, token: str, advice: str) -> None:
    # As the client cleans it; a line break within is a paste that went wrong.
    token = token.strip()
    if re.search(r"\s", token):
        problem = "a space or a line break"
    elif re.search(r"[\"'`“”„‟‘’‚‛«»]", token):
        problem = "quotation marks"
    elif not token.isascii():
        problem = "a character that is not ASCII"
    elif not token.isprintable():
        problem = "a control character"
    else:
        return
    raise SettingError(f"{where}: the token contains {problem}; {advice}")


def _check_exchange() -> None:
    """Check that a continuous integration gets a token for the resource that it names."""
    try:
        hide(get_token() or "")
    except Exception as error:  # OIDCError, or whatever the provider's endpoint answers
        reason = " ".join(str(error).split())[:200]
        raise SettingError(f"HF_OIDC_RESOURCE: no token for it: {reason}; correct it, or unset it") from error


def _problem_of_proxy(value: str) -> str | None:
    address = value if "://" in value else f"http://{value}"
    try:
        scheme = httpx.Proxy(address).url.scheme
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        reason = "its scheme is not http, https or socks5" if "scheme" in str(error) else unquoted(error)
        return f"not the address of a proxy: {reason}; write it as http://HOST:PORT, or unset it"
    if scheme.startswith("socks") and find_spec("socksio") is None:
        return "a SOCKS proxy needs another package; run `pip install 'httpx2[socks]'`, or unset it"
    return None


def offline_because() -> str | None:
    """Return the variable that forbids the client to ask the Hub, None if it may."""
    if not constants.is_offline_mode():
        return None
    return deciding(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))

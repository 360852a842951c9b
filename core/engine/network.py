"""Whether the Hub can be found at all: the libraries would try for a minute before they say that it cannot."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from core.errors import BadInput

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


def check_network(where: str, do: str) -> None:
    """Looks up the Hub's address; passes where a proxy would do that, or where the libraries are told to stay offline.

    Args:
        where: what was to be downloaded, for the sentence; "" leaves it out.
        do: what to do without a network.

    Raises:
        BadInput: there is no such address, so there is no network here.
    """
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    if offline or any(os.environ.get(proxy) for proxy in _PROXIES):
        return
    host = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").hostname or ""
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        raise BadInput(f"No network here: {host} cannot be found", where=where, do=do) from None


def check_model_download(path: str, revision: str) -> None:
    """Checks the network for a model that is still to be downloaded.

    Args:
        path: the recipe's `model.path`.
        revision: the recipe's `model.revision`.

    Raises:
        BadInput: it is a Hub model ID that is not in the cache, and there is no network.
    """
    from core.recipe.model_files import NotDownloaded, find

    try:
        find(path, revision)
    except NotDownloaded:
        check_network(
            path,
            f"Download it elsewhere: hf download {path} --local-dir DIR; then copy DIR here and set model.path to it",
        )
    except BadInput:
        pass  # whoever loads it says what is wrong

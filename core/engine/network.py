"""Whether the Hub can be asked at all: the libraries would retry for a minute before they give up."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from core import units
from core.errors import BadInput
from core.recipe.hub_access import ask_hub, endpoint, offline

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
_OFFLINE = "HF_HUB_OFFLINE"


def check_network(where: str, do: str) -> None:
    """Looks up the Hub's address; passes where a proxy would do that, or where the libraries are told to stay offline.

    Args:
        where: what was to be downloaded, for the sentence; "" leaves it out.
        do: what to do without a network.

    Raises:
        BadInput: there is no such address, so there is no network here.
    """
    if offline() or any(os.environ.get(proxy) for proxy in _PROXIES):
        return
    host = urlsplit(endpoint()).hostname or ""
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        raise BadInput(f"No network here: {host} cannot be found", where=where, do=do) from None


def check_model_download(path: str, revision: str, others: Sequence[str] = ()) -> str:
    """Settles, before any library is loaded, whether the model has to be downloaded, and whether it can be.

    A model that is on this machine is used as it is, and the libraries are told to stay offline: else they ask the Hub
    about each of its files, and without a network they retry each for seconds, silently.

    Args:
        path: the recipe's `model.path`.
        revision: the recipe's `model.revision`.
        others: paths of the models that the task loads besides.

    Returns:
        What will be downloaded, a phrase such as `Downloading org/name (2.1 GiB)`; "" for nothing.

    Raises:
        BadInput: it is a Hub model ID that is not in the cache, and it cannot be downloaded; with the reason.
    """
    from core.recipe.model_files import NotDownloaded, find, is_here

    try:
        find(path, revision)
    except NotDownloaded:
        pass
    except BadInput:
        return ""  # whoever loads it says what is wrong
    if os.path.isdir(path):
        return ""  # with or without weights: a folder is not on the Hub
    if is_here(path, revision):
        if all(map(is_here, filter(None, others))):
            os.environ[_OFFLINE] = "1"
        return ""
    found = ask_hub(path, revision)
    what, do = found.refusal(path)
    if what:
        raise BadInput(what, where="model.path", do=do)
    return f"Downloading {path}{f' ({units.size(found.size)})' if found.size else ''}"

"""What the Hub says of a model before it is downloaded: whether it is there, may be had, and how large it is.

One or two small requests, all together within `PATIENCE` seconds, where the libraries would try again and again for
a minute. Standard library only: form, preflight and worker ask here.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from core.clean import clean_line
from core.recipe.model_files import hub_cache

PATIENCE = 2.0
"""Seconds that all requests together may take."""

_WEIGHTS = re.compile(r"^[^/]+\.safetensors$")
_BESIDE = re.compile(r"^[^/]+\.(json|jinja|txt|model|tiktoken|py)$")
_LIMIT = 20_000_000
"""Bytes of an answer that are read; the list of a model's files is some kilobytes."""

HubStanding = Literal["there", "gated", "missing", "no revision", "no weights", "unreachable", "offline"]


@dataclass(frozen=True, slots=True)
class HubAccess:
    """What it said.

    Attributes:
        standing: `there`: it can be downloaded; `gated`: its terms have to be accepted first; `missing`: there is no
            such model, or it is private; `unreachable`: no answer in time; `offline`: the libraries are told not to
            ask.
        size: bytes that a download takes; 0 where it does not say.
        why: for people, where it could not be reached: no such address, timed out.
        token: whether a token was sent.
    """

    standing: HubStanding
    size: int = 0
    why: str = ""
    token: bool = False

    def refusal(self, path: str) -> tuple[str, str]:
        """Why the model cannot be had, and what to do, without periods; both "" where it can.

        Args:
            path: its Hub ID.
        """
        name, host = clean_line(path, 120), urlsplit(endpoint()).hostname or endpoint()
        elsewhere = (
            f"Download it elsewhere: hf download {name} --local-dir DIR; then copy DIR here and set model.path to it"
        )
        if self.standing == "gated":
            login = "accept its terms on its Hub page" + ("" if self.token else ", then run `hf auth login` here")
            return f"{name} is gated, and this account has no access yet", login[0].upper() + login[1:]
        if self.standing == "missing":
            do = "Check the spelling" if self.token else "Check the spelling; a private model needs `hf auth login`"
            return f"The Hub has no model {name}, or it is private", do
        if self.standing == "no revision":
            return f"{name} has no such revision on the Hub", "Check the revision"
        if self.standing == "no weights":
            return f"{name} has no safetensors weights on the Hub", "Use a model that has them, or convert it"
        if self.standing == "offline":
            return f"{name} is not on this machine, and HF_HUB_OFFLINE is set", f"Unset it. Or {_lower(elsewhere)}"
        if self.standing == "unreachable":
            return f"Cannot reach the Hub to download {name}: {self.why or host}", elsewhere
        return "", ""


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def endpoint() -> str:
    """The address of the Hub, as huggingface_hub finds it."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def offline() -> bool:
    """Whether the libraries are told not to use the network."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in names)


def ask_hub(path: str, revision: str = "", *, patience: float = PATIENCE) -> HubAccess:
    """Asks the Hub about a model; takes at most `patience` seconds and never raises for what the network does.

    Args:
        path: its Hub ID.
        revision: branch, tag or commit; "" is `main`.
        patience: seconds.
    """
    if offline():
        return HubAccess("offline")
    found: list[HubAccess] = []

    def ask() -> None:
        found.append(_asked(path, revision or "main", patience))

    # A look-up of an address has no time limit of its own.
    thread = threading.Thread(target=ask, name="hub-access", daemon=True)
    thread.start()
    thread.join(patience)
    if found:
        return found[0]
    host = urlsplit(endpoint()).hostname or ""
    return HubAccess("unreachable", why=f"{clean_line(host, 80)} did not answer within {patience:g} s")


def _asked(path: str, revision: str, patience: float) -> HubAccess:
    token = _token()
    base, named = endpoint(), quote(path)
    try:
        url = f"{base}/api/models/{named}/revision/{quote(revision, safe='')}?blobs=true"
        with urlopen(_request(url, token), timeout=patience) as answer:
            said = json.loads(answer.read(_LIMIT))
    except HTTPError as error:
        return HubAccess(_refused(error), token=bool(token), why=f"it answered {error.code}")
    except (URLError, OSError, ValueError) as error:
        return HubAccess("unreachable", why=_reason(error), token=bool(token))
    if not isinstance(said, Mapping):
        return HubAccess("unreachable", why="its response does not look like the Hub's", token=bool(token))
    files = [each for each in said.get("siblings") or () if isinstance(each, Mapping)]
    if files and not any(_WEIGHTS.match(str(each.get("rfilename"))) for each in files):
        return HubAccess("no weights", token=bool(token))
    if said.get("gated") and not _may_read(f"{base}/{named}/resolve/{quote(revision, safe='')}/config.json", token):
        return HubAccess("gated", token=bool(token))
    return HubAccess("there", _download(files), token=bool(token))


def _refused(error: HTTPError) -> HubStanding:
    code = error.headers.get("X-Error-Code", "") if error.headers else ""
    if code == "GatedRepo":
        return "gated"
    if code == "RevisionNotFound":
        return "no revision"
    return "missing" if error.code in (401, 403, 404) else "unreachable"


def _may_read(url: str, token: str) -> bool:
    """Whether this account may read a file of a gated model."""
    try:
        with urlopen(_request(url, token, method="HEAD"), timeout=PATIENCE):
            return True
    except HTTPError as error:
        return error.code not in (401, 403)
    except (URLError, OSError, ValueError):
        return True  # the download will tell


def _download(files: Sequence[Mapping[str, Any]]) -> int:
    """The bytes of what transformers downloads: the safetensors of the model's folder, and the small files there."""
    size = 0
    for each in files:
        name, bytes_ = str(each.get("rfilename")), each.get("size")
        if isinstance(bytes_, int) and bytes_ > 0 and (_WEIGHTS.match(name) or _BESIDE.match(name)):
            size += bytes_
    return size


def _request(url: str, token: str, method: str = "GET") -> Request:
    headers = {"User-Agent": "tunedeck", **({"Authorization": f"Bearer {token}"} if token else {})}
    return Request(url, headers=headers, method=method)


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", error)
    host = urlsplit(endpoint()).hostname or ""
    if isinstance(reason, TimeoutError):
        return f"{clean_line(host, 80)} did not answer in time"
    if "Name or service" in str(reason) or "resolution" in str(reason) or "nodename" in str(reason):
        return f"no network, {clean_line(host, 80)} cannot be found"
    return clean_line(str(reason) or type(reason).__name__, 120).rstrip(".")


def _token() -> str:
    """The Hub token as huggingface_hub finds it, or ""."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := os.environ.get(name, "").strip():
            return token
    place = os.environ.get("HF_TOKEN_PATH") or hub_cache().parent / "token"
    if os.environ.get("HF_HUB_CACHE") and "HF_TOKEN_PATH" not in os.environ:
        home = os.environ.get("HF_HOME")
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        place = Path(home).expanduser() / "token" if home else cache / "huggingface" / "token"
    try:
        return Path(place).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""

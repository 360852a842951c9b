"""Keys and tokens that open something."""

from __future__ import annotations

import re

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item


class Secret(Check):
    """Keys and tokens, recognized by their issuers' formats."""

    name = "secret"
    title = "API key or token"
    help = "The text has the shape of a credential (AWS, GitHub, OpenAI, private key, JWT and others)."
    example = "`ghp_` followed by 36 letters and digits"
    advice = "Revoke the credential, then remove it from the text or drop the row."
    severity = "error"

    # Each kind: texts of which one must occur (a search for fixed text costs a hundredth of the pattern), name, shape.
    _KINDS = (
        (("AKIA", "ASIA"), "an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")),
        (
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
            "a GitHub token",
            re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b"),
        ),
        (("github_pat_",), "a GitHub token", re.compile(r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b")),
        (("glpat-",), "a GitLab token", re.compile(r"\bglpat-[\w-]{20,}")),
        (("sk-",), "an API key", re.compile(r"\bsk-(?:(?:proj|svcacct|admin|ant|or)-[\w-]{20,}|[A-Za-z0-9]{32,})")),
        (("_live_",), "a Stripe key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}\b")),
        (("xox",), "a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9]+-[\w-]{16,}")),
        (("AIza",), "a Google API key", re.compile(r"\bAIza[\w-]{35}(?![\w-])")),
        (("hf_",), "a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{34,40}\b")),
        (("npm_",), "an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
        (
            ("PRIVATE KEY",),
            "a private key",
            re.compile(r"-----BEGIN (?:[A-Z]{2,9} )?PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n)*[A-Za-z0-9+/=:,\s\\-]{64}"),
        ),
        (("eyJ",), "a JSON web token", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}")),
    )
    _BEGINNINGS = tuple(begin for begins, _, _ in _KINDS for begin in begins)
    # Prose hardly ever holds the underscore that half of the shapes need.
    _WITHOUT_UNDERSCORE = tuple(begin for begin in _BEGINNINGS if "_" not in begin)
    _INVENTED = re.compile(r"example|your|x{5}|\*{3}|\.{3}|12345678|abcdefgh|(.)\1{6}", re.I)
    _FEWEST_CHARACTERS = 10

    def inspect(self, item: Item) -> Flag | None:
        """Names the kind and quotes the first characters alone."""
        text = item.text
        if not any(map(text.__contains__, self._BEGINNINGS if "_" in text else self._WITHOUT_UNDERSCORE)):
            return None
        for begins, kind, pattern in self._KINDS:
            for begin in begins:
                if begin not in text:
                    continue
                for found in pattern.finditer(text):
                    token = found.group()
                    if len(set(token)) >= self._FEWEST_CHARACTERS and not self._INVENTED.search(token):
                        return self.flag(f"{kind} ({token[:5]}...)")
        return None

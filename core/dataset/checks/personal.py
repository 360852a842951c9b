"""Facts about persons: addresses, telephone numbers, cards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item

_SHAPE = bytes.maketrans(b"123456789-. ", b"000000000---")
_NUMBERS = (b"000-0000", b"+0", b"00000000000", b"0000-000000-0")
_MOST_PLACES = 200
_QUOTED = 3
_TOLL_FREE = ("800", "833", "844", "855", "866", "877", "888")


class PersonalData(Check):
    """E-mail addresses, telephone numbers and payment cards."""

    name = "personal_data"
    title = "personal data"
    help = "An email address, phone number or payment card number with a valid checksum: models repeat what they read."
    example = '`"Write to jane.doe@gmail.com"`'
    advice = "Remove or replace it, or drop the row."

    def inspect(self, item: Item) -> Flag | None:
        """Counts what was found by kind; quotes no more than the end of it."""
        text = item.text
        found = list(_addresses(text)) if "@" in text else []
        # With every digit as 0 and every separator as a hyphen some searches for fixed bytes tell most rows apart.
        shape = item.encoded.translate(_SHAPE)
        if any(map(shape.__contains__, _NUMBERS)):
            found += _telephones(text)
            found += _cards(text)
        if not found:
            return None
        kinds = list(dict.fromkeys(found))
        more = f"; and {len(kinds) - _QUOTED:,} more" if len(kinds) > _QUOTED else ""
        return self.flag("; ".join(kinds[:_QUOTED]) + more)


_ADDRESS = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?\.)+[A-Za-z]{2,18})\b"
)
_INVENTED_DOMAINS = re.compile(
    r"(?:.*\.)?(?:example|test|invalid|localhost|local|png|jpe?g|gif|svg|js|css|py)"
    r"|(?:.*\.)?(?:example-?(?:domain|company)?|domain|(?:your|my)-?(?:company|domain|email)|company|email|mail|test|abc|xyz|sample|website|site)\.\w+",
    re.I,
)  # fmt: skip


def _addresses(text: str) -> Iterator[str]:
    at = text.find("@")
    for _ in range(_MOST_PLACES):
        if at < 0:
            return
        # A window around each @, so that a long run of letters is not tried from each of them.
        begin = max(0, at - 64)
        for found in _ADDRESS.finditer(text, begin, at + 160):
            invented = _INVENTED_DOMAINS.fullmatch(found.group(1)) or found.group().lower().startswith("git@")
            if found.start() <= at < found.end() and not invented:
                yield f"an email address (...@{found.group(1)})"
        at = text.find("@", at + 1)


_TELEPHONES = (
    # Each begins with a plain set of characters, so that the search skips all other text quickly.
    re.compile(
        r"[(2-9](?<!\w.)(?<![./].)(?<![02-9]-.)(?:(?<=\()[2-9]\d\d\) ?|(?<!\()\d\d[-.])"
        r"[2-9]\d\d[-. ]\d{4}(?![\w-]|\.\d)",
        re.A,
    ),
    re.compile(
        r"\+[1-9](?<!\w\+\d)\d{0,2}[-. ]?(?:\(0?\d{1,4}\)|\d{1,4})(?:[-. ]?\d{2,4}){1,3}[-. ]?\d{4}(?![\w-]|\.\d)",
        re.A,
    ),
    re.compile(r"(?:手机|电话|联系方式)[^\d\n]{0,12}1[3-9]\d{9}(?!\d)", re.A),
)


def _telephones(text: str) -> Iterator[str]:
    for found in chain.from_iterable(pattern.finditer(text) for pattern in _TELEPHONES):
        digits = re.sub(r"\D", "", found.group())
        # 555 is for films, toll-free numbers are no person's; a run of counting digits or of one digit is for forms.
        if not 10 <= len(digits) <= 15 or "555" in (digits[-10:-7], digits[-7:-4]) or len(set(digits)) < 4:
            continue
        if digits[-10:-7] in _TOLL_FREE and (len(digits) == 10 or digits[0] == "1"):
            continue
        if "12345" in digits or "23456" in digits or "98765" in digits:
            continue
        yield f"a phone number (...{digits[-4:]})"


_CARD = re.compile(
    r"(?<![\w.-])(?:\d{14,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -])\d{6}\2\d{5})(?![\w-]|\.\d)", re.A
)
_ISSUER = re.compile(r"4\d{15}(?:\d{3})?|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|62\d{14,17}|35\d{14}")
_TEST_CARDS = {
    "4111111111111111", "4242424242424242", "5555555555554444", "378282246310005", "4012888888881881",
    "5105105105105100", "6011111111111117", "4000056655665556",
}  # fmt: skip


def _cards(text: str) -> Iterator[str]:
    for found in _CARD.finditer(text):
        digits = re.sub(r"\D", "", found.group())
        if _ISSUER.fullmatch(digits) and len(set(digits)) > 3 and digits not in _TEST_CARDS and checksum_holds(digits):
            yield f"a payment card (...{digits[-4:]})"


def checksum_holds(digits: str) -> bool:
    """Whether a number ends in its right check digit by Luhn's rule."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0

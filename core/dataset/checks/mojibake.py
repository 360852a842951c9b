"""Text that was decoded with the wrong encoding."""

from __future__ import annotations

import re

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item

# What the bytes 0x80 to 0xBF become in Windows-1252 and Latin-1.
_TAIL = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
# The same without the marks that may follow a capital letter in good text: quotes, dashes, an ellipsis, spaces.
_AFTER_CAPITAL = "\x80-\x9f¡¢£¤¥¦§¨©ª¬®¯°±²³´µ¶¸¹º¼½¾¿€ƒ†‡ˆ‰ŠŒŽšœžŸ"


class Mojibake(Check):
    """UTF-8 that was read as another encoding, or characters that were lost on the way."""

    name = "mojibake"
    title = "wrong encoding"
    help = "UTF-8 text that was decoded as Windows-1252 (â€™ for ’, Ã© for é), or characters that were lost (\ufffd)."
    example = "`Itâ€™s` for `It’s`"
    advice = "Decode the source again as UTF-8 (`ftfy` repairs many cases), or drop the row."

    _PATTERN = re.compile(
        f"\ufffd|â€[{_TAIL}]|Ã[{_AFTER_CAPITAL}]|Â[{_AFTER_CAPITAL}\xa0]|ðŸ[{_TAIL}]|ï»¿|ï¿½"
        # A lone pair may be good Spanish or French; three in a row are Cyrillic or Chinese in disguise.
        f"|(?:[ÐÑ][{_TAIL}]){{3}}|(?:[åæç][{_TAIL}]{{2}}(?:[ã-é][{_TAIL}]{{2}}){{2}})"
    )

    # One of these occurs in all that the pattern finds: looking for them costs a fiftieth of it.
    _BEGINNINGS = ("\ufffd", "â€", "Ã", "Â", "ðŸ", "ï", "Ð", "Ñ", "å", "æ", "ç")

    def inspect(self, item: Item) -> Flag | None:
        """Shows the first place, and what it was before where that can be told."""
        text = item.text
        if text.isascii() or not any(map(text.__contains__, self._BEGINNINGS)):
            return None
        found = self._PATTERN.search(item.text)
        if found is None:
            return None
        wrong = found.group()
        if wrong == "\ufffd":
            times = item.text.count(wrong)
            return self.flag(f"{times:,} lost character{'s' * (times != 1)} (U+FFFD)")
        return self.flag(f"{wrong} {_meant(wrong)}".rstrip())


def _meant(wrong: str) -> str:
    for encoding in ("cp1252", "latin-1"):
        try:
            return f"instead of {wrong.encode(encoding).decode('utf-8')}"
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
    return "instead of another character"

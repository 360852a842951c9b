"""Rows in another language than nearly all others."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.item import Item

_ROWS_NEEDED = 20
_MAJORITY = 0.8
_WORDS_LOOKED_AT = 32
_LETTERS = 64
_FEWEST_LETTERS = 12
_SHARE_OF_SCRIPT = 0.6
_SHARE_OF_LATIN = 0.9  # names and code stand in Latin letters in texts of every script, but not the other way round
_FEWEST_WORDS = 4
_SURE_WORDS = 6

# Words that are common in one language and, as far as possible, in none of the others.
_COMMON_WORDS = {
    "English": "the of and to is that with for was are this it you be by from have which what how your they not on",
    "German": "der und ist nicht das ein eine zu den mit von auf für sich dem auch wie ich sie werden oder einen",
    "French": "le les et est une dans pour qui pas vous sur avec ce sont du au cette je nous être mais il aux",
    "Spanish": "el los las y una para con por como del más pero su lo esta es que este sus muy puede ser cómo",
    "Italian": "il che di è per una non con sono della gli del nel alla anche più questo si come dei delle",
    "Portuguese": "o os as um uma não para com do da em é são mais dos das ao na no como você pelo seu que",
    "Dutch": "het een van en dat niet op voor zijn met de te aan ook om naar bij deze wordt ze hebben of",
    "Polish": "w i na się nie jest do że z to jak dla oraz są od przez który które może być po czy",
    "Turkish": "ve bir bu için ile da çok olarak daha olan gibi ne kadar mi sonra en değil nasıl veya",
    "Indonesian": "yang dan untuk dengan ini dari tidak dalam adalah pada itu atau dapat akan bisa lebih saya anda",
    "Vietnamese": "và của là có không được cho các một những trong để với này người khi bạn đã từ",
    "Swedish": "och att det som är på för inte med av jag till om har ett den kan du från eller",
}
_WORD_SETS = {name: frozenset(words.split()) for name, words in _COMMON_WORDS.items()}
_NONE: frozenset[str] = frozenset()
_ALL_WORDS = _NONE.union(*_WORD_SETS.values())
_LANGUAGES_OF = {word: tuple(name for name, words in _WORD_SETS.items() if word in words) for word in _ALL_WORDS}

# First code points of runs of letters, and their script; Latin letters are told apart by words.
_RUNS = (
    (0, ""), (0x41, "Latin"), (0x250, ""), (0x370, "Greek"), (0x400, "Cyrillic"), (0x530, "Armenian"),
    (0x590, "Hebrew"), (0x600, "Arabic"), (0x780, ""), (0x900, "Devanagari"), (0x980, "Bengali"), (0xA00, "Gurmukhi"),
    (0xA80, "Gujarati"), (0xB00, ""), (0xB80, "Tamil"), (0xC00, "Telugu"), (0xC80, "Kannada"), (0xD00, "Malayalam"),
    (0xD80, "Sinhala"), (0xE00, "Thai"), (0xE80, "Lao"), (0xF00, "Tibetan"), (0x1000, "Burmese"), (0x10A0, "Georgian"),
    (0x1100, "Korean"), (0x1200, "Ethiopic"), (0x13A0, ""), (0x1780, "Khmer"), (0x1800, ""), (0x1E00, "Latin"),
    (0x1F00, "Greek"), (0x2000, ""), (0x3040, "Japanese"), (0x3100, ""), (0x3400, "Chinese"), (0xA000, ""),
    (0xAC00, "Korean"), (0xD7B0, ""), (0x20000, "Chinese"), (0x32000, ""),
)  # fmt: skip
_STARTS = [start for start, _ in _RUNS]
_KANA_SHARE = 0.1


class LanguageUnlike(Check):
    """A row in another language than at least four fifths of the rows.

    Limits: scripts are told apart by their letters, twelve languages in Latin letters by their commonest words. Text
    that is short, mixed, code, or in a language not listed is taken for none and never flagged; nor are two languages
    told apart that share another script (Russian and Ukrainian, Arabic and Persian).
    """

    name = "language"
    title = "other language"
    help = "Not in the language of most rows, judged by script and common words; short and mixed texts are not judged."
    example = "one French row among English ones"
    advice = "Drop it if it got in by accident."
    severity = "note"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._rows = array("L")
        self._numbers = array("B")
        self._names: dict[str, int] = {}
        self._usual = "English"

    def inspect(self, item: Item) -> Flag | None:
        """Notes the language; the verdict needs all of them."""
        name = language_of(item.normalized, item.words, self._usual)
        if name:
            self._usual = name
            self._rows.append(item.row)
            self._numbers.append(self._names.setdefault(name, len(self._names)))
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags the rows outside the majority, if there is one."""
        if len(self._rows) < _ROWS_NEEDED:
            return
        names = list(self._names)
        ((usual, times),) = Counter(self._numbers).most_common(1)
        if times < _MAJORITY * len(self._rows):
            return
        for row, number in zip(self._rows, self._numbers, strict=True):
            if number != usual:
                yield (
                    row,
                    self.flag(
                        f"looks like {names[number]}; {times:,} of {len(self._rows):,} rows look like {names[usual]}"
                    ),
                )


def language_of(text: str, words: list[str], guess: str = "English") -> str:
    """The language, or for other scripts than Latin the script, that a text reads as; "" where that is not sure.

    Args:
        text: normalized text.
        words: its words; the first and the last of them are looked at.
        guess: the language that is tried first, and taken when it fits well.
    """
    if not text.isascii():
        script = _script(text)
        if script != "Latin":
            return script
    guessed = _WORD_SETS.get(guess, _NONE)
    known = _ALL_WORDS.intersection(words[:_WORDS_LOOKED_AT])
    if len(guessed & known) >= _SURE_WORDS:
        return guess
    if len(words) > _WORDS_LOOKED_AT:
        known |= _ALL_WORDS.intersection(words[max(_WORDS_LOOKED_AT, len(words) - _WORDS_LOOKED_AT) :])
    if len(known) < _FEWEST_WORDS:
        return ""
    if len(guessed & known) >= _SURE_WORDS:
        return guess
    hits = dict.fromkeys(_WORD_SETS, 0)
    for word in known:
        for name in _LANGUAGES_OF[word]:
            hits[name] += 1
    second, best = sorted(hits.values())[-2:]
    return max(hits, key=hits.__getitem__) if best >= _FEWEST_WORDS and best >= 2 * second else ""


def _script(text: str) -> str:
    step = max(1, len(text) // _LETTERS)
    seen = text[::step]
    if max(seen) < "\u0250":
        return "Latin"
    letters = Counter(_RUNS[bisect_right(_STARTS, ord(letter)) - 1][1] for letter in seen if letter.isalpha())
    del letters[""]
    total = letters.total()
    if not total or total * step < _FEWEST_LETTERS:
        return "Latin" if not total else ""
    if letters["Japanese"] > _KANA_SHARE * total:
        letters["Japanese"] += letters.pop("Chinese", 0)  # Japanese mixes kana and Chinese characters
    name, times = letters.most_common(1)[0]
    return name if times >= (_SHARE_OF_LATIN if name == "Latin" else _SHARE_OF_SCRIPT) * total else ""

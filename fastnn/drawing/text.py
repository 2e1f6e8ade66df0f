"""How wide a text is at most, and what of it an XML file can hold."""

from __future__ import annotations

import unicodedata

# Hundredths of the font size, space to tilde: the wider of DejaVu Sans and Arial.
_ASCII = (
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 56, 102, 69, 69, 73, 78, 67, 62, 78, 76, 30, 50, 67, 56, 87, 75, 79,
    67, 79, 73, 67, 62, 74, 69, 99, 69, 67, 69, 40, 34, 40, 84, 56, 50, 62, 64, 55, 64, 62, 36, 64,
    64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
)  # fmt: skip
_GREEK, _OTHER = 95, 140  # the widest are emoji

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def width_of(text: str, size: float) -> float:
    """An upper bound of the width of a text in a common sans-serif font of this size."""
    return sum(map(_advance, text)) * size / 100


def _advance(character: str) -> int:
    base = " " if character.isspace() else unicodedata.normalize("NFD", character)[0]
    if " " <= base <= "~":
        return _ASCII[ord(base) - 32]
    if unicodedata.combining(base):
        return 0
    return _GREEK if "\u0370" <= base < "\u0400" else _OTHER


def clean(text: str, longest: int) -> str:
    """One line of at most so many characters, of those that XML allows."""
    line = "".join(
        " " if each.isspace() else each if _is_allowed(each) else "\ufffd" for each in text
    ).strip()
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _is_allowed(character: str) -> bool:
    # Control characters, halves of surrogate pairs, and code points that are no characters.
    return unicodedata.category(character) not in ("Cc", "Cs") and ord(character) & 0xFFFE != 0xFFFE

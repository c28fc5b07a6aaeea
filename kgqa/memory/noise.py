"""Names as people write them: with slips of the keyboard, words in another order, words left out."""

import random

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SECOND, _REORDERED, _SHORTENED = 0.3, 0.15, 0.1
"""How often a slip is followed by another one; words change places; a word is left out."""


def slip(name: str, draw: random.Random) -> str:
    """One letter left out, put in, replaced, or swapped with the next; digits stay: another year is another name."""
    places = [place for place, character in enumerate(name) if character.isalpha()]
    if not places:
        return name
    place = draw.choice(places)
    before, letter, after = name[:place], name[place], name[place + 1 :]
    other = draw.choice(_LETTERS)
    changed = ("", letter + other, other, after[:1] + letter)
    kind = draw.randrange(4 if after else 3)
    return before + changed[kind] + (after[1:] if kind == 3 else after)


def noisy(name: str, draw: random.Random) -> str:
    """The name as somebody else may write it; now and then two slips, another order, one word fewer."""
    words = name.split()
    kind = draw.random()
    if kind < _REORDERED:
        draw.shuffle(words)
    elif kind < _REORDERED + _SHORTENED and len(words) > 1:
        words.pop(draw.randrange(len(words)))
    written = slip(" ".join(words), draw)
    return slip(written, draw) if draw.random() < _SECOND else written

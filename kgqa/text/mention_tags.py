"""Mentions as tags of tokens (begin, inside, end, single; outside), and how they are read off again."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

TYPES = ("PERSON", "ORG", "LOC", "MISC", "DATE", "NUMBER")
"""What is tagged. MISC: peoples and whatever else has a name."""
PRONOUN = len(TYPES)
"""The type of a pronoun, which is known by its word."""
TAGS = ("O", *(f"{part}-{name}" for name in TYPES for part in "BIES"))
PRONOUNS = frozenset({
    "he", "she", "his", "her", "him", "hers", "himself", "herself", "it", "its", "itself", "they", "their", "them",
    "who", "whose", "whom", "which", "that", "where", "i", "my", "me", "myself", "we", "our", "us",
})  # fmt: skip

Mentioned = tuple[int, int, int]
"""The tokens [start, end) and the place of their type in TYPES, or PRONOUN."""


def _follows(one: str, other: str) -> bool:
    """Whether a token tagged `other` may come right after one tagged `one`."""
    if one[0] in "BI":
        return other[0] in "IE" and one[2:] == other[2:]
    return other[0] in "OBS"


_CLOSED = -1e4
_STEP = np.array([[0.0 if _follows(one, other) else _CLOSED for other in TAGS] for one in TAGS])
_FIRST = np.array([0.0 if _follows("O", tag) else _CLOSED for tag in TAGS])
_LAST = np.array([0.0 if _follows(tag, "O") else _CLOSED for tag in TAGS])


def write(tags: npt.NDArray[np.int64], start: int, end: int, kind: int) -> None:
    """Marks the tokens [start, end) as one mention of the type TYPES[kind], in place."""
    first = 1 + 4 * kind
    if end - start == 1:
        tags[start] = first + 3
    else:
        tags[start], tags[start + 1 : end - 1], tags[end - 1] = first, first + 1, first + 2


def read(scores: npt.NDArray[np.floating], words: Sequence[str]) -> list[Mentioned]:
    """The mentions of the best sequence of tags that fit together (Viterbi), and the pronouns beside them, in order.

    `scores`: [T, tags], of each token alone, before any softmax.
    """
    found: list[Mentioned] = []
    start = 0
    for token, tag in enumerate(_best(scores)):
        if tag and (tag - 1) % 4 in (0, 3):
            start = token
        if tag and (tag - 1) % 4 in (2, 3):
            found.append((start, token + 1, (tag - 1) // 4))
    taken = {token for one, end, _ in found for token in range(one, end)}
    found += [
        (token, token + 1, PRONOUN)
        for token, word in enumerate(words)
        if word.lower() in PRONOUNS and token not in taken
    ]
    return sorted(found)


def _best(scores: npt.NDArray[np.floating]) -> list[int]:
    if not len(scores):
        return []
    each = scores.argmax(axis=1)
    if _FIRST[each[0]] + _LAST[each[-1]] + _STEP[each[:-1], each[1:]].sum() == 0:
        return [int(tag) for tag in each]  # the best of each token alone fits together, as it mostly does
    best = scores[0] + _FIRST
    came_from = np.empty(scores.shape, np.int64)
    columns = np.arange(scores.shape[1])
    for token in range(1, len(scores)):
        reached = best[:, None] + _STEP
        came_from[token] = reached.argmax(axis=0)
        best = reached[came_from[token], columns] + scores[token]
    tags = [int((best + _LAST).argmax())]
    for token in range(len(scores) - 1, 0, -1):
        tags.append(int(came_from[token, tags[-1]]))
    return tags[::-1]

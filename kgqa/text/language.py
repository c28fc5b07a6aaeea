"""Whether a document is in English: its letters and its commonest words tell, in a fraction of a millisecond.

Only what is surely in another language is said to be: a name, a table, a formula or a few words are not known.
"""

import re
from collections import Counter

ENGLISH = "en"
_SAMPLE = 4_000
"""Characters looked at, half from the beginning and half from the middle."""
_FEWEST_LETTERS, _FEWEST_WORDS = 40, 4
"""Less tells nothing; words are those that tell a language."""
_WORDS = re.compile(r"[^\W\d_]+")
_LATIN_END = "\u024f"

# Words that are frequent in one language, and no words of English.
_FREQUENT = {
    ENGLISH: "the of and to is was were are with that which from by his her he she it for at has had have been not "
    "this their its they but who when where an as be or also after on",
    "cs": "je se na že byl jsou který která jako byla do roce jeho nebo také pro",
    "da": "og er af det den til som på blev ikke med der hans efter",
    "de": "der die das und ist nicht ein eine mit von dem den des auf für wurde im zu sich auch als nach",
    "es": "el los las una del por con que su fue para y en se como más es",
    "fi": "ja on oli että joka hän myös kun sekä ovat vuonna",
    "fr": "le les des et est une dans du par pour qui sur avec il elle au aux sont été la",
    "hu": "és egy hogy nem az volt meg is mint csak majd",
    "id": "yang dan di dari dengan untuk pada adalah ini itu tidak oleh sebagai dalam",
    "it": "il di che gli una per del della è con nel lo sono alla dei fu si",
    "nl": "het een en van met voor dat door zijn werd de op niet ook hij naar",
    "pl": "w z na się jest nie że był oraz jako przez do jego",
    "pt": "os um uma do da dos das em que com por foi não na ao como mais é",
    "ro": "și în cu din este fost pe care mai sau pentru lui",
    "sv": "och är ett som den det på med av till inte han var efter",
    "tr": "ve bir bu için olan ile olarak da de daha sonra çok",
}
_LANGUAGES = {
    word: [language for language, words in _FREQUENT.items() if word in words.split()]
    for word in {word for words in _FREQUENT.values() for word in words.split()}
}


def language_of(text: str) -> str:
    """The code of a language; `other` for one that is not written in Latin letters; empty where that is not known."""
    middle = len(text) // 2
    sample = text if len(text) <= _SAMPLE else text[: _SAMPLE // 2] + " " + text[middle : middle + _SAMPLE // 2]
    words = [word.lower() for word in _WORDS.findall(sample)]
    num_letters = sum(map(len, words))
    if num_letters < _FEWEST_LETTERS:
        return ""
    if sum(letter > _LATIN_END for word in words for letter in word) > num_letters / 2:
        return "other"
    counts = Counter(language for word in words for language in _LANGUAGES.get(word, ()))
    if not counts:
        return ""
    best, most = min(counts.items(), key=lambda item: (-item[1], item[0] != ENGLISH, item[0]))
    return best if most >= _FEWEST_WORDS else ""


def is_foreign(text: str) -> bool:
    """Whether a text is surely not in English."""
    return language_of(text) not in {"", ENGLISH}

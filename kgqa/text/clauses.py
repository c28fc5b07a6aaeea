"""Who does what to whom: grammatical roles of verbs and nouns over Universal Dependencies, voice already undone.

Every function gives *tiers*: lists of tokens, the most trusted first. Tier 0 follows the arcs of the parse; later
tiers follow the order of the words, because a small parser attaches one arc in five wrongly while prepositions,
commas and neighbours can be relied on. The caller takes the first tier that holds something of the right type.
"""

from kgqa.text.nlp import Parse

Tiers = list[list[int]]

_BE = frozenset(["is", "are", "was", "were", "be", "been", "being", "'s", "am"])
_HAVE = frozenset(["has", "have", "had", "having", "'ve"])
_NOMINAL = frozenset({"NOUN", "PROPN", "PRON", "NUM", "X", "SYM"})
_MODIFIERS = frozenset({"DET", "ADJ", "NUM", "ADV", "PART"})
_SUBJECTS = ("nsubj", "nsubj:pass", "nsubj:outer")
_UNMARKED = ("obl:unmarked", "obl:tmod", "obl:npmod")
_OBLIQUE = frozenset({"obl", "nmod", "obl:agent", "nmod:tmod", "nmod:unmarked", *_UNMARKED})
_BECOMING = frozenset({
    "become", "became", "becoming", "becomes", "remain", "remained", "remains", "appointed", "elected", "named",
    "made", "chosen", "worked", "served", "serving", "acted", "working", "serves", "works",
})  # fmt: skip
_ONE_OF = frozenset(["one", "first", "second", "last", "elder", "younger", "eldest", "youngest", "oldest", "third"])
_BEFORE_NOUNS = frozenset({"ADJ", "DET", "NUM", "ADV", "PROPN"})
_PREMODIFIERS = frozenset({"compound", "amod"})
_TIMES = frozenset(
    ["year", "years", "month", "months", "week", "weeks", "day", "days", "time", "times", "age", "later"]
)
_REACH = 25
"""How many words after a verb its prepositional phrases are looked for."""


def voice(parse: Parse, verb: int) -> str:
    """`active`, `passive`, or `either` for a participle that may be both ("the element discovered ...")."""
    if parse.tags[verb] == "VBG" or parse.lower[verb].endswith("ing"):
        return "active"
    token = verb - 1
    while token >= 0 and verb - token < 4 and parse.pos[token] in {"ADV", "AUX", "PART"}:
        if parse.lower[token] in _BE:
            return "passive"
        if parse.lower[token] in _HAVE:
            return "active"
        token -= 1
    if (verb + 1 < len(parse.words) and parse.lower[verb + 1] == "by") or parse.with_dep(
        verb, "aux:pass", "nsubj:pass"
    ):
        return "passive"
    if parse.tags[verb] in {"VBZ", "VBP", "VB"} or parse.with_dep(verb, "obj", "nsubj"):
        return "active"
    head = parse.heads[verb]
    if parse.deps[verb] == "conj" and head != verb and parse.tags[verb] == parse.tags[head] == "VBN":
        return voice(parse, head)
    return "either" if parse.tags[verb] == "VBN" or parse.deps[verb] in {"acl", "amod", "advcl"} else "active"


def subject(parse: Parse, verb: int, depth: int = 0) -> list[int]:
    """The subject by arcs: the verb's own, the noun it modifies, or that of the verb it is coordinated with."""
    if own := parse.with_dep(verb, *_SUBJECTS):
        return own[:1]
    head, dep = parse.heads[verb], parse.deps[verb]
    if head == verb or depth > 3:
        return []
    if dep in {"acl", "amod"} and parse.pos[head] not in {"VERB", "AUX"}:
        return [head]
    if dep in {"parataxis", "appos", "dep"} and parse.pos[head] == "PROPN":
        return [head]  # "X (born in Oslo) is"
    if dep == "xcomp" and (controller := [token for token in parse.with_dep(head, "obj") if token < verb]):
        return controller  # "a grant allowed HER to continue"
    if dep in {"conj", "xcomp", "advcl", "parataxis"}:
        return subject(parse, head, depth + 1)
    return []


def subjects(parse: Parse, verb: int) -> Tiers:
    """By arcs; then those of the clauses above; then the nearest nominal before that no preposition introduces."""
    above: list[int] = []
    token = verb
    while parse.heads[token] != token and len(above) < 3:
        token = parse.heads[token]
        above.extend(parse.with_dep(token, *_SUBJECTS)[:1])
    return [subject(parse, verb), above, _nominals_before(parse, verb) or _subject_after(parse, verb)]


def _nominals_before(parse: Parse, verb: int) -> list[int]:
    start, _ = parse.sentences[parse.sentence_of[verb]]
    for token in range(verb - 1, start - 1, -1):
        if parse.pos[token] == "VERB" and parse.tags[token] not in {"VBG", "VBN"}:
            return subject(parse, token)
        is_nominal = parse.pos[token] in {"NOUN", "PROPN", "PRON"} and parse.lower[token] not in _TIMES
        if is_nominal and not introduced(parse, token):
            return [token]
    return []


def _subject_after(parse: Parse, verb: int) -> list[int]:
    """ "BORN in Rome, HE ..."."""
    start, end = parse.sentences[parse.sentence_of[verb]]
    if verb - start > 1:
        return []
    return next(([token] for token in range(verb + 1, end) if parse.deps[token] in _SUBJECTS), [])


def introduced(parse: Parse, token: int) -> str:
    """The preposition that introduces the noun phrase ending at `token`, looking back over its modifiers; or ""."""
    start, _ = parse.sentences[parse.sentence_of[token]]
    place = token - 1
    while place >= start and (parse.pos[place] in _MODIFIERS or parse.pos[place] in {"PROPN", "NOUN"}):
        place -= 1
    return parse.lower[place] if place >= start and parse.pos[place] == "ADP" else ""


def objects(parse: Parse, verb: int) -> Tiers:
    """What an active verb is done to: its object, the antecedent of an object relative, the nominal right after."""
    by_arc = parse.with_dep(verb, "obj", "iobj")
    head = parse.heads[verb]
    if not by_arc and parse.deps[verb] in {"acl:relcl", "advcl:relcl"} and parse.pos[head] in _NOMINAL:
        own = subject(parse, verb)
        if own and parse.lower[own[0]] not in {"who", "which", "that"}:
            by_arc = [head]
    return [by_arc, nominal_after(parse, verb)]


def nominal_after(parse: Parse, token: int) -> list[int]:
    """The head of the noun phrase that follows directly."""
    _, end = parse.sentences[parse.sentence_of[token]]
    found: list[int] = []
    for place in range(token + 1, end):
        if parse.pos[place] in _NOMINAL:
            found = [place]
            if parse.pos[place] == "PROPN":
                break
        elif found or not (parse.pos[place] in _MODIFIERS or parse.words[place] == '"'):
            break
    return found


def agents(parse: Parse, verb: int) -> Tiers:
    """Who does it: the subject of an active verb, the by-phrase of a passive one."""
    if voice(parse, verb) == "passive":
        return prepositional(parse, verb, frozenset({"by"}))
    return subjects(parse, verb)


def patients(parse: Parse, verb: int) -> Tiers:
    """Whom it is done to: the object of an active verb, the subject of a passive one."""
    return objects(parse, verb) if voice(parse, verb) == "active" else subjects(parse, verb)


def prepositional(parse: Parse, trigger: int, prepositions: frozenset[str]) -> Tiers:
    """The nouns that `trigger` takes with one of the prepositions: its own, its object's, then those that follow."""
    own = _with_case(parse, trigger, prepositions)
    if "in" in prepositions or "at" in prepositions:
        own += [child for child in parse.children[trigger] if parse.lower[child] in {"there", "where"}]
    governed = list(parse.children[trigger])
    if parse.deps[trigger] in _SUBJECTS:  # "his STUDIES took place at X"
        verb = parse.heads[trigger]
        own += _with_case(parse, verb, prepositions - {"of"})
        governed += parse.with_dep(verb, "obj")
    nested = [
        token
        for child in governed
        if parse.deps[child] in {"obj", "obl", "nmod", "xcomp", "conj", "advmod", "appos"} and child > trigger
        for token in _with_case(parse, child, prepositions)
    ]
    if "on" in prepositions:  # dates need no preposition: "died 2 May 2018", "(born 1962)"
        own += parse.with_dep(trigger, *_UNMARKED) or nominal_after(parse, trigger)
    return [own, nested, _phrases_after(parse, trigger, prepositions)]


def _with_case(parse: Parse, trigger: int, prepositions: frozenset[str]) -> list[int]:
    return [
        child
        for child in parse.children[trigger]
        if parse.deps[child] in _OBLIQUE
        and any(
            parse.deps[mark] in {"case", "mark"} and parse.lower[mark] in prepositions for mark in parse.children[child]
        )
    ]


def _phrases_after(parse: Parse, trigger: int, prepositions: frozenset[str]) -> list[int]:
    """Heads of the phrases after the trigger with these prepositions, up to the next clause."""
    start, end = parse.sentences[parse.sentence_of[trigger]]
    found = [
        token
        for token in range(max(start, trigger - 6), trigger)
        if parse.lower[token] in {"which", "whom"} and token > start and parse.lower[token - 1] in prepositions
    ]
    for token in range(trigger + 1, min(end, trigger + _REACH)):
        if parse.words[token] in {";", ":"} or _starts_clause(parse, token):
            break
        if parse.lower[token] == "of" and parse.pos[trigger] == "NOUN" and token > trigger + 1:
            continue  # an "of" farther on belongs to another noun
        if parse.lower[token] in prepositions and parse.pos[token] in {"ADP", "SCONJ", "PART", "ADV"}:
            found.extend(nominal_after(parse, token)[:1])
    return found


def _starts_clause(parse: Parse, token: int) -> bool:
    """A finite verb with a subject of its own, or a relative pronoun as subject, ends the reach of what came before."""
    if parse.lower[token] in {"who", "which", "whose", "where", "when", "while", "because", "although"}:
        return True
    return parse.pos[token] == "VERB" and parse.tags[token] in {"VBD", "VBZ", "VBP"}


def denoted(parse: Parse, noun: int) -> Tiers:
    """Of whom or what a noun is said: "X, a STUDENT of Y", "X was the AUTHOR", "served as DIRECTOR"."""
    head, dep = parse.heads[noun], parse.deps[noun]
    found = [child for child in parse.children[noun] if child > noun and is_apposed(parse, child)]
    copula = parse.with_dep(noun, "cop")
    if copula:
        found = subject(parse, noun) or found
    elif dep == "appos":
        found = [head, *found]
    elif (dep in {"nmod:desc", "compound"} and head > noun and parse.pos[head] == "PROPN") or (
        dep in _SUBJECTS and parse.with_dep(head, "cop") and parse.pos[head] in {"PROPN", "PRON"}
    ):
        found = [head]
    elif (
        (parse.lower[head] in _BECOMING and dep in {"xcomp", "obj"} and head < noun)
        or any(parse.lower[mark] == "as" for mark in parse.with_dep(noun, "case", "mark"))
        or _is_among(parse, noun)
    ):
        found = subject(parse, head)
    elif dep == "nmod" and parse.lower[head] in _ONE_OF:
        return denoted(parse, head)
    elif dep == "conj" and head < noun and not found:
        found = denoted(parse, head)[0] if parse.with_dep(noun, "cc") else [head]  # without "and": an apposition
    return [found, _neighbour(parse, noun)]


def is_apposed(parse: Parse, token: int) -> bool:
    """An apposition, also where the parser took it for a conjunct though no "and" joins it."""
    if parse.deps[token] == "appos":
        return True
    no_and = not any(
        parse.deps[child] == "cc" for child in (*parse.children[token], *parse.children[parse.heads[token]])
    )
    return parse.deps[token] == "conj" and token > 0 and parse.words[token - 1] == "," and no_and


def _is_among(parse: Parse, noun: int) -> bool:
    """ "AMONG his students was X"."""
    return any(parse.lower[mark] == "among" for mark in parse.with_dep(noun, "case"))


def denoted_or_itself(parse: Parse, noun: int) -> Tiers:
    """As `denoted`; where nothing is said, the noun itself, to be resolved like "the author" elsewhere."""
    return [*denoted(parse, noun), [noun]]


def _neighbour(parse: Parse, noun: int) -> list[int]:
    """By word order: the name right after the noun, before a comma or a form of "be" or "become", after a comma."""
    start, end = parse.sentences[parse.sentence_of[noun]]
    if noun + 1 < end and _starts_name(parse, noun + 1):
        return [noun + 1]
    before = noun - 1
    while before > start and (parse.pos[before] in _BEFORE_NOUNS or parse.deps[before] in _PREMODIFIERS):
        before -= 1
    found = _said_of(parse, before, start) if before > start else []
    if not found and noun + 2 < end and parse.words[noun + 1] == "," and _starts_name(parse, noun + 2):
        return [noun + 2]
    return found


def _starts_name(parse: Parse, token: int) -> bool:
    return parse.pos[token] == "PROPN" or parse.words[token] == "The"


def _said_of(parse: Parse, before: int, start: int) -> list[int]:
    """Of whom the noun phrase after the token `before` is said: "X, a ...", "X became a ...", "X served as ..."."""
    if parse.words[before] == ",":
        return [before - 1] if parse.pos[before - 1] in {"PROPN", "NOUN"} else []
    if parse.lower[before] == "as":
        before -= 1
        while before > start and parse.pos[before] not in {"VERB", "AUX"}:
            before -= 1
    if parse.lower[before] in _BE or parse.lower[before] in _BECOMING:
        return subject(parse, before) or _nominals_before(parse, before)
    return []


def owners(parse: Parse, noun: int) -> Tiers:
    """Whose it is: "HER husband", "RUTHERFORD's student"."""
    place = noun - 1
    while place > 0 and (parse.pos[place] in {"ADJ", "NUM"} or parse.deps[place] in {"compound", "amod"}):
        place -= 1
    before: list[int] = []
    if place > 0 and parse.lower[place] in {"'s", "'"}:
        before = [place - 1]
    elif place >= 0 and parse.lower[place] in {"his", "her", "its", "their", "whose"}:
        before = [place]
    return [parse.with_dep(noun, "nmod:poss"), before]


def possessors(parse: Parse, verb: int) -> Tiers:
    """Whose the verb's object is: "bears HIS name"."""
    things = [thing for tier in objects(parse, verb) for thing in tier][:1]
    return [tier for thing in things for tier in owners(parse, thing)]

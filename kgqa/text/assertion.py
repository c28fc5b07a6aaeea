"""Whether a sentence asserts what it mentions: negation, hearsay, wishes, conditions and questions state no fact."""

from kgqa.text.nlp import Parse

_NEGATIONS = frozenset({
    "not", "never", "n't", "hardly", "scarcely", "nearly", "almost", "without", "neither", "nor", "cannot",
})  # fmt: skip
_NOBODY = frozenset({"nobody", "no-one", "none", "nothing", "neither", "no"})
_DENIALS = frozenset({"deny", "doubt", "dispute", "refute", "disprove", "hoax", "false", "untrue", "myth", "wrong"})
_HEARSAY = frozenset({
    "reportedly", "allegedly", "supposedly", "purportedly", "rumoredly", "rumouredly", "apparently", "presumably",
    "possibly", "perhaps", "maybe", "probably", "seemingly", "ostensibly", "conceivably",
})  # fmt: skip
_HEARSAY_LEMMAS = frozenset({
    "rumour", "rumor", "allege", "claim", "suspect", "imagine", "speculate", "suppose", "purport", "repute", "gossip",
    "hypothesise", "hypothesize", "conjecture", "pretend", "insinuate", "legend", "tradition", "fable", "unclear",
    "uncertain", "unlikely", "possible", "likely", "probable", "doubtful", "unknown", "seem", "appear",
})  # fmt: skip
_SAID_OF = frozenset({"say", "believe", "think", "report", "assume", "presume"})
"""In the passive they tell what others say: "is said to have died in Oslo"."""
_LORE = frozenset({
    "legend", "legends", "rumour", "rumours", "rumor", "rumors", "tradition", "gossip", "myth", "folklore", "hearsay",
})  # fmt: skip
_TALES = frozenset({"claim", "allegation", "belief", "idea", "story", "suggestion", "theory", "speculation", "notion"})
_UNREAL = frozenset({
    "try", "hope", "want", "wish", "plan", "fail", "refuse", "decline", "intend", "attempt", "expect", "offer", "aim",
    "dream", "unable", "promise", "threaten", "seek", "hesitate", "consider", "propose", "forbid", "prevent", "avoid",
    "neglect", "pretend", "desire", "ask", "about", "wonder", "suggest", "schedule", "supposed", "unwilling", "due",
})  # fmt: skip
_MODALS = frozenset(["could", "might", "may", "should", "must", "can", "would"])
_CONDITIONS = frozenset({"if", "whether", "unless", "lest"})
_COMPLEMENTS = frozenset({"xcomp", "ccomp", "csubj", "csubj:pass"})
_CLIMBED = _COMPLEMENTS | {"aux", "cop", "obl", "obj"}
_MOST_STEPS = 5
_QUESTION_WORDS = frozenset({"WP", "WP$", "WRB", "WDT"})
_OPENERS = frozenset({"CCONJ", "ADP", "PUNCT", "ADV", "INTJ"})


def denied(parse: Parse, trigger: int) -> bool:
    """Whether the sentence does not assert what the trigger says."""
    return bool(doubt(parse, trigger))


def doubt(parse: Parse, trigger: int) -> str:
    """Why the sentence does not assert what the trigger says: `question`, `negation`, `hearsay`, `condition` or
    `wish`; empty where it does."""
    if _is_asked(parse, trigger):
        return "question"
    if _by_lore(parse, trigger):
        return "hearsay"
    token = trigger
    for _ in range(_MOST_STEPS):
        if reason := _at(parse, token, is_trigger=token == trigger):
            return reason
        head = parse.heads[token]
        if head == token:
            return ""
        if (parse.deps[token] in _COMPLEMENTS or _is_told(parse, head)) and (reason := _by_governor(parse, head)):
            return reason
        if parse.deps[token] not in _CLIMBED:
            return ""
        token = head
    return ""


def _is_asked(parse: Parse, trigger: int) -> bool:
    """A question begins with its verb or a question word; a title that ends in a question mark asks nothing."""
    start, end = parse.sentences[parse.sentence_of[trigger]]
    if "?" not in parse.words[end - 2 : end]:
        return False
    while start < end - 1 and parse.pos[start] in _OPENERS and parse.tags[start] not in _QUESTION_WORDS:
        start += 1
    return parse.pos[start] == "AUX" or parse.tags[start] in _QUESTION_WORDS


def _by_lore(parse: Parse, trigger: int) -> bool:
    """ "According to legend", "rumour has it that"."""
    start, end = parse.sentences[parse.sentence_of[trigger]]
    words = parse.lower[start:end]
    if _LORE.isdisjoint(words):
        return False
    return ("according" in words and "to" in words) or ("has" in words and "it" in words)


def _by_governor(parse: Parse, head: int) -> str:
    """What the word that a clause is the complement of makes of it: "HOPED to win", "it is FALSE that"."""
    words = {parse.lemmas[head].lower(), *_stems(parse.lower[head])}
    if words & _DENIALS:
        return "negation"
    is_passive = any(parse.deps[child] == "aux:pass" for child in parse.children[head])
    if words & (_HEARSAY_LEMMAS | _TALES) or (words & _SAID_OF and (is_passive or _some(parse, head))):
        return "hearsay"
    return "wish" if words & _UNREAL else ""


def _is_told(parse: Parse, noun: int) -> bool:
    """ "The CLAIM that he died": not a relative clause's noun, which does something itself."""
    is_tale = not (_TALES | _DENIALS).isdisjoint(_stems(parse.lower[noun]))
    return is_tale and parse.lower[noun + 1 : noun + 2] == ["that"]


def _stems(word: str) -> set[str]:
    """What a regular verb's form may come from; a lemmatiser does not know every word."""
    cut = {word, *(word.removesuffix(ending) for ending in ("s", "d", "ed"))}
    cut |= {stem[:-1] for stem in cut if stem[-1:] == stem[-2:-1]}  # "planned"
    return cut | {f"{word.removesuffix(ending)}y" for ending in ("ies", "ied") if word.endswith(ending)}


def _some(parse: Parse, verb: int) -> bool:
    """ "Some say", "many believe", "people think"."""
    return any(parse.lower[child] in {"some", "many", "people", "they"} for child in parse.children[verb])


def _at(parse: Parse, token: int, *, is_trigger: bool) -> str:
    """What stands beside a word that takes its assertion away."""
    if not is_trigger and parse.pos[token] not in {"VERB", "AUX", "ADJ"}:
        return ""
    marks = {parse.lower[child] for child in parse.children[token] if child < token or parse.deps[child] == "advmod"}
    start = parse.sentences[parse.sentence_of[token]][0]
    before = parse.lower[max(start, token - 3) : token]
    if marks & _CONDITIONS or _is_inverted(parse, token):
        return "condition"
    if marks & _NEGATIONS or _NEGATIONS.intersection(before[-2:]) - {"without", "neither", "nor"}:
        return "" if {"only", "just", "merely"}.intersection(parse.lower[max(0, token - 3) : token + 3]) else "negation"
    if any(_is_nobody(parse, child) for child in parse.with_dep(token, "nsubj", "nsubj:pass")):
        return "negation"
    if marks & _HEARSAY or _HEARSAY.intersection(before):
        return "hearsay"
    modal = _MODALS.intersection(before)
    if modal and (modal != {"would"} or "have" in before) and parse.pos[token] in {"VERB", "AUX"}:
        return "wish"
    return ""


def _is_nobody(parse: Parse, subject: int) -> bool:
    return parse.lower[subject] in _NOBODY or any(
        parse.lower[child] in {"no", "neither"} for child in parse.children[subject] if child < subject
    )


def _is_inverted(parse: Parse, token: int) -> bool:
    """ "HAD he died in Oslo, we would know"."""
    start, end = parse.sentences[parse.sentence_of[token]]
    return parse.lower[start] in {"had", "were"} and not _MODALS.isdisjoint(parse.lower[token:end])


def excluded(parse: Parse, start: int) -> bool:
    """Whether a mention that begins here is named only to be left out: "in Oslo, NOT in BERGEN", "instead of BOHR"."""
    first = parse.sentences[parse.sentence_of[start]][0]
    place = start - 1
    while place > first and parse.pos[place] in {"ADP", "DET"} and parse.lower[place] not in {"of", "than"}:
        place -= 1
    before = parse.lower[max(first, place - 1) : place + 1]
    is_set_off = before[-1:] == ["not"] and before[0] in {",", "and", "("}
    return is_set_off or before in (["instead", "of"], ["rather", "than"])

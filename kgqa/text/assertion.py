"""Whether a sentence asserts what it mentions: negation, hearsay, wishes, conditions and questions state no fact."""

from kgqa.text.nlp import Parse

_DOUBT_VERBS = frozenset({
    "rumour", "rumor", "rumoured", "rumored", "allege", "alleged", "allegedly", "claim", "claimed", "claims",
    "suspect", "suspected", "imagine", "imagined", "speculate", "speculated", "deny", "denied", "denies", "doubt",
    "doubted", "dispute", "disputed", "hoax",
})  # fmt: skip
_DOUBT_ADVERBS = frozenset({
    "reportedly", "allegedly", "supposedly", "purportedly", "rumoredly", "not", "never", "n't", "hardly", "nearly",
    "almost",
})  # fmt: skip
_UNREAL = frozenset({
    "try", "tried", "tries", "hope", "hoped", "want", "wanted", "wish", "wished", "plan", "planned", "fail",
    "failed", "refuse", "refused", "decline", "declined", "intend", "intended", "attempt", "attempted", "expect",
    "expected", "offer", "offered", "aim", "aimed", "dream", "dreamed", "dreamt", "unable",
})  # fmt: skip
_MODALS = frozenset(["could", "might", "may", "should", "must", "can", "would"])


def denied(parse: Parse, trigger: int) -> bool:
    """Whether the sentence does not assert what the trigger says: negation, hearsay, wishes, conditions, questions."""
    start, end = parse.sentences[parse.sentence_of[trigger]]
    if parse.words[end - 1] == "?" and (parse.pos[start] == "AUX" or parse.tags[start] in {"WP", "WRB", "WDT"}):
        return True
    token, seen = trigger, 0
    while seen < 5:
        if _doubted_at(parse, token, is_trigger=token == trigger):
            return True
        head = parse.heads[token]
        if head == token:
            return False
        if (
            parse.deps[token] in {"xcomp", "ccomp", "csubj", "csubj:pass"}
            and parse.lower[head] in _UNREAL | _DOUBT_VERBS
        ):
            return True
        if parse.deps[token] not in {"xcomp", "ccomp", "csubj", "csubj:pass", "aux", "cop", "obl", "obj"}:
            return False
        token, seen = head, seen + 1
    return False


def _doubted_at(parse: Parse, token: int, *, is_trigger: bool) -> bool:
    if not is_trigger and parse.pos[token] not in {"VERB", "AUX"}:
        return False
    marks = {parse.lower[child] for child in parse.children[token] if child < token or parse.deps[child] == "advmod"}
    before = parse.lower[max(0, token - 3) : token]
    if (
        marks & _DOUBT_ADVERBS
        or "if" in marks
        or "whether" in marks
        or {"not", "never", "n't"}.intersection(before[-2:])
    ):
        return not {"only", "just"}.intersection(parse.lower[max(0, token - 3) : token + 3])
    modal = _MODALS.intersection(before)
    return bool(modal) and (modal != {"would"} or "have" in before) and parse.pos[token] in {"VERB", "AUX"}

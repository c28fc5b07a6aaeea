"""The words by which a turn of a conversation refers to what was said before: closed classes of English, as data."""

import re

NO_NOUNS = (
    "is|are|was|were|be|do|does|did|has|have|had|can|could|will|would|of|in|at|by|to|for|from|with|on|and|or|who|which|that"
    "|whom|he|she|they|it|not|also|ever|both|together|lie|live|come|today|now|as|get|got|go"
)
MENTION = re.compile(
    r"\b(?:(?P<pair>both(?:\s+of\s+(?:them|these|those))?|(?:(?:the|these|those)\s+)?two(?:\s+of\s+(?:them|these|those))?)"
    rf"|(?P<noun>(?:that|this|these|those|the\s+same|the\s+said)\s+(?!(?:{NO_NOUNS}|\w+ed)\b)[a-z]+)"
    r"|(?P<ordinal>the\s+(?:former|latter|(?:first|second|last|other)(?:\s+one\b|(?=[\s?.!]*$))))"
    r"|(?P<person>he|him|his|she|her|hers|himself|herself)"
    r"|(?P<thing>its?|itself)|(?P<place>there|here)|(?P<many>they|them|their|theirs|these|those)"
    r"|(?P<any>that|this)(?!\s+(?:he|she|it|they)\b))(?!\w)",
    re.I,
)
DEFINITE = re.compile(
    r"\bthe\s+(?P<noun>[a-z]+)\b(?!\s+(?:of|who|whom|whose|which|that|where|in|at|by|to|for)\b)", re.I
)
"""Somebody or something by its kind alone: the man, the city; where a turn names nothing."""
ASKING = re.compile(r"\b(?:who|whom|whose|what|which|where|when|is|was|are|were)\b", re.I)
POINTING = re.compile(r"(?:that|this|these|those)\b", re.I)
POSSESSIVE = re.compile(r"(?:his|her|its|their)(?=\s+\w)", re.I)
TOGETHER = re.compile(r"\b(?:both|together|share|shared|in\s+common|alike|jointly)\b", re.I)
SHARING = re.compile(
    r"\b(?:which|what|ones?|things?|do|does|did|are|is|have|any|both|together|shared?|in\s+common|alike)\b", re.I
)
AMONG = re.compile(r"\b(?:of|among)\s+$", re.I)
LEAD = re.compile(r"^\W*(?:and|so|but|then|also|ok|okay|well|now)\b[\s,]*", re.I)
INTRODUCTION = re.compile(
    r"^\W*(?:(?:coming\s+|going\s+)?back\s+to|now|as\s+for|about|regarding|returning\s+to|tell\s+me\s+about)\s+([^,:?]{1,80})[,:]\s*",
    re.I,
)
CORRECTION = re.compile(
    r"^\W*(?:no|nope|wrong|not\s+(?:that|this|him|her|it)|i\s+meant?|sorry)\b[\s,:]*(?:i\s+meant?\s+)?", re.I
)
ELSE = re.compile(r"\b(?:else|other|another)\b\s*", re.I)
WH_ONLY = re.compile(r"^\W*(?:(?:in|at|since|from|on)\s+)?(?:which|what)\s+\w+\W*$", re.I)
WH = re.compile(r"^\W*(?:(?:in|at|since|from|on|to|by|with)\s+)?(?:who|whom|whose|what|which|where|when)\b\s*", re.I)
OTHER = re.compile(r"\b(?:the\s+)?other\b", re.I)
FILLER = re.compile(
    r"\b(?:and|so|but|then|what|how|about|of|in|for|at|by|to|from|with|on|the|a|an|now|else|same|also|one|if|i|mean|meant|not|turn|again|too|own|s|question)\b",
    re.I,
)
SUBJECT = re.compile(r"^\W*(?:and\s+)?(?P<wh>who|which|any(?:one|body)?)(?:\s+ones?)?\b(?!\s+(?:of|among)\b)", re.I)

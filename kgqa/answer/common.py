"""Words that a question is made of, so common that a name of the same spelling is seldom meant.

Written by hand: function words, question words, and the nouns and verbs that questions use to name a relation. What a
graph's own relations are called is added to them when a linker is made.
"""

_WORDS = """
a about above across act actually after again against ago all almost along already also although always am among
amount an and another any anybody anyone anything appear apart are area around as ask at away back be became because
become been before began begin behind being belong below beside besides best better between beyond big birth body book
born both bring brother brought build built but buy by call came can care career carry case cause change character
child children choose city claim class close come common complete concern connect consider contain content could
country couple course create creator credit current cut date daughter day dead death deal decade decide degree
describe did die different direct do does doing done down due during each early earn either else employ end ending
enjoy enough entitle entity even event ever every everybody everyone everything exactly example except exist explain
express fact fall fame family famous far father favourite feature female few field figure fill film final find finish
first follow for form former found founder four friend from front full future gain gave general genre get gift girl
give given go going gone good got great group grow grew had half hand happen happy hard has have having he head hear
heard held help her here herself high him himself his history hit hold home honour hour house how however hundred
husband i idea identify if important in include indeed inside instance instead institution interest into invent
involve is issue it item its itself job join just keep kept kind knew know known lab land language large last late later
launch lead learn leave led left less let letter lie life like likely line list listed little live lives local locate
long look lose lot love made main make male man many marry mate matter may me mean member men mention met middle might
mind mine more most mother movie much must my myself name native near need never new next nice night no nobody none nor
not note nothing notice now number numerous occupation of off offer office often old on once one only onto open or
order organisation organization origin other others our out outside over own page paper parent part particular pass
past peer people per perform perhaps period person picture piece place plan play please plot point popular position
possible post present press price primary principal prior prize probably problem produce product profession program
project provide public publish pupil purpose put question quite quote range rate rather rating reach read ready real
really reason receive recent recently record refer regard region relate relation release remain remember report require
research result return right river role room rule run said same saw say school scientist score screen screenplay script
second see seem seen send serve session set several shall share she short should show side similar since single sister
site situation six small so some somebody someone something son soon sort sound source speak specific spend spoke
spoken spouse stand star start state stay still stop story student studio study style subject such sure take taken talk
taught teach teacher team tell ten term than thank that the their theirs them themselves then theory there these they
thing think third this those though thought three through throughout time title to today together told too took top
topic total toward town train travel true try turn two type under understand university until up upon us use used
usually various very via view wait walk want war was watch way we week well went were what whatever when where whereas
whether which whichever while who whoever whole whom whose why wife will win wish with within without woman women
won wonder word work world would write writer written wrote year yes yet you young your yours actor actress author
award birthplace capital cinema director discover discovery docent documentary episode nationality novel producer
screenwriter sibling song speech tag theme university workplace
president professor doctor dr sir lord lady king queen saint st mr mrs ms
s t d m ll re ve
"""

_COMMON = frozenset(_WORDS.split())
_INFLECTED = frozenset(word for word in _COMMON if len(word) > 2)
_SUFFIXES = ("s", "es", "d", "ed", "ing", "r", "er", "ers", "or", "ors", "ly", "ies")
_STEM = 5


def common_stems(texts: list[str]) -> frozenset[str]:
    """The beginnings of the words of some texts: `directed` makes `director` and `directing` common too."""
    return frozenset(word[:_STEM] for text in texts for word in text.lower().split() if len(word) >= _STEM)


def commonness(norm: str, stems: frozenset[str] = frozenset()) -> float:
    """How much a normalised word tells: 1, or 0.25 for a common one, 0.5 for what may be its inflected form."""
    if norm in _COMMON or norm[:_STEM] in stems:
        return 0.25
    inflected = any(norm.endswith(suffix) and norm[: -len(suffix)] in _INFLECTED for suffix in _SUFFIXES)
    return 0.5 if inflected else 1.0

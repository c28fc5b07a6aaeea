"""Stories for the tests: random ones, and ones that a memory is needed for."""

from random import Random

from kgqa.stories.babi import Asked, Story

WORDS = ["ann", "bob", "cat", "dog", "sun", "sea"]


def made(seed: int, count: int, *, longest: int = 9) -> list[Story]:
    draw = Random(seed)
    stories = []
    for number in range(count):
        sentences = tuple(" ".join(draw.choices(WORDS, k=draw.randint(1, 4))) for _ in range(draw.randint(0, longest)))
        places = sorted(draw.randint(0, len(sentences)) for _ in range(draw.randint(1, 4)))
        asked = tuple(Asked(f"{draw.choice(WORDS)} ?", draw.choice(WORDS), place) for place in places)
        stories.append(Story(1 + number % 3, sentences, asked))
    return stories


WHO, WHERE = ["ann", "bob", "cleo", "dan"], ["home", "shop", "park", "sea"]


def walks(count: int, seed: int = 0) -> list[Story]:
    """People go from place to place; asked is where one of them is."""
    draw = Random(seed)
    stories = []
    for _ in range(count):
        moves = [(draw.choice(WHO), draw.choice(WHERE)) for _ in range(6)]
        who = draw.choice(moves)[0]
        where = [place for person, place in moves if person == who][-1]
        stories.append(Story(1, tuple(f"{a} went {b}" for a, b in moves), (Asked(f"where is {who}", where, 6),)))
    return stories

"""The layout: topics left, answers right, nothing upon another, every fact an arrow between the entities it joins."""

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.report.picture import NODE_HEIGHT, NODE_WIDTH, draw, walked

NAMES = st.sampled_from([f"n{i}" for i in range(8)])


def chain(names, inverse=()):
    """A path that walks these names one after the other."""
    steps = []
    for i, (source, target) in enumerate(itertools.pairwise(names)):
        back = i in inverse
        head, tail = (target, source) if back else (source, target)
        ends = {"head": head, "tail": tail, "head_text": head.upper(), "tail_text": tail.upper()}
        steps.append({**ends, "relation": f"r{i}", "relation_text": f"rel {i}", "inverse": back})
    return steps


def drawn(paths):
    triples = dict.fromkeys((s["head"], s["relation"], s["tail"]) for path in paths for s in path)
    return draw(paths, {triple: number for number, triple in enumerate(triples, start=1)})


@st.composite
def path_lists(draw_):
    """Several paths from a few topics, that may meet, part and come back to where they were."""
    paths = []
    for _ in range(draw_(st.integers(1, 6))):
        names = draw_(st.lists(NAMES, min_size=2, max_size=4))
        inverse = draw_(st.sets(st.integers(0, 2)))
        paths.append(chain(names, inverse))
    return paths


@settings(deadline=None)
@given(path_lists())
def test_no_two_nodes_touch_and_all_stand_within_the_picture(paths):
    picture = drawn(paths)
    for i, one in enumerate(picture.nodes):
        assert 0 <= one.x <= picture.width - NODE_WIDTH
        assert 0 <= one.y <= picture.height - NODE_HEIGHT
        for other in picture.nodes[i + 1 :]:
            assert abs(one.x - other.x) >= NODE_WIDTH or abs(one.y - other.y) >= NODE_HEIGHT


@settings(deadline=None)
@given(path_lists())
def test_every_arrow_goes_from_a_node_to_one_in_the_next_column(paths):
    picture = drawn(paths)
    right = {(node.x + NODE_WIDTH, node.y + NODE_HEIGHT // 2) for node in picture.nodes}
    left = {(node.x, node.y + NODE_HEIGHT // 2) for node in picture.nodes}
    for arrow in picture.arrows:
        numbers = [int(number) for number in re.findall(r"\d+", arrow.path)]
        assert tuple(numbers[:2]) in right
        assert tuple(numbers[-2:]) in left
        assert numbers[0] < arrow.x < numbers[-2]
    walks = {
        (*walked(step)[:2], step["relation"], step["inverse"], len(path) - i)
        for path in paths
        for i, step in enumerate(path)
    }
    assert len(picture.arrows) == len(walks)


@settings(deadline=None)
@given(path_lists())
def test_answers_stand_in_the_last_column_and_nowhere_else(paths):
    picture = drawn(paths)
    last = max(node.x for node in picture.nodes)
    ends = {walked(path[-1])[3] for path in paths}
    assert {node.text for node in picture.nodes if node.x == last} == ends
    assert all((node.x == last) == (node.role == "answer") for node in picture.nodes)


def test_paths_of_different_length_meet_at_their_answer():
    picture = drawn([chain(["poland", "warsaw", "curie"], inverse={0, 1}), chain(["prize", "curie"], inverse={0})])
    columns = {}
    for node in picture.nodes:
        columns.setdefault(node.x, []).append((node.text, node.role))
    assert [sorted(columns[x]) for x in sorted(columns)] == [
        [("POLAND", "topic")], [("PRIZE", "topic"), ("WARSAW", "step")], [("CURIE", "answer")],
    ]  # fmt: skip
    assert all(arrow.back for arrow in picture.arrows)


def test_what_leads_to_the_first_answer_stands_first():
    picture = drawn([chain(["t", "z", "one"]), chain(["t", "a", "two"])])
    middle = sorted((node.y, node.text) for node in picture.nodes if node.role == "step")
    assert [text for _, text in middle] == ["Z", "A"]


def test_long_names_are_cut_and_kept_whole_beside():
    picture = drawn([chain(["x" * 80, "y"])])
    (topic,) = [node for node in picture.nodes if node.role == "topic"]
    assert len(topic.label) < 30
    assert topic.text == "X" * 80

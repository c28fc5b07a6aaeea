"""Questions to tensors: placeholders stand where topics stood, batches lose nothing, epochs can be drawn again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.data import EpochSampler
from kgqa.reason.examples import Example, Vocabulary, collate, example, trainable
from kgqa.reason.tokens import PLACEHOLDER
from kgqa.types import Candidate, Question, Topic


def topic(text: str, span: tuple[int, int], *names: str) -> Topic:
    return Topic(text, span, tuple(Candidate(n, f"urn:kgqa:entity:{n}", 1 / len(names)) for n in names))


def test_known_topics_become_placeholders_in_the_order_of_the_text(toy: TripleTable) -> None:
    text = "did anna or dora teach eve"
    question = Question(
        "1", text,
        (topic("dora", (12, 16), "dora", "carl"), topic("anna", (4, 8), "anna"), topic("eve", (23, 26), "eve")),
        answers=("anna", "urn:kgqa:entity:carl", "nobody"),
    )  # fmt: skip
    one = example(question, Vocabulary(toy))
    at = toy.entities.index
    assert one.text == f"did {PLACEHOLDER} or {PLACEHOLDER} teach eve"
    assert one.topics == (
        ((at("urn:kgqa:entity:anna"), 1.0),),
        ((at("urn:kgqa:entity:dora"), 0.5), (at("urn:kgqa:entity:carl"), 0.5)),
    )
    assert one.answers == (at("urn:kgqa:entity:anna"), at("urn:kgqa:entity:carl"))


def test_overlapping_topics_keep_the_first(toy: TripleTable) -> None:
    question = Question("1", "anna dora", (topic("anna dora", (0, 9), "anna"), topic("dora", (5, 9), "dora")))
    assert example(question, Vocabulary(toy)).text == PLACEHOLDER


def test_what_cannot_be_learned_from_is_counted(toy: TripleTable) -> None:
    known = Example(PLACEHOLDER, (((0, 1.0),),), ())
    kept, left_out = trainable([known, Example("who", (), (1,)), Example(PLACEHOLDER, (((0, 1.0),),), None)])
    assert kept == [known]
    assert left_out == 2


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.lists(st.integers(0, 20), max_size=4, unique=True)), min_size=1, max_size=6
    )
)
@settings(max_examples=40, deadline=None)
def test_a_batch_holds_every_topic_and_every_answer(shape: list[tuple[int, list[int]]]) -> None:
    examples = [
        Example(f"q{q}", tuple(((10 * q + k, 1.0), (k, 0.5)) for k in range(num)), tuple(answers))
        for q, (num, answers) in enumerate(shape)
    ]
    batch = collate(examples)
    walks = batch.walks
    assert walks.num_questions == len(examples)
    assert [walks.texts[w] for w in range(len(walks.texts))] == [
        f"q{q}" for q, (num, _) in enumerate(shape) for _ in range(num)
    ]
    starts = {
        (int(walks.question[w]), int(walks.topic_rank[w]) - 1, int(e))
        for e, w in zip(walks.start_entity, walks.start_walk, strict=True)
    }
    assert starts == {(q, k, e) for q, (num, _) in enumerate(shape) for k in range(num) for e in (10 * q + k, k)}
    gold = set(zip(batch.gold_question.tolist(), batch.gold_entity.tolist(), strict=True))
    assert gold == {(q, a) for q, (_, answers) in enumerate(shape) for a in answers}


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 50), st.floats(0, 1), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_epoch_has_its_length_and_its_share_and_can_be_drawn_again(
    real: int, made: int, length: int, share: float, epoch: int
) -> None:
    if not real + made:
        return
    samplers = [EpochSampler(real, made, length=length, synthetic_share=share, seed=7) for _ in range(2)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    order = list(samplers[0])
    assert order == list(samplers[1])
    assert len(order) == len(samplers[0]) == length
    num_made = sum(index >= real for index in order)
    if real:
        assert num_made <= length * share + 1
        counts = [order.count(index) for index in range(real)]
        assert max(counts) - min(counts) <= 1  # gone through evenly
    else:
        assert num_made == length

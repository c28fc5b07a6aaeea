"""Facts and passages of the long-term memory in the first slots: the nearest ones, written before the first hop, and
still named when they are read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.errors import ConfigError, ModelError
from kgqa.expand.apply import Settings, expand, index
from kgqa.expand.plan import Corpus
from kgqa.graph.subgraph import TripleTable
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory import short_term
from kgqa.memory.hashing import HashingEmbedder
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from kgqa.reason.examples import Example, collate
from kgqa.reason.instructions import Handed
from kgqa.reason.predict import Predictor
from kgqa.reason.priming import Kind, Primer, by_vectors, spelled
from kgqa.reason.tokens import PLACEHOLDER
from kgqa.reason.trace import _recalled, trace
from tests.reason.test_predict import QUESTIONS

EMBEDDER = HashingEmbedder(64)
NUM_FACTS = 3
PLAIN = ReasonerSettings(EncoderSettings(width=32, num_buckets=512), {"width": 32, "num_heads": 2, "num_slots": 5})
SETTINGS = ReasonerSettings(PLAIN.encoder, PLAIN.sizes | {"num_facts": NUM_FACTS}).handed(EMBEDDER)


def said(toy: TripleTable) -> list[str]:
    columns = zip(toy.heads.tolist(), toy.relations.tolist(), toy.tails.tolist(), strict=True)
    return [f"{toy.entity_texts[h]} {toy.relation_texts[r]} {toy.entity_texts[t]}" for h, r, t in columns]


@pytest.fixture
def memory(toy: TripleTable, tmp_path: Path) -> LongTermMemory:
    texts = said(toy)
    refs = apply_delta(
        tmp_path, MemoryRefs(EMBEDDER.width, EMBEDDER.name), generation="gen-000001",
        add_ids=100 + np.arange(len(texts)), add_vectors=EMBEDDER.embed(texts), add_items=[(t, t) for t in texts],
    )  # fmt: skip
    return LongTermMemory.open(tmp_path, refs, device="cpu")


def facts_of(memory: LongTermMemory, num: int = NUM_FACTS) -> Kind:
    return Kind("fact", memory, num, by_vectors(memory))


@pytest.fixture
def predictor(memory: LongTermMemory, toy: TripleTable) -> Predictor:
    torch.manual_seed(0)
    return Predictor(SETTINGS.build(), SETTINGS, toy, primer=Primer(EMBEDDER, facts_of(memory)))


PASSAGES = {500 + n: f"A paragraph about {word}." for n, word in enumerate(("Anna", "prizes", "Carl"))}


@pytest.fixture
def passages(tmp_path: Path) -> Kind:
    """Two passages to a question, the first two of those with a word in common, whatever their vectors are."""
    texts, folder = list(PASSAGES.values()), tmp_path / "passage"
    refs = apply_delta(
        folder, MemoryRefs(EMBEDDER.width, EMBEDDER.name), generation="gen-000001", add_ids=np.array(list(PASSAGES)),
        add_vectors=EMBEDDER.embed(texts), add_items=[(f"urn:passage:{t}", t) for t in texts],
    )  # fmt: skip

    def near(asked: Sequence[str], vectors: np.ndarray, k: int) -> list[list[int]]:
        assert vectors == pytest.approx(EMBEDDER.ask(list(asked)), abs=1e-6)
        return [
            [key for key, text in PASSAGES.items() if set(a.lower().split()) & set(text.lower().rstrip(".").split())][
                :k
            ]
            for a in asked
        ]

    return Kind("passage", LongTermMemory.open(folder, refs, device="cpu"), 2, near)


def one(text: str, *topics: int) -> Example:
    return Example(text, tuple(((topic, 1.0),) for topic in topics), None)


def test_the_likeliest_names_stand_where_placeholders_were() -> None:
    example = Example(f"did {PLACEHOLDER} know {PLACEHOLDER}?", (((0, 0.2), (2, 0.7)), ((1, 0.5), (0, 0.5))), None)
    assert spelled(example, ["Ann", "Bo", "Cy"]) == "did Cy know Bo?"


def test_the_nearest_facts_are_found_with_their_vectors(memory: LongTermMemory, toy: TripleTable) -> None:
    primer = Primer(EMBEDDER, facts_of(memory))
    examples = primer.near(
        [one(f"where was {PLACEHOLDER} born", 0), one(f"{PLACEHOLDER} got what", 2)], toy.entity_texts
    )
    facts = primer.handed(examples)
    vectors = EMBEDDER.embed(said(toy))
    for row, text in enumerate(("where was anna born", "carl got what")):
        cosines = vectors @ EMBEDDER.embed([text])[0]
        found = facts.ids[row].numpy() - 100
        assert cosines[found] == pytest.approx(np.sort(cosines)[::-1][:NUM_FACTS], abs=1e-6)
        assert facts.vectors[row].numpy() == pytest.approx(vectors[found], abs=1e-6)


def test_of_fewer_facts_the_rest_is_left_empty(memory: LongTermMemory, toy: TripleTable, tmp_path: Path) -> None:
    num_stored = len(memory)
    primer = Primer(EMBEDDER, facts_of(memory, num_stored + 2))
    facts = primer.handed(primer.near([one(PLACEHOLDER, 0)], toy.entity_texts))
    assert (facts.ids[0, num_stored:] == -1).all()
    assert not facts.vectors[0, num_stored:].any()
    empty = Primer(EMBEDDER, facts_of(LongTermMemory.open(tmp_path, MemoryRefs(64, EMBEDDER.name), device="cpu"), 2))
    assert (empty.handed(empty.near([one(PLACEHOLDER, 0)], toy.entity_texts)).ids == -1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["dnc", "lru"]))
def test_facts_stay_until_the_free_slots_are_used_up(seed: int, allocator: short_term.Allocator) -> None:
    """Two hard writes to free slots take the two slots that no fact is in."""
    torch.manual_seed(seed)
    vectors, present = torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
    state = short_term.primed(short_term.initial_state(2, num_slots=5, width=4, num_reads=1), vectors, present)
    ones = torch.ones(2, 1)
    for _ in range(2):
        said = torch.randn(2, 1, 4)
        interface = short_term.WriteInterface(
            keys=said, strengths=ones, vectors=said, erase=torch.ones(2, 1, 4), free_gates=0 * ones,
            allocation_gates=ones, gates=ones,
        )  # fmt: skip
        state = short_term.write(state, interface, allocator=allocator)
    assert state.slots[:, :3] == pytest.approx(vectors)
    assert (state.slots[:, 3:].abs().sum(-1) > 0).all()


def test_facts_are_read_before_the_first_hop_and_matter(predictor: Predictor) -> None:
    """Other facts, other reads; gradients reach what writes and what reads them; other questions' do not matter."""
    instructions = predictor.reasoner.instructions
    question, vectors = torch.randn(2, 64), torch.randn(2, NUM_FACTS, 64)
    ids = torch.tensor([[5, 6, 7], [8, -1, -1]])
    begun = instructions.begin(question, Handed(ids, vectors))
    weights = begun.memory.read_weights[:, 0].detach()
    assert weights.sum(-1).tolist() == pytest.approx([1, 1])
    assert float(weights[1, 0]) == pytest.approx(1)
    assert begun.reads[1].tolist() == pytest.approx(instructions.remembered(vectors[1, 0]).tolist(), abs=1e-5)
    begun.reads.square().sum().backward()
    for layer in (instructions.remembered, instructions.recall.linear):
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().sum() > 0
    changed = torch.cat([torch.randn(1, NUM_FACTS, 64), vectors[1:]])
    other = instructions.begin(question, Handed(ids, changed)).reads
    assert not torch.allclose(other[0], begun.reads[0])
    assert torch.equal(other[1], begun.reads[1])


def test_without_any_fact_nothing_is_read_and_nothing_is_nan(predictor: Predictor) -> None:
    question = torch.randn(2, 64, requires_grad=True)
    facts = Handed(torch.full((2, NUM_FACTS), -1), torch.zeros(2, NUM_FACTS, 64))
    begun = predictor.reasoner.instructions.begin(question, facts)
    begun.reads.sum().backward()
    assert not begun.reads.any()
    assert torch.isfinite(question.grad).all()


def test_questions_are_answered_alike_alone_and_together(predictor: Predictor) -> None:
    together = predictor.predict(QUESTIONS)
    for question, found in zip(QUESTIONS, together, strict=True):
        alone = predictor.predict([question])[0]
        assert alone.entity_index == found.entity_index
        assert alone.confidence == pytest.approx(found.confidence, abs=1e-5)


def test_training_is_handed_what_answering_is(predictor: Predictor, toy: TripleTable) -> None:
    assert predictor.primer is not None
    examples = [one(f"where was {PLACEHOLDER} born", 0), one(f"who taught {PLACEHOLDER}", 2)]
    seen = predictor.primer.near(examples, toy.entity_texts)
    trained, asked = collate(seen, predictor.primer.handed(seen)).walks, predictor.walks(examples)
    assert trained.handed is not None
    assert asked.handed is not None
    assert torch.equal(trained.handed.ids, asked.handed.ids)
    assert torch.equal(trained.handed.vectors, asked.handed.vectors)


def test_a_trace_names_the_facts_that_were_read(predictor: Predictor, toy: TripleTable) -> None:
    texts = said(toy)
    for walks in trace(predictor, QUESTIONS, batch_size=2):
        for walk in walks:
            assert sum(weight for _, weight in walk.hops[0].recalled) == pytest.approx(1, abs=0.1)
            for hop in walk.hops:
                assert all(texts[what.id - 100] == what.text for what, _ in hop.recalled)


def test_a_slot_that_was_written_anew_names_no_fact(predictor: Predictor) -> None:
    walks = predictor.walks([one(f"where was {PLACEHOLDER} born", 0)])
    assert walks.handed is not None
    begun = predictor.reasoner.instructions.begin(torch.randn(1, 64), walks.handed).memory
    other = begun._replace(slots=torch.cat([-begun.slots[:, :1], begun.slots[:, 1:]], dim=1))
    first, later = (hop[0] for hop in _recalled(predictor, walks, [begun, other]))
    assert {what.id for what, _ in first} - {what.id for what, _ in later} == {int(walks.handed.ids[0, 0])}


def test_facts_and_passages_stand_side_by_side(memory: LongTermMemory, passages: Kind, toy: TripleTable) -> None:
    """Each kind in its own columns, with its own ids and vectors, empty where there are fewer, and named as it is."""
    primer = Primer(EMBEDDER, facts_of(memory), passages)
    examples = primer.near([one(f"{PLACEHOLDER} knew Carl", 0), one("about nothing"), one("so what")], toy.entity_texts)
    alone = [Primer(EMBEDDER, kind) for kind in primer.kinds]
    apart = [one.handed(one.near(examples, toy.entity_texts)) for one in alone]
    handed = primer.handed(examples)
    assert torch.equal(handed.ids, torch.cat([one.ids for one in apart], 1))
    assert torch.equal(handed.vectors, torch.cat([one.vectors for one in apart], 1))
    assert handed.ids[:, NUM_FACTS:].tolist() == [[500, 502], [500, 501], [-1, -1]]
    assert not handed.vectors[handed.ids < 0].any()
    found = primer.said(handed.ids.numpy())
    assert found.keys() == set(handed.ids[handed.ids >= 0].tolist())
    assert {key: what.text for key, what in found.items() if what.kind == "passage"} == PASSAGES
    assert all(what.kind == ("passage" if key >= 500 else "fact") and what.id == key for key, what in found.items())


WITH_PASSAGES = ReasonerSettings(
    PLAIN.encoder, PLAIN.sizes | {"num_slots": 7, "num_facts": NUM_FACTS, "num_passages": 2}
).handed(EMBEDDER)


def test_a_trace_names_the_passages_that_were_read(memory: LongTermMemory, passages: Kind, toy: TripleTable) -> None:
    torch.manual_seed(0)
    primer = Primer(
        EMBEDDER, facts_of(memory), passages._replace(near=lambda asked, vectors, k: [[501, 500]] * len(asked))
    )
    predictor = Predictor(WITH_PASSAGES.build(), WITH_PASSAGES, toy, primer=primer)
    read = [what for walks in trace(predictor, QUESTIONS) for walk in walks for what, _ in walk.hops[0].recalled]
    assert {(what.kind, what.id, what.term) for what in read} >= {
        ("passage", key, f"urn:passage:{PASSAGES[key]}") for key in (500, 501)
    }


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 2), st.integers(0, 2))
def test_only_what_was_handed_is_read(seed: int, num_facts: int, num_passages: int) -> None:
    """Both kinds are learned to be written; what stands behind a missing id says nothing."""
    torch.manual_seed(seed)
    sizes = PLAIN.sizes | {"num_slots": 6, "num_facts": num_facts, "num_passages": num_passages, "fact_width": 6}
    instructions = ReasonerSettings(PLAIN.encoder, sizes).build().instructions
    question = torch.randn(3, 64)
    if not (num_facts or num_passages):
        assert not instructions.begin(question).reads.any()
        return
    ids = torch.randint(0, 9, (3, num_facts + num_passages)).masked_fill(
        torch.rand(3, num_facts + num_passages) < 0.3, -1
    )
    vectors = torch.randn(*ids.shape, 6)
    begun = instructions.begin(question, Handed(ids, vectors))
    other = instructions.begin(question, Handed(ids, torch.where(ids.unsqueeze(-1) < 0, torch.randn(6), vectors)))
    assert torch.equal(begun.reads, other.reads)
    assert begun.memory.usage[:, : ids.shape[1]].tolist() == (ids >= 0).float().tolist()
    assert not begun.memory.usage[:, ids.shape[1] :].any()
    begun.reads.square().sum().backward()
    for name, columns in (("remembered", ids[:, :num_facts]), ("quoted", ids[:, num_facts:])):
        layer = getattr(instructions, name, None)
        assert (layer is not None) == (columns.shape[1] > 0)
        if layer is not None:
            assert bool(layer.weight.grad.any()) == bool((columns >= 0).any())


@pytest.mark.parametrize("settings", [PLAIN, SETTINGS])
def test_without_passages_a_reasoner_is_what_it_was(settings: ReasonerSettings) -> None:
    """The same weights from the same seed, by the same names: what was trained before there were passages loads."""
    built = []
    for sizes in (settings.sizes, settings.sizes | {"num_passages": 0}):
        torch.manual_seed(0)
        built.append(ReasonerSettings(settings.encoder, sizes).build().state_dict())
    before, now = built
    assert before.keys() == now.keys()
    assert all(torch.equal(before[name], now[name]) for name in before)


@pytest.mark.parametrize(
    "changes", [{"use_memory": False}, {"num_slots": 4}, {"num_facts": 1, "num_passages": 2, "num_slots": 4}]
)
def test_facts_without_room_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="num_slots=5 or more"):
        ReasonerSettings(SETTINGS.encoder, SETTINGS.sizes | changes).build()


def test_a_checkpoint_is_over_vectors_of_its_embedder(tmp_path: Path) -> None:
    (tmp_path / "facts.txt").write_text("Bohr|taught|Born\nBohr|born in|Kiel\n", encoding="utf-8")
    expand(tmp_path / "kb", Corpus(tmp_path / "facts.txt", "facts"), Settings())
    for name, chosen in (("plain", PLAIN), ("handed", SETTINGS), ("quoting", WITH_PASSAGES)):
        checkpoint.save(chosen.build(), chosen, tmp_path / name, about={})
    with KnowledgeBase.open(tmp_path / "kb") as kb:
        assert Predictor.load(tmp_path / "plain", kb).primer is None
        with pytest.raises(ModelError, match="kgqa index"):
            Predictor.load(tmp_path / "handed", kb)
    index(tmp_path / "kb", Settings(embedder=HashingEmbedder(128)))
    with KnowledgeBase.open(tmp_path / "kb") as kb, pytest.raises(ModelError, match="index with that embedder"):
        Predictor.load(tmp_path / "handed", kb)
    index(tmp_path / "kb", Settings(embedder=EMBEDDER))
    with KnowledgeBase.open(tmp_path / "kb") as kb:
        primer = Predictor.load(tmp_path / "handed", kb).primer
        assert primer is not None
        handed = primer.handed(primer.near([one(f"{PLACEHOLDER} taught", 0)], ["Bohr"]))
        assert primer.said(handed.ids.numpy())[int(handed.ids[0, 0])].text == "Bohr taught Born"
        with pytest.raises(ModelError, match="passage_ids"):
            Predictor.load(tmp_path / "quoting", kb)

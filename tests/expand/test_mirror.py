"""A server follows each commit by exactly what changed; whatever cuts it off, the next run brings it in step."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies

from kgqa.errors import StoreError
from kgqa.expand.apply import Outcome, expand, index
from kgqa.expand.compact import compact
from kgqa.expand.mirror import Mirror
from kgqa.expand.rollback import rollback
from kgqa.generations import current_generation, read_generation
from kgqa.graph.mirror import Mark, mirrored, read_mark, write_mark
from kgqa.graph.oxigraph import GraphStore
from kgqa.graph.queries import LABEL, META
from kgqa.graph.sparql import SparqlStore
from kgqa.ids import ASSERTED, entity_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.index import IndexOptions
from tests.expand.test_apply import files
from tests.expand.toy import fast_folder, write_corpus
from tests.expand.toy import settings as toy_settings
from tests.servers import GONE, Front, Oxigraph, asking_for, down_from, failing

ONE = {"a.md": "First\n\nA knows B\nB likes C\n", "k.tsv": "X\tknows\tA\n"}
TWO = {"a.md": "First\n\nA knows B\nA fancies E\n", "b.md": "Second\n\nD = A\nD knows F\n"}
THREE = {"b.md": "Second\n\nD knows F\n", "k.tsv": "X\tknows\tA\nX\tknows\tD\n"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as name:
        yield Path(name)


def grow(
    folder: Path, corpus: dict[str, str], server: SparqlStore | None, *, keep: int | None = None, **options: bool
) -> Outcome:
    """Brings the knowledge base to what the corpus says, and the server after it."""
    mirror = Mirror(folder / "kb", server, **options) if server else None
    with_mirror = replace(toy_settings(index=False), mirror=mirror, keep=keep)
    return expand(folder / "kb", write_corpus(folder / "corpus", corpus), with_mirror, allow_empty=True)


def catch_up(folder: Path, server: SparqlStore, **options: bool) -> dict[str, int]:
    return Mirror(folder / "kb", server, **options).follow()


def state(kb: Path) -> str:
    with KnowledgeBase.open(kb) as base:
        return mirrored(base.state, base.ledger.identity)


def on_disk(kb: Path) -> set[str]:
    name = current_generation(kb)
    snapshot = kb / "graph" / "snapshots" / read_generation(kb, name).snapshot if name else None
    if snapshot is None:
        return set()
    with GraphStore.open(snapshot, read_only=True) as store:
        return {f"{quad} ." for quad in map(str, store.native)}


def assert_in_step(folder: Path, oxigraph: Oxigraph) -> None:
    assert oxigraph.dump() == on_disk(folder / "kb")
    with oxigraph.store(read_only=True) as server:
        assert read_mark(server).rest == state(folder / "kb")


def test_a_server_follows_each_commit(folder: Path, oxigraph: Oxigraph) -> None:
    for corpus in (ONE, TWO, THREE, ONE):
        with oxigraph.store(batch_size=4) as server:
            grow(folder, corpus, server)
        assert_in_step(folder, oxigraph)


def test_what_is_sent_is_what_changed(folder: Path, front: Front, oxigraph: Oxigraph) -> None:
    many = {f"{n}.md": f"Text\n\nN{n} knows M{n}\n" for n in range(30)}
    with front.store() as server:
        grow(folder, many, server)
        before, front.seen[:] = on_disk(folder / "kb"), []
        outcome = grow(folder, many | {"new.md": "Text\n\nA knows B\n"}, server)
    after = on_disk(folder / "kb")
    assert_in_step(folder, oxigraph)
    sent = [line for update in front.updates() if META not in update for line in update.splitlines() if line[-1] == "."]
    assert len(sent) == len(after - before) == outcome.counts["num_mirror_added"] < 30
    assert outcome.counts["num_mirror_removed"] == 0


def test_nothing_new_sends_nothing(folder: Path, front: Front) -> None:
    with front.store() as server:
        grow(folder, ONE, server)
        front.seen.clear()
        assert grow(folder, ONE, server).counts["num_mirror_added"] == 0
        index(folder / "kb", toy_settings())
        assert catch_up(folder, server) == {"num_mirror_added": 0, "num_mirror_removed": 0}
    assert all("nothing" in update for update in front.updates())  # the quad that asks whether one may write


def test_a_server_that_stayed_behind_gets_the_difference(folder: Path, front: Front, oxigraph: Oxigraph) -> None:
    with front.store() as server:
        grow(folder, ONE, server)
        before = on_disk(folder / "kb")
        grow(folder, TWO, None)
        index(folder / "kb", toy_settings())
        grow(folder, THREE, None)
        after = on_disk(folder / "kb")
        sent = catch_up(folder, server)
    assert sent == {"num_mirror_added": len(after - before), "num_mirror_removed": len(before - after)}
    assert_in_step(folder, oxigraph)


def tried(folder: Path, corpus: dict[str, str], server: SparqlStore) -> str:
    """What a run said when its server failed it; nothing when it did not."""
    try:
        grow(folder, corpus, server)
    except StoreError as error:
        return str(error)
    return ""


PLACES = pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "every"])


@PLACES
@pytest.mark.parametrize("last", [TWO, THREE], ids=["finish", "finish and go on"])
def test_cut_off_at_any_request_and_brought_in_step_by_the_next_run(
    folder: Path, front: Front, oxigraph: Oxigraph, last: dict[str, str], step: int
) -> None:
    """The endpoint goes down before the n-th request: the error says what is committed, and nothing is lost."""
    grow(folder, ONE, None)
    shutil.copytree(folder / "kb", folder / "first")
    with front.store(batch_size=5) as server, oxigraph.store() as working:
        for number in count(step=step):
            shutil.rmtree(folder / "kb")
            shutil.copytree(folder / "first", folder / "kb")
            oxigraph.clear()
            catch_up(folder, working)
            front.trick = down_from(number)
            if not (error := tried(folder, TWO, server)):
                break
            assert "did not answer" in error
            committed = current_generation(folder / "kb") == "gen-000002"
            assert ("is committed at gen-000002, its mirror is not" in error) == committed
            grow(folder, last, working)
            assert_in_step(folder, oxigraph)
    assert number > 10


@PLACES
@pytest.mark.parametrize("bulk", [False, True])
def test_a_first_upload_that_was_cut_off_begins_anew(
    folder: Path, front: Front, oxigraph: Oxigraph, step: int, bulk: bool
) -> None:
    grow(folder, ONE, None)
    shutil.copytree(folder / "kb", folder / "first")
    with front.store(bulk=bulk) as server, oxigraph.store() as working:
        for number in count(step=step):
            shutil.rmtree(folder / "kb")
            shutil.copytree(folder / "first", folder / "kb")
            oxigraph.clear()
            front.trick = down_from(number)
            if not tried(folder, ONE, server):
                break
            grow(folder, TWO, working)
            assert_in_step(folder, oxigraph)
    assert number > 8


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(strategies.lists(strategies.tuples(files, strategies.integers(0, 25)), min_size=2, max_size=4))
def test_any_sequence_with_any_cuts(front: Front, oxigraph: Oxigraph, states: list[tuple[dict[str, str], int]]) -> None:
    with fast_folder() as name, front.store(batch_size=6) as server:
        oxigraph.clear()
        for corpus, number in states:
            front.trick = down_from(number)
            error = tried(Path(name), corpus, server)
            assert not error or "did not answer" in error
        front.trick = failing(0, GONE)
        grow(Path(name), ONE, server)
        assert_in_step(Path(name), oxigraph)


def test_a_killed_server_comes_back_and_is_brought_in_step(folder: Path) -> None:
    """By SIGKILL, between two batches of a real commit."""
    server = Oxigraph(folder / "server").start()
    with Front(server.url) as front, front.store(batch_size=3) as store:
        try:
            grow(folder, ONE, store)
            updates = count()

            def kill_in_the_middle(request) -> None:  # type: ignore[no-untyped-def]
                if request.is_update and "urn:kgqa:doc" in request.sparql and next(updates) == 1:
                    server.kill()

            front.trick = kill_in_the_middle
            with pytest.raises(StoreError, match=r"committed at gen-000002, its mirror is not.*Nothing is lost"):
                grow(folder, TWO, store)
            server.start()
            assert read_mark(store).to == {state(folder / "kb")}
            assert server.dump() not in (on_disk(folder / "kb"), set())
            catch_up(folder, store)
            assert_in_step(folder, server)
        finally:
            server.kill()


def test_a_server_that_is_down_at_the_start_is_told_before_any_work(folder: Path, front: Front) -> None:
    front.trick = down_from(0)
    with front.store() as server, pytest.raises(StoreError, match="did not answer"):
        grow(folder, ONE, server)
    assert current_generation(folder / "kb") is None


def test_who_may_not_write_is_told_before_any_work(folder: Path, front: Front) -> None:
    guard = asking_for(["Bearer t"])
    front.trick = lambda request: guard(request) if request.is_update else None
    with front.store(token="x") as server, pytest.raises(StoreError, match="answers 401"):
        grow(folder, ONE, server)
    assert current_generation(folder / "kb") is None


def test_a_dry_run_asks_no_server(folder: Path, front: Front) -> None:
    with front.store() as server:
        with_mirror = replace(toy_settings(), mirror=Mirror(folder / "kb", server))
        expand(folder / "kb", write_corpus(folder / "corpus", ONE), with_mirror, dry_run=True)
    assert not front.seen


@pytest.mark.parametrize("other", ["another knowledge base", "no mark", "a mark of nonsense"])
def test_what_is_not_ours_is_left_alone_unless_told(folder: Path, oxigraph: Oxigraph, other: str) -> None:
    with oxigraph.store() as server:
        if other == "another knowledge base":
            grow(folder / "other", ONE, server)
        else:
            server.add([(entity_iri("A"), relation_iri("r"), entity_iri("B"), ASSERTED)])
        if other == "a mark of nonsense":
            write_mark(server, Mark(frozenset({"../../gen-000001 x"}), frozenset({""})))
        server.add([(entity_iri("A"), LABEL, '"mine"', "urn:users:own")])
        before = oxigraph.dump()
        with pytest.raises(StoreError, match=r"is none of .*kb's.*graph\.replace=true"):
            grow(folder, TWO, server)
        assert oxigraph.dump() == before
        assert current_generation(folder / "kb") is None
        grow(folder, TWO, server, replace=True)
        own = {line for line in oxigraph.dump() if "<urn:users:own>" in line}
        assert oxigraph.dump() - own == on_disk(folder / "kb")
        assert len(own) == 1


def test_a_knowledge_base_that_went_back_in_time_is_told(folder: Path, oxigraph: Oxigraph) -> None:
    """Restored from a copy: the server is ahead of it, at a generation that it has not."""
    with oxigraph.store() as server:
        grow(folder, ONE, server)
        shutil.copytree(folder / "kb", folder / "copy")
        grow(folder, TWO, server)
        shutil.rmtree(folder / "kb")
        shutil.move(folder / "copy", folder / "kb")
        with pytest.raises(StoreError, match=r"is at gen-000002, and this run reads gen-000001"):
            KnowledgeBase.open(folder / "kb", server=server)
        grow(folder, THREE, None)  # gen-000002 as well, and another one
        with pytest.raises(StoreError, match=r"is at gen-000002 of another history, and this run reads gen-000002"):
            KnowledgeBase.open(folder / "kb", server=server)
        grow(folder, THREE, server)
    assert_in_step(folder, oxigraph)


@pytest.mark.parametrize("keep", [1, None])
def test_what_is_no_longer_kept_is_no_longer_compared_with(folder: Path, oxigraph: Oxigraph, keep: int | None) -> None:
    with oxigraph.store() as server:
        assert grow(folder, ONE, server, keep=keep).counts["num_mirror_removed"] == 0
        small = grow(folder, ONE | {"x.tsv": "A\tknows\tZ\n"}, server, keep=keep)
        assert small.counts["num_mirror_added"] < 12
        grow(folder, TWO, None, keep=keep)
        sent = catch_up(folder, server)
        assert (sent["num_mirror_removed"] == 0) == (keep == 1)
        assert (sent["num_mirror_added"] == len(oxigraph.dump())) == (keep == 1)
    assert_in_step(folder, oxigraph)


def test_a_rollback_and_a_compaction_are_followed(folder: Path, oxigraph: Oxigraph) -> None:
    with oxigraph.store() as server:
        for corpus in (ONE, TWO, THREE):
            grow(folder, corpus, server)
        rollback(folder / "kb", "gen-000002")
        catch_up(folder, server)
        assert_in_step(folder, oxigraph)
        compact(folder / "kb", options=IndexOptions())
        assert catch_up(folder, server) == {"num_mirror_added": 0, "num_mirror_removed": 0}
        assert_in_step(folder, oxigraph)
        grow(folder, THREE, server)
    assert_in_step(folder, oxigraph)


def seen(base: KnowledgeBase) -> list[object]:
    table = base.triples()
    rows = sorted(zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True))
    query = f"SELECT ?h ?r ?t WHERE {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }} ORDER BY ?h ?r ?t"
    texts = table.entities, table.entity_texts, table.relation_terms, table.relation_texts
    return [rows, *texts, sorted(base.aliases()), base.query(query)]


def test_a_reader_sees_the_same_on_the_server(folder: Path, oxigraph: Oxigraph) -> None:
    with oxigraph.store() as server:
        grow(folder, TWO, server)
        with KnowledgeBase.open(folder / "kb") as embedded, KnowledgeBase.open(folder / "kb", server=server) as served:
            assert seen(served) == seen(embedded)
            with pytest.raises(StoreError, match="rdflib reads the graph on disk"):
                served.dataset()


def test_a_reader_of_another_generation_is_refused(folder: Path, oxigraph: Oxigraph) -> None:
    with oxigraph.store() as server:
        grow(folder, ONE, None)
        with pytest.raises(StoreError, match=r"is no mirror of a knowledge base, and this run reads gen-000001"):
            KnowledgeBase.open(folder / "kb", server=server)
        catch_up(folder, server)
        grow(folder, TWO, None)
        with pytest.raises(StoreError, match=r"is at gen-000001, and this run reads gen-000002; .*kgqa mirror"):
            KnowledgeBase.open(folder / "kb", server=server)
        with KnowledgeBase.open(folder / "kb", generation="gen-000001", server=server) as base:
            assert len(base.triples().heads) == 3


def test_what_was_read_during_a_change_is_an_error(folder: Path, oxigraph: Oxigraph) -> None:
    with oxigraph.store() as server, oxigraph.store(read_only=True) as reading:
        grow(folder, ONE, server)
        with KnowledgeBase.open(folder / "kb", server=reading) as base:
            stream = base.graph.scan(graph=ASSERTED)
            next(stream)
            grow(folder, TWO, server)
            for read in (
                lambda: list(stream),
                base.triples,
                lambda: base.query("ASK {}"),
                lambda: list(base.aliases()),
            ):
                with pytest.raises(StoreError, match=r"is at gen-000002, and this run reads gen-000001"):
                    read()


def test_a_server_in_the_middle_of_a_change_is_refused(folder: Path, front: Front, oxigraph: Oxigraph) -> None:
    with front.store(batch_size=3) as server, oxigraph.store() as reading:
        grow(folder, ONE, server)
        front.trick = down_from(10)
        with pytest.raises(StoreError, match="its mirror is not"):
            grow(folder, TWO, server)
        for generation in ("gen-000001", "gen-000002"):
            with pytest.raises(StoreError, match=r"in the middle of a change from gen-000001 to gen-000002"):
                KnowledgeBase.open(folder / "kb", generation=generation, server=reading)


def test_a_tampered_generation_file_is_no_reason_to_overwrite(folder: Path, oxigraph: Oxigraph) -> None:
    with oxigraph.store() as server:
        grow(folder, ONE, server)
        path = folder / "kb" / "generations" / "gen-000001.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"snapshot_files": {}}))
        with pytest.raises(StoreError, match="changed after it was written"):
            catch_up(folder, server)


def test_no_knowledge_base_is_told(folder: Path, oxigraph: Oxigraph) -> None:
    with oxigraph.store() as server, pytest.raises(StoreError, match="no knowledge base"):
        catch_up(folder, server)


def test_a_mark_that_is_changed_is_never_lost(front: Front, oxigraph: Oxigraph) -> None:
    """Wherever the change is cut off, all of the old mark is there or all of the new one."""
    old, new = Mark(frozenset({"a x"}), frozenset({"b x"})), Mark(frozenset({"b x"}))
    with front.store(batch_size=1) as server, oxigraph.store() as working:
        for number in range(8):
            write_mark(working, old)
            front.trick = down_from(number)
            with contextlib.suppress(StoreError):
                write_mark(server, new)
            found = read_mark(working)
            assert (found.at >= old.at and found.to >= old.to) or found.at >= new.at
            write_mark(working, Mark())
        assert found == new

"""An export is read back whole or not at all; what is wrong with it is named."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kgqa.errors import InputError
from kgqa.expand.apply import expand
from kgqa.expand.plan import Corpus
from kgqa.export import export
from kgqa.graph.exports import sealed, write_rdf
from kgqa.graph.oxigraph import Quad
from kgqa.graph.restore import Export, is_export
from kgqa.ids import document_iri
from kgqa.knowledge_base import KnowledgeBase
from tests.expand.toy import build, settings

FILES = {"a.md": "First\n\nA knows B\nZ = A\n", "k.tsv": "A\tknows\tB\n"}
SUPPORT = r"<urn:kgqa:support:\w+> <\S+#subject> <urn:kgqa:entity:A> <urn:kgqa:doc:a> \."


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("kb")
    build(folder / "kb", folder / "corpus", FILES, index=False)
    with KnowledgeBase.open(folder / "kb") as kb:
        export(kb, folder / "out.nq")
    return (folder / "out.nq").read_text(encoding="utf-8")


def put(pattern: str, replacement: str) -> Callable[[str], str]:
    def edited(text: str) -> str:
        changed, number = re.subn(pattern, replacement, text, count=1)
        assert number == 1
        return changed

    return edited


def without(pattern: str) -> Callable[[str], str]:
    """Without the line that matches, and with the right number of statements."""
    return lambda text: _counted("".join(line for line in text.splitlines(True) if not re.search(pattern, line)))


def also(line: str) -> Callable[[str], str]:
    return lambda text: _counted(text + line + "\n")


def _counted(text: str) -> str:
    number = len(set(text.splitlines()))
    return re.sub(r'(numStatements> )"\d+"', rf'\1"{number}"', text)


BAD: dict[str, tuple[Callable[[str], str], str]] = {
    "cut off at a line": (lambda text: "".join(text.splitlines(True)[:-5]), "was cut off"),
    "cut off in a line": (lambda text: text[: len(text) // 2], r"cannot read the export .*line \d+"),
    "without a line": (lambda text: re.sub(r"<.*sha256.*\n", "", text, count=1), r"has \d+ .* says \d+"),
    "with a line more": (lambda text: text + "<urn:a> <urn:p> <urn:b> <urn:kgqa:asserted> .\n", r"has \d+ .* says \d+"),
    "newer": (put(r'(:format> )"1"', r'\1"99"'), "newer format than 1"),
    "a policy that is none": (put(r'(:conflictPolicy> )"', r'\1"['), "has no policy for conflicts"),
    "another sentence": (put(r'(support:\S+ \S+#value> )"A knows B"', r'\1"A loves B"'), "its name was made from"),
    "another head": (put(r"#subject> <urn:kgqa:entity:A>", "#subject> <urn:x>"), "its name was made from"),
    "a literal as head": (put(r"#subject> <urn:kgqa:entity:A>", '#subject> "A"'), "cannot be the head"),
    "a document as head": (put(r"#subject> <urn:kgqa:entity:A>", "#subject> <urn:kgqa:doc:a>"), "cannot be the head"),
    "no head": (without(SUPPORT), "has 0 values of .*subject"),
    "a blank head": (put(r"#subject> <urn:kgqa:entity:A>", "#subject> _:x"), "has 1 values of .*subject"),
    "a triple as tail": (
        put(r"#object> <urn:kgqa:entity:B>", "#object> <<( <urn:a> <urn:b> <urn:c> )>>"),
        "has 1 values of .*object",
    ),
    "two heads": (
        lambda text: also(re.search(SUPPORT, text)[0].replace("entity:A", "entity:B"))(text),  # type: ignore[index]
        "has 2 values of .*subject",
    ),
    "a negative place": (put(r':headStart> "\d+"', ':headStart> "-1"'), "a place in a document is wanted"),
    "a place beyond all": (put(r':headStart> "\d+"', f':headStart> "{2**63}"'), "a place in a document is wanted"),
    "no confidence": (put(r':confidence> "0.5"', ':confidence> "NaN"'), "a number from 0 to 1 is wanted"),
    "too sure": (put(r':confidence> "0.5"', ':confidence> "1.5"'), "a number from 0 to 1 is wanted"),
    "no reader": (without("wasAssociatedWith.*doc:a>"), "was read by 0 readers"),
    "no hash": (without("sha256.*doc:a>"), "has 0 values of .*sha256"),
    "a hash that is none": (put(r':sha256> "\w+"', ":sha256> <urn:x>"), "where a text is wanted"),
    "another name": (put(r'literalForm> "Z"', 'literalForm> "Y"'), "its name was made from"),
    "a passage elsewhere": (put(r'(<urn:kgqa:doc:a#0-5> .*start> )"0"', r'\1"1"'), "its name was made from"),
    "a mention of a value": (put(r":mentions> <urn:kgqa:entity:A>", ':mentions> "A"'), "an entity is wanted"),
    "a mention of a document": (put(r":mentions> <urn:kgqa:entity:A>", ":mentions> <urn:kgqa:doc:a>"), "is wanted"),
    "a document's name": (lambda text: text.replace("urn:kgqa:doc:a>", "urn:kgqa:doc:%61>"), "is no document's name"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_whole_is_refused_and_nothing_is_left(whole: str, tmp_path: Path, case: str) -> None:
    edit, message = BAD[case]
    (tmp_path / "out.nq").write_text(edit(whole), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        expand(tmp_path / "kb", Corpus(tmp_path / "out.nq", "export"), settings())
    assert "out.nq" in str(caught.value)
    assert not (tmp_path / "kb" / "CURRENT").exists()
    assert not (tmp_path / "kb" / ".export.tmp").exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("missing.nq", None),
        ("folder.nq", None),
        ("facts.ttl", b"<urn:a> <urn:p> <urn:b> ."),
        ("cut.nq.gz", gzip.compress(b"<urn:a> <urn:p> <urn:b> <urn:c> .\n" * 1000)[:-9]),
        ("noise.nq.gz", b"not packed"),
        ("binary.nq", b"\x00\x01\xff"),
        ("remote.jsonld", b'{"@context": "https://example.org/remote", "@id": "urn:kgqa:export", "p": 1}'),
        ("deep.jsonld", b'{"urn:p":' * 20000),
        ("facts.nq", b"<urn:a> <urn:p> <urn:b> <urn:kgqa:asserted> .\n"),
        ("empty.nq", b""),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, name: str, data: bytes | None) -> None:
    (tmp_path / "folder.nq").mkdir()
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=name), Export.open(tmp_path / name, tmp_path / "scratch"):
        pass
    assert not is_export(tmp_path / name)


def test_a_document_may_be_called_anything(tmp_path: Path) -> None:
    """The id is a name in a database, never a path."""
    doc_id = "../../etc/pass wd%#é"
    graph = document_iri(doc_id)
    quads: list[Quad] = [
        (graph, "urn:kgqa:vocabulary:sha256", '"0"', graph),
        (f"{graph}#reading", "http://www.w3.org/ns/prov#wasAssociatedWith", "urn:kgqa:reader:x", graph),
        ("urn:kgqa:reader:x", "urn:kgqa:vocabulary:version", '"x"', graph),
    ]
    with (tmp_path / "out.nq").open("wb") as file:
        write_rdf(sealed({}, quads), file, ".nq")
    expand(tmp_path / "kb", Corpus(tmp_path / "out.nq"), settings())
    with KnowledgeBase.open(tmp_path / "kb") as kb:
        assert [row.doc_id for row in kb.ledger.documents()] == [doc_id]

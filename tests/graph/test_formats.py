"""Every format of known facts gives the same facts; what is malformed is named and the rest kept."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kgqa.errors import InputError
from kgqa.graph import formats
from kgqa.graph.formats import FACT_SUFFIXES, FactReader, read_facts
from kgqa.ids import entity_iri, relation_iri

RDF = {
    "f.nt": '<urn:a> <urn:p> <urn:b> .\n<urn:a> <urn:q> "01"^^<http://www.w3.org/2001/XMLSchema#integer> .\n',
    "f.nq": '<urn:a> <urn:p> <urn:b> <urn:g> .\n<urn:a> <urn:q> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .\n',
    "f.ttl": "<urn:a> <urn:p> <urn:b> ; <urn:q> 1 .",
    "f.rdf": '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:u="urn:"><rdf:Description '
    'rdf:about="urn:a"><u:p rdf:resource="urn:b"/><u:q rdf:datatype="http://www.w3.org/2001/XMLSchema#integer">1</u:q>'
    "</rdf:Description></rdf:RDF>",
    "f.jsonld": '{"@id": "urn:a", "urn:p": {"@id": "urn:b"}, "urn:q": 1}',
}
ONE = '"1"^^<http://www.w3.org/2001/XMLSchema#integer>'


def write(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def triples(reader: FactReader) -> set[tuple[str, str, str]]:
    return {fact[:3] for fact in reader}


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("name", RDF)
def test_rdf_formats_agree(tmp_path: Path, name: str, packed: str) -> None:
    path = write(tmp_path / (name + packed), RDF[name])
    assert triples(read_facts(path, "d")) == {("urn:a", "urn:p", "urn:b"), ("urn:a", "urn:q", ONE)}


@pytest.mark.parametrize(("name", "mark"), [("f.txt", "|"), ("f.tsv", "\t"), ("f.txt.gz", "|"), ("fb15k.txt", "\t")])
def test_tables_keep_names_as_they_are(tmp_path: Path, name: str, mark: str) -> None:
    path = write(tmp_path / name, mark.join(["[REC] 50% É", "directed_by", "jaume Balagueró"]) + "\r\n\n")
    (fact,) = read_facts(path, "d")
    assert fact == (entity_iri("[REC] 50% É"), relation_iri("directed_by"), entity_iri("jaume Balagueró"), 1)


MALFORMED = b"A|r|B\nonly two|fields\nA||B\n\xff|r|B\nC|r|\x00\nC|r|D\n"


def test_malformed_lines_are_named_and_the_rest_kept(tmp_path: Path) -> None:
    reader = read_facts(write(tmp_path / "f.txt", MALFORMED), "d")
    assert [line for *_, line in reader] == [1, 6]
    assert [skipped.line for skipped in reader.skipped] == [2, 3, 4, 5]


def test_strict_refuses_the_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"f\.txt line 2: 2 fields.*strict=false"):
        list(read_facts(write(tmp_path / "f.txt", MALFORMED), "d", strict=True))


def test_malformed_triples_are_named_and_the_rest_kept(tmp_path: Path) -> None:
    text = "<urn:a> <urn:p> <urn:b> .\n# a comment\nnonsense\n<urn:a> <urn:p> <<( <urn:a> <urn:b> <urn:c> )>> .\n"
    reader = read_facts(write(tmp_path / "f.nt", text + "<urn:a> <urn:p> <urn:c> .\n"), "d")
    assert [line for *_, line in reader] == [1, 5]
    assert [skipped.line for skipped in reader.skipped] == [3, 4]


def test_the_warning_counts_all_malformed_lines_and_names_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "f.nt", "<urn:a> <urn:p> <urn:b> .\n" + "nonsense\n" * 7)
    assert len(triples(read_facts(path, "d"))) == 1
    assert "passed over 7: line 2: The subject" in caplog.text
    assert "line 6: " in caplog.text
    assert "(line 1)" not in caplog.text
    assert caplog.text.rstrip().endswith("; and 2 more")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.ttl", "<urn:a> <urn:p> <urn:b> . <urn:a> oops"),
        ("f.jsonld", '{"@context": "https://example.org/remote", "@id": "urn:a", "p": 1}'),
        ("f.txt.gz", b""),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path, name: str, text: str | bytes) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if name == "f.txt.gz":
        path.write_bytes(gzip.compress(b"A|r|B\n" * 1000)[:-9])
    with pytest.raises(InputError, match=name):
        list(read_facts(path, "d"))


def test_xml_entities_do_not_explode_and_files_are_not_read(tmp_path: Path) -> None:
    bombs = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    body = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:u="urn:"><rdf:Description '
        'rdf:about="urn:a"><u:p>{}</u:p></rdf:Description></rdf:RDF>'
    )
    secret = write(tmp_path / "secret", "secret")
    for declared, used in ((f'<!ENTITY e0 "ha">{bombs}', "&e12;"), (f'<!ENTITY x SYSTEM "file://{secret}">', "&x;")):
        path = write(tmp_path / "f.rdf", f"<!DOCTYPE r [{declared}]>" + body.format(used))
        try:
            found = triples(read_facts(path, "d"))
        except InputError:
            continue
        assert all(len(tail) < 1000 and "secret" not in tail for _, _, tail in found)


GRAPHML = """<?xml version="1.0"?>{doctype}
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="r" for="edge" attr.name="relation" attr.type="string"/>
<key id="t" for="all" attr.name="text" attr.type="string"/>
<key id="a" for="node" attr.name="aliases" attr.type="string"/>
<graph edgedefault="{kind}">
<node id="urn:a"><data key="t">{text}</data><data key="a">["Annie", "\\u0041nn"]</data></node>
<node id="Vienna, Austria"/><node id="&quot;7&quot;"/>
<edge source="urn:a" target="Vienna, Austria"><data key="r">born in</data><data key="t">was born in</data></edge>
<edge source="urn:a" target="&quot;7&quot;"><data key="r">urn:q</data></edge>
<edge source="Vienna, Austria" target="urn:a"/>
</graph></graphml>
"""


def test_graphml_has_terms_or_names_and_edges_with_a_relation(tmp_path: Path) -> None:
    path = write(tmp_path / "f.graphml.gz", GRAPHML.format(doctype="", kind="directed", text="Anna"))
    reader = read_facts(path, "d")
    assert triples(reader) == {
        ("urn:a", relation_iri("born in"), entity_iri("Vienna, Austria")), ("urn:a", "urn:q", '"7"')
    }  # fmt: skip
    assert {(name.name, name.term, name.preferred) for name in reader.names} == {
        ("Anna", "urn:a", True), ("Annie", "urn:a", False), ("Ann", "urn:a", False),
        ("was born in", relation_iri("born in"), True), ("q", "urn:q", True),
    }  # fmt: skip
    assert "has no relation" in reader.skipped[0].reason


@pytest.mark.parametrize(
    ("doctype", "kind", "text"),
    [
        ('<!DOCTYPE g [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>', "directed", "&b;"),
        ('<!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "directed", "&x;"),
        ("", "undirected", "Anna"),
        ("", "directed", "&unknown;"),
        ("", "directed", "<data>"),
    ],
)
def test_graphml_that_is_none_or_dangerous_is_refused(tmp_path: Path, doctype: str, kind: str, text: str) -> None:
    path = write(tmp_path / "f.graphml", GRAPHML.format(doctype=doctype, kind=kind, text=text))
    with pytest.raises(InputError, match=r"f\.graphml"):
        list(read_facts(path, "d"))


def test_labels_are_names_and_blank_nodes_have_stable_iris(tmp_path: Path) -> None:
    text = (
        '<urn:a> <http://www.w3.org/2000/01/rdf-schema#label> "Anna"@en-GB, "Hanna"@de ;\n'
        '  <http://www.w3.org/2004/02/skos/core#altLabel> "Annie" ; <urn:p> [ <urn:q> <urn:b> ] .'
    )
    path = write(tmp_path / "f.ttl", text)
    first, second = read_facts(path, "d"), read_facts(path, "d")
    found = triples(first)
    assert found == triples(second)
    assert {head for head, relation, _ in found if relation == "urn:q"} == {entity_iri("_:d:b0")}
    assert {(name.name, name.preferred) for name in first.names} == {("Anna", True), ("Hanna", False), ("Annie", False)}


def test_provenance_is_passed_over_without_a_word(tmp_path: Path) -> None:
    """An exported Turtle file has a node for each support: they are no mistakes in it."""
    text = "<urn:kgqa:support:1> a <http://www.w3.org/1999/02/22-rdf-syntax-ns#Statement> . <urn:a> <urn:p> <urn:b> ."
    reader = read_facts(write(tmp_path / "f.ttl", text), "d", strict=True)
    assert triples(reader) == {("urn:a", "urn:p", "urn:b")}
    assert not reader.skipped


def test_what_is_ours_alone_is_passed_over(tmp_path: Path) -> None:
    reader = read_facts(write(tmp_path / "f.nt", "<urn:kgqa:doc:x> <urn:p> <urn:b> .\n"), "d")
    assert not list(reader)
    assert "reserved" in reader.skipped[0].reason


def test_unknown_formats_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no format of facts"):
        read_facts(write(tmp_path / "f.csv", "a,b,c"), "d")
    for suffix in FACT_SUFFIXES:
        with pytest.raises(InputError, match="not a file"):
            read_facts(tmp_path / f"missing{suffix}", "d")


LINES = st.sampled_from([
    b"<urn:a> <urn:p> <urn:b> .", b'<urn:a> <urn:p> "01"^^<http://www.w3.org/2001/XMLSchema#integer> .', b"# a comment",
    b'<urn:a> <http://www.w3.org/2000/01/rdf-schema#label> "A"@en .', b"", b"  ", b"nonsense", b"_:x <urn:p> _:y .",
    b'<urn:a> <urn:p> "\xff" .', b'<urn:a> <urn:p> "\0" .', b"<urn:kgqa:doc:x> <urn:p> <urn:b> .",
    b"<urn:a> <urn:p> <urn:b> . <urn:a> <urn:p> <urn:c> .", b"<urn:a> <urn:p> <urn:b> .\r<urn:a> <urn:p> <urn:c> .",
])  # fmt: skip


@given(st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"])), max_size=12), st.booleans())
def test_lines_parsed_together_are_the_lines_parsed_one_by_one(lines, marked):
    agree((b"\xef\xbb\xbf" if marked else b"") + b"".join(line + end for line, end in lines), ".nt")


PIECES = [
    "a",
    "Z9",
    "-._~",
    "/",
    "//",
    ":",
    "#",
    "?",
    "%41",
    "%4",
    "é",
    " ",
    "<",
    "@",
    "[",
    "\\u0041",
    "+",
    "host",
    "8",
]
IRIS = st.builds(
    lambda scheme, pieces: f"<{scheme}{''.join(pieces)}>",
    st.sampled_from(["http://e.org/", "http://", "urn:", "x:", "", "1a:", "urn:kgqa:doc:", "urn:kgqa:support:"]),
    st.lists(st.sampled_from(PIECES), max_size=3),
)


@given(
    IRIS, st.integers(0, 2), st.sampled_from([".", "  .", "<urn:g> .", "<urn:g>.", ""]), st.sampled_from([".nt", ".nq"])
)
@example("<http://:a/>", 0, ".", ".nt")
@example("<x:a#b#c>", 1, ".", ".nt")
@example("<x:%4>", 2, ".", ".nq")
@settings(max_examples=200)
def test_an_iri_that_the_parser_never_sees_is_what_it_would_say(iri, place, end, suffix):
    terms = ["<urn:a>", "<urn:p>", "<http://e.org/b>"]
    agree(" ".join([*terms[:place], iri, *terms[place + 1 :], end]).encode() + b"\n", suffix)


def agree(data: bytes, suffix: str) -> None:
    """What is read by the pattern for plain statements, by blocks, and line by line."""

    def found(path: Path) -> tuple[object, ...]:
        reader = read_facts(path, "d")
        return list(reader), reader.names, [(skipped.line, skipped.reason) for skipped in reader.skipped]

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = write(Path(folder) / f"f{suffix}", data)
        readings = [found(path)]
        for way in ("plain_statements", "one_a_line"):
            patch.setattr(formats, way, lambda *_: None)
            readings.append(found(path))
        assert readings[0] == readings[1] == readings[2]

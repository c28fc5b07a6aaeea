"""Write facts.jsonl, the gold facts of the sample with their places in the documents, from authoring/{a,b}.tsv.

    python data/sample/authoring/build_facts.py

Every row is checked: head, relation and tail are in world.tsv for that document, the sentence stands in the document,
and the surfaces stand in the sentence (`he#2`: the second time). A mistake is refused with its file and line. A
document's `split` comes from the hash of its id: patterns of the extractor may be improved on `dev` documents only.
"""

import csv
import hashlib
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
SAMPLE = HERE.parent
YEAR = '"{}"^^<http://www.w3.org/2001/XMLSchema#gYear>'
HELDOUT_SHARE = 0.4


def split_of(doc_id: str) -> str:
    """`dev` or `heldout`, the same on every machine."""
    share = int(hashlib.sha256(doc_id.encode()).hexdigest()[:8], 16) / 2**32
    return "heldout" if share < HELDOUT_SHARE else "dev"


def find(surface: str, sentence: str) -> tuple[int, int]:
    """Where the surface (`text` or `text#n`) stands in the sentence, at word borders."""
    text, _, number = surface.partition("#")
    hits = [m.span() for m in re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", sentence)]
    n = int(number or 1)
    if len(hits) < n:
        raise ValueError(f"{surface!r} does not stand in {sentence!r}")
    return hits[n - 1]


def term(name: str) -> str:
    """The term that the given-facts reader makes of a name."""
    sys.path.insert(0, str(SAMPLE.parent.parent))
    from kgqa.ids import entity_iri

    return YEAR.format(name) if re.fullmatch(r"\d{4}", name) else entity_iri(name)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def main() -> None:
    """Check and write."""
    texts = {r["relation"]: r["text"] for r in rows(SAMPLE / "relations.tsv")}
    world = {(r["head"], r["relation"], r["tail"]): r["doc_ids"].split("|") for r in rows(SAMPLE / "world.tsv")}
    facts = []
    for path in (HERE / "a.tsv", HERE / "b.tsv"):
        for line, row in enumerate(rows(path), start=2):
            doc_id, head, relation, tail = row["doc_id"], row["head"], row["relation"], row["tail"]
            document = (SAMPLE / "documents" / f"{doc_id}.txt").read_text(encoding="utf-8")
            try:
                if doc_id not in world[head, relation, tail]:
                    raise ValueError(f"world.tsv does not let {doc_id} state it")
                start = document.index(row["sentence"])
                spans = [find(row[side], row["sentence"]) for side in ("head_surface", "tail_surface")]
            except (KeyError, ValueError) as error:
                sys.exit(f"{path.name}:{line}: {head} | {relation} | {tail}: {error}")
            facts.append(
                {
                    "head": term(head),
                    "relation": f"urn:kgqa:relation:{relation}",
                    "tail": term(tail),
                    "head_text": head,
                    "relation_text": texts[relation],
                    "tail_text": tail,
                    "doc_id": doc_id,
                    "sentence": row["sentence"],
                    "start": start,
                    "end": start + len(row["sentence"]),
                    "head_span": [start + offset for offset in spans[0]],
                    "tail_span": [start + offset for offset in spans[1]],
                    "extractor": "gold",
                    "confidence": 1.0,
                    "split": split_of(doc_id),
                }
            )
    lines = [json.dumps(fact, ensure_ascii=False) for fact in facts]
    (SAMPLE / "facts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(facts)} facts, {len({f['doc_id'] for f in facts})} documents")


if __name__ == "__main__":
    main()

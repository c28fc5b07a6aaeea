"""A conversation line by line: questions, facts that the user states, and commands that begin with a slash."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kgqa.answer.answerer import Answerer
from kgqa.answer.explain import explain
from kgqa.answer.lines import BadLine, decode
from kgqa.answer.names import key_of
from kgqa.answer.questions import MAX_QUESTION
from kgqa.answer.session import Dialogue, Session
from kgqa.answer.stated import Stated, StatedFacts, View, given_fact
from kgqa.artifacts import write_atomic
from kgqa.errors import InputError
from kgqa.knowledge_base import KnowledgeBase
from kgqa.types import Answer

HELP = """Ask a question, or state a fact: a sentence, or HEAD | RELATION | TAIL.
  /evidence       the sentences that the last answer stands on
  /query          its SPARQL
  /facts [WORDS]  what you stated; with words, what is most like them
  /export FILE    what you stated, as N-Quads in a graph of your own
  /forget         erase all that you stated
  /new            begin anew; what you stated stays
  /quit           (or the end of input)"""

Reads = Callable[[str], Iterable[Stated]]
"""What a sentence states."""

_ASKS = re.compile(
    r"\?\s*$|^\W*(?:(?:and|so|but|then|or)\b\W*)?(?:who|whom|whose|what|which|where|when|why|how|is|are|was|were|do|does|did|has"
    r"|have|had|can|could|name|list|give|tell|show|find|count|in\s+(?:which|what)|no|back|coming|now|any|one)\b",
    re.I,
)
_SHOWN = 12


@dataclass
class Chat:
    """One user's conversation over a knowledge base; a context that changes line by line."""

    kb: KnowledgeBase
    shared: Answerer
    stated: StatedFacts
    reads: Reads
    file: Path | None = None
    """Where the conversation is kept after each turn."""
    evidence: bool = False

    def __post_init__(self) -> None:
        self._see()
        self.session = self._dialogue.start()
        self.last: Answer | None = None
        if self.file and self.file.exists():
            try:
                self.session = Session.from_json(json.loads(self.file.read_text(encoding="utf-8")))
            except (OSError, ValueError) as error:
                raise InputError(f"cannot go on with {self.file}: {error}; give another chat.file") from error

    def said(self, raw: bytes, *, first: bool = False) -> Iterator[str]:
        """The lines to show for one line of input; what cannot be read is said so, and nothing is lost by it."""
        try:
            text = decode(raw, first=first).strip()
            if len(text) > MAX_QUESTION:
                raise BadLine("too long", f"{len(text):,} characters; a question has at most {MAX_QUESTION:,}")
        except BadLine as problem:
            yield f"I cannot read that: {problem}"
            return
        if not text:
            return
        if text.startswith("/"):
            yield from self._command(*text.split(maxsplit=1))
        elif facts := self._facts(text):
            yield from self._remembered(facts)
        else:
            yield from self._answered(text)

    def _answered(self, text: str) -> Iterator[str]:
        answer, self.session = self._dialogue.ask(self.session, text)
        self.last = answer
        if self.file:
            write_atomic(self.file, json.dumps(self.session.to_json(), ensure_ascii=False).encode())
        if answer.understood:
            yield f"({answer.understood})"
        if answer.abstained:
            yield f"I do not know: {answer.reason}."
            return
        more = f" and {len(answer.answers) - _SHOWN} more" if len(answer.answers) > _SHOWN else ""
        yield ", ".join(found.text for found in answer.answers[:_SHOWN]) + more + f"  [{answer.answers[0].score:.0%}]"
        if self.evidence:
            yield from self._evidence()

    def _evidence(self) -> Iterator[str]:
        """Each path as a sentence, and below it those that its facts were read in."""
        if self.last is None or not self.last.paths:
            yield "There is no evidence to show."
            return
        for path in self.last.paths:
            yield f"  {explain(path, self._dialogue.answerer.text_of)}"
            for step in path:
                if step.provenance:
                    yield f"    {step.provenance.doc_id}: {step.provenance.sentence}"

    def _command(self, command: str, argument: str = "") -> Iterator[str]:
        match command:
            case "/evidence":
                yield from self._evidence()
            case "/query":
                yield self.last.sparql if self.last and self.last.sparql else "There is no query to show."
            case "/facts":
                yield from self._told(argument)
            case "/export" if argument:
                write_atomic(Path(argument), self.stated.export().encode())
                yield f"{len(self.stated)} facts are in {argument}."
            case "/forget":
                yield f"{self.stated.erase()} facts are erased."
                self._see()
            case "/new":
                self.session, self.last = self._dialogue.start(), None
                if self.file:
                    self.file.unlink(missing_ok=True)
                yield "We begin anew."
            case "/help":
                yield HELP
            case _:
                yield f"No command {command}{' without a file' if command == '/export' else ''}; /help lists them."

    def _told(self, words: str) -> Iterator[str]:
        found = self.stated.facts
        if words and found:
            found = self.stated.nearest(self.shared.embed([words])[0].numpy())
        yield from (f"  {fact.head_text} | {fact.relation_text} | {fact.tail_text}" for fact in found)
        if not found:
            yield "You stated nothing."

    def _facts(self, text: str) -> list[Stated]:
        """What a line states; nothing where it asks."""
        if fact := given_fact(text):
            return [fact]
        return [] if _ASKS.search(text) else list(self.reads(text))

    def _remembered(self, facts: list[Stated]) -> Iterator[str]:
        known = [self._in_graph(fact) for fact in facts]
        texts = [f"{fact.head_text} {fact.relation_text} {fact.tail_text}" for fact in known]
        number = self.stated.add(known, self.shared.embed(texts).numpy())
        self._see()
        kept = "" if self.stated.user else " until the end of this conversation (chat.user=NAME keeps it)"
        yield "I knew that already." if not number else f"I shall remember that{kept}: {'; '.join(texts)}."

    def _in_graph(self, fact: Stated) -> Stated:
        """The fact about the nodes and the relation that the graph calls so, where there is exactly one."""
        table = self.shared.kb.triples()
        relations = [
            term
            for term, text in zip(table.relation_terms, table.relation_texts, strict=True)
            if key_of(text) == key_of(fact.relation_text)
        ]
        head, tail = (self.shared.named(text) for text in (fact.head_text, fact.tail_text))
        return Stated(
            head[0] if len(head) == 1 else fact.head,
            relations[0] if len(relations) == 1 else fact.relation,
            tail[0] if len(tail) == 1 and not fact.tail.startswith('"') else fact.tail,
            fact.head_text, fact.relation_text, fact.tail_text, fact.said,
        )  # fmt: skip

    def _see(self) -> None:
        """Look at the graph with what was stated."""
        answerer = self.shared.over(View(self.kb, self.stated)) if len(self.stated) else self.shared
        self._dialogue = Dialogue(answerer)

"""A conversation in the terminal: questions that may leave out what was said before, facts that you state, and /help.

Answers go to standard output, prompts to the terminal alone, so that a file of lines can be piped in. chat.user=NAME
keeps what you state for you alone; chat.file=NAME.json keeps the conversation, and goes on with it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from kgqa.answer.chat import Chat
from kgqa.answer.lines import MAX_LINE
from kgqa.answer.linking import tell_of_vectors
from kgqa.answer.stated import Stated, StatedFacts
from kgqa.cli import say
from kgqa.knowledge_base import KnowledgeBase
from kgqa.types import Document

from .asking import answerer_of
from .parts import server_of
from .stage import stage


@stage(
    "chat",
    needs={"kb": "the folder of the knowledge base"},
    example="kgqa chat kb=kb/mine checkpoint=runs/default/train-X/checkpoints/best chat.user=ann",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Until the end of input or /quit."""
    console = Console()
    with KnowledgeBase.open(cfg.kb, generation=cfg.generation, server=server_of(cfg)) as kb:
        tell_of_vectors(kb)
        stated = StatedFacts.open(Path(cfg.kb), cfg.chat.user)
        file = Path(cfg.chat.file) if cfg.chat.file else None
        chat = Chat(kb, answerer_of(cfg, kb), stated, _extract, file, cfg.chat.evidence)
        for number, raw in enumerate(_lines(console), start=1):
            if raw.strip() == b"/quit":
                break
            for line in chat.said(raw, first=number == 1):
                say(line, stderr=False)
        return {"generation": kb.generation, "num_turns": len(chat.session.turns), "num_stated": len(stated)}


def _lines(console: Console) -> Iterator[bytes]:
    """Lines of standard input without their ends; of one that is too long the beginning, the rest is passed over."""
    while True:
        if sys.stdin.isatty():
            console.print("[bold]>[/bold] ", end="")
        raw = last = sys.stdin.buffer.readline(MAX_LINE + 2)
        while len(last) > MAX_LINE and not last.endswith(b"\n"):
            last = sys.stdin.buffer.readline(MAX_LINE + 2)
        if not raw:
            return
        yield raw


def _extract(text: str) -> Iterator[Stated]:
    """What a sentence states, read as a document would be; spaCy is loaded when the first one comes."""
    from kgqa.text.extract import Extractor

    for extraction in Extractor().extract([Document("stated", text)]):
        for fact in extraction.facts:
            yield Stated(*fact.triple, fact.head_text, fact.relation_text, fact.tail_text, text)


if __name__ == "__main__":
    sys.exit(main())

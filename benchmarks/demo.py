"""`make demo`: documents in, a graph, a trained reasoner, answers with their evidence; then one document more.

python -m benchmarks.demo
"""

import shutil
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from benchmarks.sample import SAMPLE, chain, grow, read_answers, run
from pipelines import answer

WORK = Path("runs") / "demo"
KB = WORK / "kb"
TRAINING = ["trainer.max_epochs=2"]  # about two minutes on two slow cores; benchmarks.sample trains longer


def main() -> None:
    """The whole chain on data/sample."""
    start = time.perf_counter()
    console = Console()
    documents = WORK / "documents"
    shutil.rmtree(documents, ignore_errors=True)
    shutil.copytree(SAMPLE / "documents", documents)
    trained, answered = chain("demo", KB, ["corpus=text", f"corpus.path={documents}"], TRAINING)
    for record in _one_of_each_kind(answered):
        console.print(_panel(record))

    new = SAMPLE / "new"
    console.print("\nOne document more, and questions about it; nothing is trained again:")
    shutil.copytree(new / "documents", documents, dirs_exist_ok=True)
    grow("demo", KB, documents)
    asked = [f"checkpoint={trained / 'checkpoints' / 'best'}", f"questions={new / 'questions.jsonl'}"]
    for record in read_answers(run(answer.main, "answer", [f"kb={KB}", "name=demo", *asked])):
        console.print(_panel(record))
    console.print(f"\n{time.perf_counter() - start:.0f} s in all. Each run left its configuration, log and metrics:")
    console.print(f"{trained.parent}/; the answers to the test questions: {answered}/answers.jsonl", soft_wrap=True)


def _one_of_each_kind(folder: Path) -> list[dict[str, Any]]:
    """The first answered question of each number of hops: the paths say how many they took."""
    found: dict[int, dict[str, Any]] = {}
    for record in read_answers(folder):
        if record["paths"]:
            found.setdefault(max(map(len, record["paths"])), record)
    return [found[hops] for hops in sorted(found)][:3]


def _panel(record: dict[str, Any]) -> Panel:
    """A question with its answers and, step by step, the sentences that prove the first of them."""
    lines = [", ".join(found["text"] for found in record["answers"]) or f"no answer: {record['reason']}"]
    for step in record["paths"][0] if record["paths"] else []:
        lines.append(f"  {step['head_text']} - {step['relation_text']} - {step['tail_text']}")
        source = f"{step['doc_id']}, given" if step["extractor"] == "given" else step["doc_id"]
        lines.append(f'    "{step["sentence"]}" ({source})')
    return Panel(Text("\n".join(lines)), title=escape(record["question"]), title_align="left")


if __name__ == "__main__":
    main()

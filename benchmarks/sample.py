"""data/sample from documents to scores: over the graph that is read from the text, and over the gold facts.

    python -m benchmarks.sample [key=value of train ...]

One reasoner is trained and measured on each graph; the test questions' wording occurs in no training question.
"""

import csv
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from kgqa.graph.queries import ALT_LABEL
from kgqa.graph.terms import is_literal
from pipelines import answer, expand, extract, index, train

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "sample"
QUESTIONS = SAMPLE / "questions"
WORK = Path("runs") / "sample"


def main(arguments: Sequence[str]) -> None:
    """Both graphs, one after the other; each leaves its runs under runs/sample-*/."""
    WORK.mkdir(parents=True, exist_ok=True)
    gold = gold_facts(WORK / "gold.nt")
    for name, corpus in (
        ("text", ["corpus=text", f"corpus.path={SAMPLE / 'documents'}"]),
        ("gold", ["corpus=facts", f"corpus.path={gold}"]),
    ):
        start = time.perf_counter()
        chain(f"sample-{name}", WORK / name, corpus, arguments)
        Console().print(f"{name}: the chain took {time.perf_counter() - start:.0f} s")


def chain(name: str, kb: Path, corpus: Sequence[str], training: Sequence[str] = ()) -> tuple[Path, Path]:
    """Build, index, train, and answer the test questions; the folders of the train and the answer run."""
    shutil.rmtree(kb, ignore_errors=True)
    common = [f"kb={kb}", f"name={name}"]
    run(extract.main, "extract", [*common, *corpus])
    run(index.main, "index", common)
    trained = run(train.main, "train", [*common, "qa=sample", *training])
    asked = [f"checkpoint={trained / 'checkpoints' / 'best'}", f"questions={QUESTIONS / 'test.jsonl'}"]
    return trained, run(answer.main, "answer", [*common, *asked])


def grow(name: str, kb: Path, documents: Path) -> Path:
    """Expand a knowledge base to what a folder holds now; the folder of the run."""
    return run(expand.main, "expand", [f"kb={kb}", f"name={name}", f"corpus.path={documents}"])


def run(main: Callable[[Sequence[str]], int], stage: str, arguments: Sequence[str]) -> Path:
    """Run one stage and return the folder it left; a stage that fails ends the script."""
    name = next(argument.removeprefix("name=") for argument in arguments if argument.startswith("name="))
    Console(stderr=True).print(f"\n[bold]kgqa {stage}[/bold] {' '.join(arguments)}", highlight=False, soft_wrap=True)
    if code := main(arguments):
        sys.exit(code)
    return max((Path("runs") / name).glob(f"{stage}-*"))


def read_answers(folder: Path) -> list[dict[str, Any]]:
    """The answers that a run wrote."""
    with (folder / "answers.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def gold_facts(path: Path) -> Path:
    """The sample's gold facts, each once, and the names of its entities, as N-Triples."""
    with (SAMPLE / "facts.jsonl").open(encoding="utf-8") as file:
        facts = [json.loads(line) for line in file]
    triples = {(fact["head"], fact["relation"], fact["tail"]) for fact in facts}
    entity = {fact[f"{end}_text"]: fact[end] for fact in facts for end in ("head", "tail")}
    with (SAMPLE / "entities.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            names = row["aliases"].split("|") if row["aliases"] else []
            triples |= {(entity[row["entity"]], ALT_LABEL, json.dumps(name, ensure_ascii=False)) for name in names}
    terms = (" ".join(term if is_literal(term) else f"<{term}>" for term in triple) for triple in sorted(triples))
    path.write_text("".join(f"{line} .\n" for line in terms), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(sys.argv[1:])

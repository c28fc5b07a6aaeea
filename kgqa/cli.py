"""The command `kgqa`: the pipelines under one name, from any folder, and what they say to a terminal."""

import importlib
import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata, util

OK, FAILED, REFUSED, SKIPPED, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES = {
    OK: "done",
    FAILED: "an error that nobody foresaw; its traceback is in the log",
    REFUSED: "refused, with a message that says what to mend; nothing is half done, start it again",
    SKIPPED: "done, but some lines or files of the input could not be used (num_skipped); strict=true refuses them",
    INTERRUPTED: "interrupted (Ctrl-C); what was committed stays",
}

STAGES = {
    "extract": "documents or known facts into a knowledge base",
    "index": "vectors of its entities, relations, facts and passages, for search",
    "train_embedder": "an encoder of one's own for search, from the knowledge base's names, facts and questions",
    "train": "a reasoner, from questions and their answers alone",
    "answer": "a file of questions, with evidence",
    "retrieve": "the passages and facts nearest to questions, fused from words, vectors and graph; no reasoner needed",
    "chat": "a conversation in the terminal, or with lines from a pipe",
    "report": "an answer run as a page: scores, calibration, every question with its evidence; two runs compared",
    "leaderboard": "the finished runs of a stage, best first: what they reached, and by which settings they differ",
    "review": "what is read from documents as a page: mentions, facts, what was rejected and why, merged names",
    "export": "a knowledge base, or a generation of it, as N-Quads, JSON-LD, Turtle or GraphML",
    "complete": "facts that its regularities suggest, with the rules and facts that they follow from, for review",
    "expand": "what is new, changed or gone, in one commit (extract and index of the difference)",
    "log": "the generations of a knowledge base: when, what, how many, by which code",
    "verify": "whether it is whole, byte by byte, and what to do where it is not",
    "rollback": "back to an older generation, by a new one that says the same",
    "compact": "everything rewritten without what is dead; the one step that costs what it holds",
    "mirror": "a SPARQL server in step with a knowledge base",
}

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

HELP = """kgqa: knowledge-graph question answering with proof

usage: kgqa STAGE key=value ...

{stages}

Your own documents:
  kgqa extract corpus=text corpus.path=docs/ kb=kb/mine
  kgqa index   kb=kb/mine
  kgqa train   kb=kb/mine qa=files qa.train=train.jsonl
  kgqa answer  kb=kb/mine checkpoint=RUN/checkpoints/best questions=questions.txt out=answers.jsonl
  kgqa report  run=runs/default/answer-TIME
  kgqa retrieve kb=kb/mine questions=questions.txt out=retrieved.jsonl
  kgqa expand  corpus.path=docs/ kb=kb/mine
  kgqa export  kb=kb/mine out=mine.nq.gz

kgqa STAGE --help lists the keys of a stage; kgqa --version prints the version.
Every run leaves its configuration, log, metrics and manifest under runs/<name>/<stage>-<time>/.
Several runs in one go: kgqa train -m kb=kb/mine seed=1,2,3
What they reached, best first: kgqa leaderboard
Stages, keys and choices completed by the Tab key: eval "$(kgqa -sc install=bash)" (or fish)

Exit codes:
{codes}"""


def say(message: str, *, stderr: bool = True) -> None:
    """Words for people go to standard error, results to standard output; above a progress bar where one is drawn.

    The streams are looked up at each call, since a progress bar puts its own in their place while it lives.
    """
    print(printable(message), file=sys.stderr if stderr else sys.stdout, flush=True)


def printable(text: str) -> str:
    """Text as a terminal may show it: what would steer the terminal, or turn the writing round, is spelt out."""
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)


class PrintableFormatter(logging.Formatter):
    """Log lines that a file of questions cannot steer a terminal with."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class JsonFormatter(logging.Formatter):
    """Each log line a JSON object: time (UTC), level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        row = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(row | ({"traceback": self.formatException(record.exc_info)} if record.exc_info else {}))


class ConsoleHandler(logging.Handler):
    """Log lines for people: the message alone, with the level from warnings on."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
            say(level + self.format(record))
        except Exception:
            self.handleError(record)


def help_page(name: str, about: str, needs: Mapping[str, str], example: str, *, config_name: str = "config") -> str:
    """What `kgqa NAME --help` prints: purpose, an example, the keys it needs, the choices, every key's default."""
    from kgqa.config import describe

    groups, defaults = describe(config_name)
    lines = [about.strip(), "", "for example:", *(f"  {line}" for line in example.splitlines())]
    lines += ["", "needs:", *(f"  {key}  {meaning}" for key, meaning in needs.items())]
    lines += ["", "choices (group=NAME):", *(f"  {group}: {' | '.join(names)}" for group, names in groups.items())]
    lines += ["", "keys and their defaults, with the default choices:"]
    lines += [f"  {key}={'null' if value is None else value}" for key, value in defaults.items()]
    lines += ["", "exit codes:", _exit_codes()]
    return "\n".join(
        [*lines, "", "The comments in conf/ say what each key is for; --cfg job prints the whole configuration."]
    )


def _exit_codes() -> str:
    return "\n".join(f"  {code:<3}  {meaning}" for code, meaning in EXIT_CODES.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage that the first argument names with the rest; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        width = max(map(len, STAGES))
        stages = "\n".join(f"  {name:{width}}  {purpose}" for name, purpose in STAGES.items())
        say(HELP.format(stages=stages, codes=_exit_codes()), stderr=False)
        return OK if given else REFUSED
    if given[0] in ("-V", "--version"):
        say(f"kgqa {metadata.version('kgqa')}", stderr=False)
        return OK
    if given[0] in ("-sc", "--shell-completion"):
        _complete(given, os.environ.get("COMP_LINE", ""))
        return OK
    if given[0] not in STAGES:
        say(f"error: kgqa has no stage {given[0]!r}; it has {', '.join(STAGES)}. `kgqa --help` shows examples")
        return REFUSED
    try:
        stage_main = importlib.import_module(f"{_pipelines()}.{given[0]}").main
    except KeyboardInterrupt:  # loading the libraries takes seconds; the stage itself looks after its own
        return INTERRUPTED
    code: int = stage_main(given[1:])
    return code


def _complete(arguments: Sequence[str], line: str) -> None:
    """The stages that begin like the word at hand; after one, its keys and choices by Hydra."""
    from kgqa.config import complete

    command, *words = line.split(" ")
    if len(words) == 1:
        say(" ".join(name for name in STAGES if name.startswith(words[0])), stderr=False)
    else:
        complete(arguments, " ".join([command, *words[1:]]))


def _pipelines() -> str:
    """The package of the pipelines: inside ours where it is installed, beside it in a clone that is not."""
    return "kgqa.pipelines" if util.find_spec("kgqa.pipelines") else "pipelines"


if __name__ == "__main__":
    sys.exit(main())

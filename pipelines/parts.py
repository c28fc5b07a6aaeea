"""From the configuration to the parts that the stages are given."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, OmegaConf

from kgqa.answer.linking import EntityLinker, open_linker
from kgqa.answer.questions import read_questions
from kgqa.answer.retrieval import Retriever
from kgqa.conflicts import Policy
from kgqa.engine.local import Engine, LocalEngine
from kgqa.engine.ray import RayEngine
from kgqa.errors import ConfigError
from kgqa.expand.apply import Outcome, Settings
from kgqa.expand.batches import TextExtractor
from kgqa.expand.mirror import Mirror
from kgqa.expand.plan import Corpus
from kgqa.expand.report import report_conflicts
from kgqa.expand.spread import SpreadExtractor, reading
from kgqa.generations import current_generation, read_generation
from kgqa.graph.ontology import functional_relations
from kgqa.ids import digest, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import Embedder, load_embedder
from kgqa.memory.index import IndexOptions
from kgqa.types import Question

if TYPE_CHECKING:  # an HTTP library, which only a server needs
    from kgqa.graph.endpoint import Endpoint
    from kgqa.graph.sparql import SparqlStore
if TYPE_CHECKING:  # torch is loaded by what answers, trains or embeds by a network
    from kgqa.reason.priming import Primer
if TYPE_CHECKING:  # spaCy is loaded by what reads documents
    from kgqa.expand.mapping import Ontology
    from kgqa.text.extract import Extractor

_ENGINES = {"local": LocalEngine, "ray": RayEngine}

MADE_WITH = ("extract", "embedder", "memory", "conflict")
"""The parts of the configuration that a generation depends on."""


def corpus_of(cfg: DictConfig) -> Corpus:
    """The corpus that the command line names; a server's graph is fetched."""
    path = Path(cfg.corpus.path)
    if cfg.corpus.kind != "sparql":
        return Corpus(path, cfg.corpus.kind, english=cfg.extract.english_only)
    from kgqa.graph.fetch import fetch
    from kgqa.graph.sparql import SparqlStore

    with SparqlStore(_endpoint(cfg.corpus, "KGQA_CORPUS"), read_only=True, batch_size=1) as store:
        fetch(store, path, graph=cfg.corpus.graph, query=cfg.corpus.query)
    return Corpus(path, "facts")


def server_of(cfg: DictConfig, *, write: bool = False) -> "SparqlStore | None":
    """The server that the group `graph` names, to be read or to be written; None for the store on disk."""
    if cfg.graph.kind == "oxigraph":
        return None
    if write and cfg.graph.read_only:
        raise ConfigError(
            f"{cfg.graph.url} is to follow {cfg.kb}, and may not be written; set graph.read_only=false, or leave out "
            "graph=sparql and run kgqa mirror later"
        )
    from kgqa.graph.sparql import SparqlStore

    endpoint = _endpoint(cfg.graph, "KGQA_SPARQL", cfg.graph.update_url, cfg.graph.store_url)
    return SparqlStore(endpoint, read_only=not write, batch_size=cfg.graph.batch_size)


def mirror_of(cfg: DictConfig) -> Mirror | None:
    """The server that is to follow the knowledge base; None where there is none."""
    server = server_of(cfg, write=True)
    return Mirror(Path(cfg.kb), server, cfg.graph.replace) if server else None


def settings_of(cfg: DictConfig, *, extract: bool, index: bool) -> Settings:
    """What a delta is made with. spaCy is loaded only where there may be prose, the encoder only to index."""
    settings = Settings(
        resolve=_resolve,
        mirror=mirror_of(cfg) if extract and not cfg.dry_run else None,
        embedder=embedder_of(cfg, _indexed_with(Path(cfg.kb))) if index else None,
        options=options_of(cfg),
        policy=policy_of(cfg),
        strict=cfg.strict,
        config=digest(*(OmegaConf.to_yaml(cfg[group], resolve=True) for group in MADE_WITH)),
        seed=cfg.seed,
        keep=cfg.keep_generations,
    )
    return _with_extractor(settings, cfg) if extract and cfg.corpus.kind == "text" else settings


def embedder_of(cfg: DictConfig, indexed_with: str | None) -> Embedder:
    """The embedder of the group `embedder`; with embedder=auto the one that made the vectors there are."""
    keys = cast(dict[str, Any], OmegaConf.to_container(cfg.embedder, resolve=True))
    if keys["kind"] == "auto" and indexed_with:
        keys["kind"] = indexed_with
    return load_embedder(**keys)


def reader_of(cfg: DictConfig, kb: KnowledgeBase) -> Embedder | None:
    """The embedder that made the vectors of a knowledge base; None where it has none."""
    return embedder_of(cfg, kb.embedder_name) if kb.embedder_name else None


def linker_of(cfg: DictConfig, kb: KnowledgeBase) -> EntityLinker:
    """The linker for the names of a knowledge base, with its vectors where it has any."""
    return open_linker(kb, embedder=reader_of(cfg, kb), device=cfg.memory.device, options=options_of(cfg))


def retriever_of(cfg: DictConfig, kb: KnowledgeBase, embedder: Embedder | None) -> Retriever:
    """What finds passages and facts near a question, by words and, with the embedder of its vectors, by these."""
    return Retriever(kb, embedder=embedder, device=cfg.memory.device, options=options_of(cfg))


def primer_of(cfg: DictConfig, kb: KnowledgeBase) -> "Primer | None":
    """What finds what a reasoner of the group `reasoner` is handed; None where it is handed nothing."""
    sizes = cfg.reasoner
    if not (sizes.num_facts or sizes.num_passages):
        return None
    from kgqa.reason.priming import Primer

    passages = retriever_of(cfg, kb, None).passage_ids
    return Primer.open(
        kb, num_facts=sizes.num_facts, num_passages=sizes.num_passages, passages=passages, embedder=reader_of(cfg, kb),
        device=cfg.memory.device, options=options_of(cfg),
    )  # fmt: skip


def engine_of(cfg: DictConfig) -> Engine:
    """Where batches are worked on, of the group `engine`."""
    keys = cast(dict[str, Any], OmegaConf.to_container(cfg.engine))
    kind = keys.pop("kind")
    if kind not in _ENGINES:
        raise ConfigError(f"engine.kind is {kind!r}; choose engine={' or engine='.join(_ENGINES)}")
    engine: Engine = _ENGINES[kind](**keys)
    return engine


def questions_of(cfg: DictConfig, files: str | Sequence[str] | None) -> list[Question]:
    """The questions of one file or several of the group `qa`."""
    paths = [] if files is None else [files] if isinstance(files, str) else files
    return [q for path in paths for q in read_questions(Path(path), format=cfg.qa.format, strict=cfg.strict)]


def options_of(cfg: DictConfig) -> IndexOptions:
    """How new segments are indexed, of the group `memory`."""
    names = {field.name for field in fields(IndexOptions)}
    return IndexOptions(**{name: value for name, value in cfg.memory.items() if name in names})


def policy_of(cfg: DictConfig) -> Policy | None:
    """What is done about conflicts, of the keys `conflict`; what is not set is as the knowledge base has it.

    None: as the knowledge base has it that an export is of, where a new one is made of it and nothing is set.
    """
    keys, recorded = cfg.conflict, _recorded_policy(Path(cfg.kb))
    named = {name if ":" in name else relation_iri(name) for name in map(str, keys.functional or ())}
    if keys.ontology:
        named |= functional_relations(Path(keys.ontology))
    is_set = keys.functional is not None or keys.ontology
    if not (is_set or keys.policy) and _copies_an_export(cfg):
        return None
    policy = Policy(
        keep=keys.policy or recorded.keep,
        functional=frozenset(named) if is_set else recorded.functional,
        min_heads=keys.learn_heads,
        min_share=keys.learn_share,
    )
    if keys.policy and policy.keep != "both" and not policy.functional:
        raise ConfigError(
            f"conflict.policy={policy.keep} has nothing to decide; name relations that have one value with "
            "conflict.functional=[born_in,...] or conflict.ontology=FILE.ttl"
        )
    return policy


def reported(cfg: DictConfig, outcome: Outcome, run_folder: Path) -> dict[str, Any]:
    """The metrics of a run, once its conflicts are in the run's conflicts.jsonl."""
    if outcome.generation is None:
        return metrics_of(outcome)
    out = run_folder / "conflicts.jsonl"
    conflicts = report_conflicts(Path(cfg.kb), outcome.generation, out, touched=not outcome.redecided)
    return {**metrics_of(outcome), **conflicts}


def metrics_of(outcome: Outcome) -> dict[str, Any]:
    """What the pipeline reports of its run."""
    delta = outcome.delta
    plan = {
        "num_added": len(delta.added),
        "num_changed": len(delta.changed),
        "num_removed": len(delta.removed),
        "num_unchanged": delta.unchanged,
    }
    return {"generation": outcome.generation or "unchanged", **plan, **outcome.counts}


def _endpoint(keys: DictConfig, environment: str, *other_urls: str | None) -> "Endpoint":
    """The endpoint of a group's keys. Credentials come from the environment, so that no file of a run holds them."""
    from kgqa.graph.endpoint import Credentials, Endpoint

    found = {name: os.environ.get(f"{environment}_{name.upper()}") or None for name in ("user", "password", "token")}
    credentials = Credentials(
        user=found["user"], password=found["password"] or "", token=found["token"], digest=keys.auth == "digest"
    )
    return Endpoint(
        keys.url, *other_urls, credentials=credentials,
        timeout=keys.timeout, retries=keys.retries, backoff=keys.backoff,
    )  # fmt: skip


def extractor_of(cfg: DictConfig) -> "Extractor":
    """The extractor of the group `extract`; loads spaCy."""
    return _extractor(cfg)()


def _extractor(cfg: DictConfig) -> "Callable[[], Extractor]":
    from kgqa.text.extract import Extractor

    keys = cfg.extract
    return partial(
        Extractor,
        pipeline=keys.pipeline,
        patterns=Path(keys.patterns) if keys.patterns else None,
        names=Path(keys.names) if keys.names else None,
        sources=tuple(keys.sources),
        min_confidence=keys.min_confidence,
    )


def ontology_of(cfg: DictConfig) -> "Callable[[], Ontology] | None":
    """What opens the user's ontology, where there is one."""
    from kgqa.expand.mapping import open_ontology

    keys = cfg.extract
    if not keys.ontology:
        return None
    embedder = cast(dict[str, Any], OmegaConf.to_container(cfg.embedder, resolve=True))
    return partial(open_ontology, Path(keys.ontology), partial(load_embedder, **embedder), least=keys.ontology_least)


def _reader(cfg: DictConfig) -> "Callable[[], TextExtractor]":
    """The extractor, under the user's ontology where there is one."""
    from kgqa.expand.mapping import open_mapped

    opened, ontology = _extractor(cfg), ontology_of(cfg)
    return partial(open_mapped, opened, ontology, restrict=cfg.extract.ontology_restrict) if ontology else opened


def _with_extractor(settings: Settings, cfg: DictConfig) -> Settings:
    opened, engine = _reader(cfg), engine_of(cfg)
    extractor: TextExtractor = opened()
    if engine != LocalEngine(1):
        extractor = SpreadExtractor(extractor.identity, partial(reading, opened), engine)
    return replace(settings, extractor=extractor)


def _resolve(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The same for every kind of corpus, since what is one node follows from all names together; loads spaCy when there
    are any."""
    stated = list(names)
    if not stated:
        return {}
    from kgqa.text.canonical import resolve

    return resolve(stated)


def _indexed_with(kb: Path) -> str | None:
    """Identity of the embedder that made the vectors of a knowledge base; None where there are none."""
    name = current_generation(kb)
    return read_generation(kb, name).embedder if name else None


def _copies_an_export(cfg: DictConfig) -> bool:
    """Whether a knowledge base that is not there yet is to be made of an exported one."""
    given = not OmegaConf.is_missing(cfg.corpus, "path") and cfg.corpus.kind != "sparql"
    return (
        given and current_generation(Path(cfg.kb)) is None and Corpus(Path(cfg.corpus.path), cfg.corpus.kind).is_export
    )


def _recorded_policy(kb: Path) -> Policy:
    """What a knowledge base was last written with; a new one keeps all."""
    name = current_generation(kb)
    stored = read_generation(kb, name).conflict if name else None
    return Policy.from_json(stored) if stored else Policy()

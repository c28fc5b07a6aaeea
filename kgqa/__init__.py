"""Knowledge-graph question answering with proof. `KnowledgeBase` and `Answerer` are the names to build on.

They are loaded when first asked for: `import kgqa` alone brings neither torch nor faiss.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgqa.answer.answerer import Answerer
    from kgqa.knowledge_base import KnowledgeBase

__all__ = ["Answerer", "KnowledgeBase"]

_HOMES = {"Answerer": "kgqa.answer.answerer", "KnowledgeBase": "kgqa.knowledge_base"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kgqa' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

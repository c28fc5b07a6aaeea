"""Which embedder a kind or an identity loads, and what is refused."""

import pytest

from kgqa.errors import ConfigError, ModelError
from kgqa.memory.embedder import default_embedder_kind, load_embedder
from kgqa.memory.hashing import HashingEmbedder


def test_kinds_and_identities():
    assert load_embedder("hashing", width=64).name == "hashing-v1-64"
    assert load_embedder("hashing-v1-128").width == 128
    assert load_embedder("auto").name.startswith(default_embedder_kind())
    with pytest.raises(ModelError, match=r"hashing-v9-64.*run pipelines/index.py"):
        load_embedder("hashing-v9-64")
    with pytest.raises(ConfigError, match=r"made by 'hf-bert-0123-768'.*set embedder=hf embedder.model="):
        load_embedder("hf-bert-0123-768")
    with pytest.raises(ConfigError, match=r"made by 'transformer-0123-64'.*set embedder=transformer embedder.model="):
        load_embedder("transformer-0123-64")
    for bad in ("word2vec", "hf", "transformer", ""):
        with pytest.raises(ConfigError, match="choose auto, hashing"):
            load_embedder(bad)
    with pytest.raises(ConfigError, match="at least 8"):
        HashingEmbedder(2)

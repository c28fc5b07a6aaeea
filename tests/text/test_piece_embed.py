"""The pipeline's word features: a table of word pieces that travels inside the pipeline's files."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from thinc.api import Model

from kgqa.text.piece_embed import Table, piece_hash_embed, read_table, write_table

PIECES = ["[UNK]", "os", "##lo", "rome", "."]


@pytest.fixture
def table() -> Table:
    rows = np.random.default_rng(0).integers(-127, 128, (len(PIECES), 6)).astype(np.int8)
    return PIECES, rows, np.linspace(0.1, 0.6, 6, dtype=np.float32)


def embed(path: Path | None) -> Model:  # type: ignore[type-arg]
    return piece_hash_embed(8, ["NORM", "SHAPE"], [50, 20], path)


def docs() -> list[Doc]:
    vocab = spacy.blank("en").vocab
    return [Doc(vocab, words=["Oslo", "."]), Doc(vocab, words=[]), Doc(vocab, words=["Rome", "xyz", "Oslo"])]


def test_a_table_is_read_as_it_was_written(table: Table, tmp_path: Path) -> None:
    write_table(tmp_path / "table.safetensors", table)
    pieces, rows, scale = read_table(tmp_path / "table.safetensors")
    assert pieces == table[0]
    assert (rows == table[1]).all()
    assert (scale == table[2]).all()


def test_rows_come_for_every_token_and_hang_on_the_pieces(table: Table, tmp_path: Path) -> None:
    write_table(tmp_path / "table.safetensors", table)
    model = embed(tmp_path / "table.safetensors")
    model.initialize(docs())
    rows = model.predict(docs())
    assert [len(one) for one in rows] == [2, 0, 3]
    np.testing.assert_allclose(rows[0][0], rows[2][2], rtol=1e-5)
    other = embed(tmp_path / "table.safetensors")
    write_table(tmp_path / "table.safetensors", (PIECES, -table[1], table[2]))
    other = embed(tmp_path / "table.safetensors")
    other.initialize(docs())
    for one, same in zip(model.walk(), other.walk(), strict=True):  # the same weights, another table
        for name in one.param_names:
            if one.has_param(name):
                same.set_param(name, one.get_param(name))
    assert np.abs(other.predict(docs())[0] - rows[0]).max() > 1e-3


def test_a_loaded_model_needs_no_file(table: Table, tmp_path: Path) -> None:
    write_table(tmp_path / "table.safetensors", table)
    model = embed(tmp_path / "table.safetensors")
    model.initialize(docs())
    loaded = embed(None).from_bytes(model.to_bytes())
    for one, other in zip(loaded.predict(docs()), model.predict(docs()), strict=True):
        assert (one == other).all()


def test_it_learns_in_a_pipeline(table: Table, tmp_path: Path) -> None:
    """Words that share their pieces' vectors share what is learned, words of other pieces do not."""
    write_table(tmp_path / "table.safetensors", table)
    nlp = spacy.blank("en")
    config = {
        "model": {
            "@architectures": "spacy.Tagger.v2",
            "tok2vec": {
                "@architectures": "kgqa.PieceHashEmbed.v1", "width": 8, "attrs": ["NORM"], "rows": [50],
                "table": str(tmp_path / "table.safetensors"),
            },
        }
    }  # fmt: skip
    nlp.add_pipe("tagger", config=config)
    words = [("Oslo", "A"), ("Rome", "B"), (".", "C")]
    examples = [
        spacy.training.Example(nlp.make_doc(word), Doc(nlp.vocab, words=[word], tags=[tag])) for word, tag in words
    ]
    nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples)
    nlp.to_disk(tmp_path / "saved")
    (tmp_path / "table.safetensors").unlink()
    saved = (tmp_path / "saved" / "config.cfg").read_text(encoding="utf-8")
    (tmp_path / "saved" / "config.cfg").write_text(
        "\n".join("table = null" if line.startswith("table =") else line for line in saved.splitlines()),
        encoding="utf-8",
    )
    loaded = spacy.load(tmp_path / "saved")
    assert [loaded(word)[0].tag_ for word, _ in words] == ["A", "B", "C"]

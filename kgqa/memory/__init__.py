"""Vectors that last (kgqa.memory.long_term), vectors for the length of a question (short_term), and what makes them."""

from pathlib import Path

if Path("/dev/nvidiactl").exists():  # the driver of a GPU
    import torch  # noqa: F401  before faiss: both bring their libcurand, and torch does not work with the other one

"""Trains on the toy graph in processes of its own: train_toy.py FOLDER DEVICES BATCH_SIZE."""

import sys
from pathlib import Path

from conftest import table
from test_training import SETTINGS, options, questions

from kgqa.reason.training import fit

if __name__ == "__main__":
    folder, devices, batch_size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    strategy = "ddp_find_unused_parameters_true" if devices > 1 else "auto"
    lightning = {"accelerator": "cpu", "devices": devices, "strategy": strategy}
    examples = questions(table())
    chosen = options(3, batch_size=batch_size, lightning=lightning)
    fit(SETTINGS, table(), examples, examples, chosen, folder=folder, seed=2)

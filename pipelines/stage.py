"""The frame around every pipeline: check the command line, compose, keep the run's folder, say how it ended.

A run's folder (runs/<name>/<stage>-<utc>/) holds config.yaml as resolved, log.txt, metrics.jsonl and manifest.json,
whose `status` is `running`, `done`, `failed` or `interrupted`: a killed run is one that still says `running`.
"""

import logging
import os
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kgqa.cli import FAILED, INTERRUPTED, OK, REFUSED, SKIPPED, help_page, say
from kgqa.config import check_overrides, config_dir
from kgqa.errors import KgqaError
from kgqa.runs import RunFolder

LOG = logging.getLogger("kgqa.stage")

Body = Callable[[DictConfig, Path], Mapping[str, Any]]
"""What a pipeline does with its configuration and the folder of its run; returns counts and metrics by name."""

Main = Callable[..., int]


def stage(name: str, *, needs: Mapping[str, str], example: str, config_name: str = "config") -> Callable[[Body], Main]:
    """Make a pipeline of a function `(cfg, run_folder) -> metrics`.

    The result takes the command line's arguments (by default the process's) and returns the exit code
    (`kgqa.cli.EXIT_CODES`). Metrics with a `num_skipped` above 0 tell that something of the input could not be used.
    """

    def decorate(body: Body) -> Main:
        def main(arguments: Sequence[str] | None = None) -> int:
            args, flags = _read(sys.argv[1:] if arguments is None else arguments)
            if args.help:
                about = body.__globals__["__doc__"]
                say(help_page(name, about, needs, example, config_name=config_name), stderr=False)
                return OK
            try:
                if not (args.cfg or args.info or args.shell_completion or args.hydra_help):
                    folders = [Path(args.config_dir)] if args.config_dir else []
                    check_overrides(
                        args.overrides, needs=needs, example=example, config_name=config_name, search_path=folders
                    )
                return _run(name, body, [*flags, f"hydra.job.name={name}", *args.overrides], config_name)
            except (KgqaError, HydraException, OmegaConfBaseException) as error:
                say(f"error: {error}")
                return REFUSED
            except KeyboardInterrupt:
                say("interrupted; what was committed before stays")
                return INTERRUPTED

        return main

    return decorate


def _read(arguments: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Hydra's own flags and the overrides, in whatever order they came; argparse alone wants the overrides together."""
    args = get_args_parser().parse_intermixed_args(list(arguments))
    overrides = Counter(args.overrides)
    flags = []
    for argument in arguments:
        if overrides[argument] > 0:
            overrides[argument] -= 1
        else:
            flags.append(argument)
    return args, flags


def _run(name: str, body: Body, arguments: Sequence[str], config_name: str) -> int:
    """Hand over to Hydra, which calls `body` once, or once for each combination of a sweep."""
    codes = [OK]

    def task(cfg: DictConfig) -> None:
        settings = HydraConfig.get()
        try:
            metrics = _record(name, body, cfg, Path(settings.runtime.output_dir), list(settings.overrides.task))
            codes.append(SKIPPED if metrics.get("num_skipped") else OK)
        except Exception as error:
            refused = isinstance(error, KgqaError)
            LOG.error("%s", error, exc_info=None if refused else error)
            if settings.mode == RunMode.MULTIRUN:
                raise  # the launcher may be in another process: only an exception comes back from there
            codes.append(REFUSED if refused else FAILED)

    before = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [sys.argv[0], *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises; we decide what the user sees
    try:
        hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=config_name)(task)()
    finally:
        sys.argv = before[0]
        if before[1] is None:
            del os.environ["HYDRA_FULL_ERROR"]
    return max(codes)


def _record(name: str, body: Body, cfg: DictConfig, path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Run `body` inside its folder; its metrics become a line of metrics.jsonl and one line of the log."""
    config = OmegaConf.to_yaml(cfg, resolve=True)
    with RunFolder(path, stage=name, config=config, overrides=overrides, seed=cfg.get("seed")) as folder:
        metrics = dict(body(cfg, path))
        folder.record(metrics)
        LOG.info("%s: %s", name, ", ".join(f"{key} {_short(value)}" for key, value in metrics.items()))
    LOG.info("run folder: %s", os.path.relpath(path))
    return metrics


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

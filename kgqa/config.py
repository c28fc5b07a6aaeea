"""Compose the configuration and check what the command line asks of it, naming every mistake at once.

Hydra refuses an unknown key too, but one at a time, knows no types for plain YAML, and lets a misspelt key of an
experiment file slip in. Here the configuration is composed from the chosen group files alone; that *reference* says
which keys there are and, by their defaults, of what type; the command line and the experiment file are held against it.
"""

import difflib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from kgqa.errors import ConfigError

MISSING = "???"
"""Stands in conf/ for a value that the user must give."""

EXPERIMENT = "experiment"
"""The group whose files hold differences only: they may change keys, never add one."""

# Milliseconds, so that two runs of a script do not share a folder; evaluated once a run.
OmegaConf.register_new_resolver(
    "utc", lambda: datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z", use_cache=True, replace=True
)


def config_dir() -> Path:
    """The folder of configuration files: inside the package where it was installed from a wheel, conf/ in a clone."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "conf"


@contextmanager
def _hydra(search_path: Sequence[Path]) -> Iterator[None]:
    """Hydra initialised on our configuration and the user's own folders of group files (`--config-dir`)."""
    path = create_config_search_path(str(config_dir()))
    for folder in search_path:
        if not folder.is_dir():
            raise ConfigError(f"--config-dir {folder} is not a folder; give one that holds <group>/<option>.yaml")
        path.prepend("command-line", f"file://{folder.resolve()}", SearchPathQuery(provider="schema"))
    with initialize_config_dir(str(config_dir()), version_base="1.3"):  # puts the global state back at the end
        GlobalHydra.instance().clear()
        Hydra.create_main_hydra2("kgqa", path)
        yield


def compose_config(
    overrides: Sequence[str] = (), *, config_name: str = "config", search_path: Sequence[Path] = ()
) -> DictConfig:
    """The configuration after `overrides`, without Hydra's own part; for tests and for use as a library.

    Raises ConfigError, with Hydra's message, where an override does not fit.
    """
    try:
        with _hydra(search_path):
            return compose(config_name, list(overrides))
    except HydraException as error:
        raise ConfigError(str(error)) from error


def groups() -> dict[str, list[str]]:
    """Every configuration group with the names of its options; needs an initialised Hydra."""
    loader = GlobalHydra.instance().config_loader()
    options = {name: sorted(loader.get_group_options(name)) for name in loader.list_groups("") if name != "hydra"}
    return {name: names for name, names in options.items() if names}


def describe(config_name: str = "config") -> tuple[dict[str, list[str]], dict[str, object]]:
    """All groups with their options, and all keys with their defaults: what a help page shows."""
    with _hydra(()):
        return groups(), flat(compose(config_name))


def complete(arguments: Sequence[str], line: str) -> None:
    """Hydra's shell completion (`-sc install=bash`, `-sc query=bash`) for a command line without its stage."""
    argv, sys.argv = sys.argv, [sys.argv[0], *arguments]
    os.environ["COMP_LINE"] = line
    try:
        hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")(lambda cfg: None)()
    finally:
        sys.argv = argv


def check_overrides(
    overrides: Sequence[str],
    *,
    needs: Mapping[str, str],
    example: str = "",
    config_name: str = "config",
    search_path: Sequence[Path] = (),
) -> None:
    """Raise one ConfigError that lists all that is wrong with a command line's overrides.

    `needs` maps the keys that must have a value to what they are; `example` is a command line that works.
    """
    with _hydra(search_path):
        parsed, errors = _parse(overrides)
        options = groups()
        choices = [o for o in parsed if o.key_or_group in options]
        values = [o for o in parsed if o.key_or_group not in options]
        errors += [message for o in choices for message in _check_choice(o, options[o.key_or_group])]
        try:
            reference, given, found = _reference(config_name, _combinations(choices, options), options)
        except HydraException as error:
            raise ConfigError(_report([*errors, str(error)], example)) from error
        errors += found + [message for o in values for message in _check_value(o, reference)]
        for o in values:
            given |= flat({o.key_or_group: _elements(o)[0]} if _elements(o) else {o.key_or_group: ""}).keys()
        errors += [
            f"{key}: no value; it is {meaning}"
            for key, meaning in needs.items()
            if key not in given and reference.get(key, MISSING) in (MISSING, None)
        ]
    if errors:
        raise ConfigError(_report(errors, example))


def flat(config: DictConfig | Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """The leaves of a nested mapping by dotted key; an empty mapping is a leaf, interpolations stay as written."""
    plain: Any = OmegaConf.to_container(config, resolve=False) if isinstance(config, DictConfig) else config
    leaves: dict[str, object] = {}
    for name, value in plain.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f"{key}.")
        else:
            leaves[key] = value
    return leaves


def _parse(overrides: Sequence[str]) -> tuple[list[Override], list[str]]:
    """The overrides that concern us (Hydra looks after its own), and a message for each that cannot be read."""
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    parsed: list[Override] = []
    errors: list[str] = []
    for text in overrides:
        try:
            parsed += [o for o in parser.parse_overrides([text]) if not o.is_hydra_override()]
        except HydraException:
            errors.append(f"{text}: cannot be read as key=value; write key='\"value\"' where it has special characters")
    return parsed, errors


def _elements(override: Override) -> list[Any]:
    """The values that an override asks for: one, or each of a sweep that can be listed."""
    if not override.is_sweep_override():
        return [override.value()]
    return [Override._convert_value(e) for e in override.sweep_iterator()] if override.is_discrete_sweep() else []


def _check_choice(override: Override, options: Sequence[str]) -> list[str]:
    """Messages for the options that a group does not have."""
    asked = [] if override.is_delete() else [str(e) for e in _elements(override) if e is not None]
    return [
        f"{override.key_or_group}={name}: no such option{_nearest(name, options)}; there are {', '.join(options)}"
        for name in asked
        if name not in options
    ]


def _combinations(choices: Sequence[Override], options: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The choices to compose: the first option of each group, then each further option of a sweep in its place."""
    asked = {o.key_or_group: [str(e) for e in _elements(o) if str(e) in options[o.key_or_group]] for o in choices}
    first = {name: names[0] for name, names in asked.items() if names}
    return [first, *(first | {name: other} for name, names in asked.items() for other in names[1:])]


def _reference(
    config_name: str, combinations: Sequence[Mapping[str, str]], options: Mapping[str, Sequence[str]]
) -> tuple[dict[str, object], set[str], list[str]]:
    """The defaults of every key, the keys that experiment files set, and what is wrong in those files."""
    defaults: dict[str, object] = {}
    given: set[str] = set()
    errors: list[str] = []
    for combination in combinations:
        asked = [f"{name}={choice}" for name, choice in combination.items()]
        whole = compose(config_name, asked, return_hydra_config=True)
        chosen = {name: whole.hydra.runtime.choices.get(name) for name in options}
        actual = {key: value for key, value in flat(whole).items() if not key.startswith("hydra.")}
        experiment = chosen.pop(EXPERIMENT, None)
        base = actual
        if experiment is not None:
            plain = [f"{name}={choice}" for name, choice in chosen.items() if choice]
            base = flat(compose(config_name, plain))
        changed = {key: value for key, value in actual.items() if key not in base or base[key] != value}
        where = f"{EXPERIMENT}/{experiment}.yaml: "
        errors += [where + message for key, value in changed.items() for message in _check_key(key, value, base)]
        defaults |= base
        given |= changed.keys()
    return defaults, given, errors


def _check_value(override: Override, reference: Mapping[str, object]) -> list[str]:
    """Messages for an override of a key; `+key=` says that a key is new, so only plain overrides need an old one."""
    key = override.key_or_group
    if override.is_add() or override.is_force_add():
        return []
    if override.is_delete():
        return _check_key(key, reference.get(key), reference)
    return [message for value in _elements(override) for message in _check_key(key, value, reference)]


def _check_key(key: str, value: object, reference: Mapping[str, object]) -> list[str]:
    """Messages for one key and its new value; a mapping is checked leaf by leaf."""
    if key not in reference and isinstance(value, Mapping) and any(name.startswith(f"{key}.") for name in reference):
        return [message for leaf, v in flat(value, f"{key}.").items() for message in _check_key(leaf, v, reference)]
    if any(isinstance(reference.get(parent), Mapping) for parent in _parents(key)):
        return []  # below a mapping that is empty by default the names are the user's own
    if key not in reference:
        return [f"{key}: no such key{_nearest(key, reference)}"]
    default = reference[key]
    if _open(default) or (isinstance(value, str) and "${" in value) or _fits(value, default):
        return []
    shown = "null" if value is None else value
    usual = "" if default == MISSING else f" (default {default})"
    return [f"{key}={shown}: {_KINDS[type(default)]} is wanted{usual}, this is {_KINDS[type(value)]}"]


def _parents(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}


def _open(default: object) -> bool:
    """Whether a default says nothing of the type: unset, or taken from elsewhere."""
    return default is None or (isinstance(default, str) and "${" in default)


def _fits(value: object, default: object) -> bool:
    if default == MISSING:
        return isinstance(value, str | list)  # a path, or several
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _nearest(name: str, names: Mapping[str, object] | Sequence[str]) -> str:
    """`; did you mean X?` for the closest of `names`, by the whole of it or by the part after the last dot."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    if not close:
        last = {key.rsplit(".", 1)[-1]: key for key in names}
        close = [last[part] for part in difflib.get_close_matches(name.rsplit(".", 1)[-1], list(last), n=1, cutoff=0.6)]
    return f"; did you mean {close[0]}?" if close else ""


def _report(errors: Sequence[str], example: str) -> str:
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    lines = [f"{count} in the configuration:", *(f"  {error}" for error in errors)]
    return "\n".join([*lines, f"for example: {example}"] if example else lines)

"""Errors a user can act on: each message says what went wrong, where, with which value, and how to mend it."""


class KgqaError(Exception):
    """Base of every error that kgqa raises on purpose."""


class ConfigError(KgqaError):
    """A configuration key is unknown, missing or of the wrong type."""


class InputError(KgqaError):
    """A file or value given by the user cannot be used."""


class StoreError(KgqaError):
    """A knowledge base or a server is missing, damaged, of a newer format, or at odds with the configuration."""


class LockedError(StoreError):
    """Another process is writing to the knowledge base."""


class ModelError(KgqaError):
    """A checkpoint or model does not fit the configuration or the knowledge base."""


class EngineError(KgqaError):
    """A worker of an engine died, or cannot be reached."""

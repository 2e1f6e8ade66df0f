"""The error for what was typed, in a module of its own that costs nothing to import."""


class UsageError(Exception):
    """What was typed makes no sense; the message is one line."""

"""What a model file that cannot be read raises."""

from __future__ import annotations


class ModelFileError(ValueError):
    """The file is not what it claims to be, is damaged, or holds what coreops does not load."""


class ModelFileNotFoundError(ModelFileError, FileNotFoundError):
    """There is no such file; a ValueError as in Keras, and the FileNotFoundError one expects."""

    __str__ = ValueError.__str__


def shorten(value: object, limit: int = 120) -> str:
    """Return `repr(value)` cut to `limit` characters: file contents may be of any length."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def shorten_text(error: BaseException, limit: int = 300) -> str:
    """Return an error's message on one line, cut to `limit` characters."""
    text = " ".join(str(error.args[0] if error.args else error).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."

"""The headers of the objects in an HDF5 file, read from its bytes before the library reads them.

A header is a chain of blocks with messages; one of them may say where the chain goes on. Where that
leads back, the library follows the chain for ever, into as much memory as there is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .errors import ModelFileError

_CONTINUATION = 0x10
_MESSAGE = struct.Struct("<HHB3x")
_SUPERBLOCK = struct.Struct("<8x5B2B9xQ")  # five versions, two sizes, ..., where addresses begin
_ROOT_AT = 64
_NOT_KERAS = "a form of HDF5 that Keras does not write."


class Headers:
    """Reads the headers of a file.

    Args:
        data: the whole file.

    Raises:
        ModelFileError: it is of another version of HDF5's format than Keras' files.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.unclaimed = len(data)
        if len(data) < _ROOT_AT + 8:
            raise ModelFileError("a damaged HDF5 file, cut off.")
        *versions, offset, length, base = _SUPERBLOCK.unpack_from(data)
        if any(versions) or (offset, length, base) != (8, 8, 0):
            raise ModelFileError(_NOT_KERAS)

    @property
    def root(self) -> int:
        """Where the header of the first group is."""
        return struct.unpack_from("<Q", self.data, _ROOT_AT)[0]

    def check(self, header: int) -> None:
        """Walk over the header of an object that has not been looked at.

        Raises:
            ModelFileError: it is none, or has no end, or those seen have more bytes than the file.
        """
        for _ in self._walk(header, claim=True):
            pass

    def messages(self, header: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (type, flags, beginning, end) of the messages in a header that has been checked."""
        return self._walk(header, claim=False)

    def _walk(self, header: int, claim: bool) -> Iterator[tuple[int, int, int, int]]:
        try:
            version, size = struct.unpack_from("<B7xI", self.data, header)
            if version != 1:
                raise ModelFileError(_NOT_KERAS)
            blocks = [(header + 16, size)]
            for start, size in blocks:  # grows on the way
                if claim:
                    self.unclaimed -= size + 16
                if self.unclaimed < 0 or start + size > len(self.data):
                    raise ModelFileError("a damaged HDF5 file: a header has no end.")
                end = start + size
                while start + _MESSAGE.size <= end:
                    kind, length, flags = _MESSAGE.unpack_from(self.data, start)
                    start += _MESSAGE.size
                    if start + length > end:
                        raise ModelFileError("a damaged HDF5 file: a header's message has no end.")
                    if kind == _CONTINUATION:
                        blocks.append(struct.unpack_from("<QQ", self.data, start))
                    yield kind, flags, start, start + length
                    start += length
        except (struct.error, OverflowError) as error:
            raise ModelFileError("a damaged HDF5 file: a header lies beyond its end.") from error

"""The headers of the objects in an HDF5 file, read from its bytes before the library reads them.

A header is a chain of blocks with messages; one of them may say where the chain goes on. That of a
group leads to the nodes of its index and to a heap of names, whose free blocks are a chain again.
Where one of these leads back, the library follows it for ever, into as much memory as there is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .errors import ModelFileError

_CONTINUATION, _GROUP = 0x10, 0x11
_LINKS = (0x02, 0x06)  # a group's in a form that Keras does not write
_MESSAGE = struct.Struct("<HHB3x")
_SUPERBLOCK = struct.Struct("<8x5B2B9xQ")  # five versions, two sizes, ..., where addresses begin
_ROOT_AT = 64
_NODE = struct.Struct("<4sxBH16x")  # signature, level, entries, ...; keys and children in turns
_HEAP = struct.Struct("<4s4xQQQ")  # signature, bytes, the first free block, where the bytes begin
_ENTRY, _NO_BLOCK = 40, 1
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
        try:
            for kind, _, start, _ in self._walk(header, claim=True):
                if kind in _LINKS:
                    raise ModelFileError(_NOT_KERAS)
                if kind == _GROUP:
                    index, heap = struct.unpack_from("<QQ", self.data, start)
                    self._index(index)
                    self._heap(heap)
        except (struct.error, OverflowError) as error:
            raise ModelFileError("a damaged HDF5 file: a group lies beyond its end.") from error

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
                    self._claim(size + 16, "a header")
                if start + size > len(self.data):
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

    def _index(self, root: int) -> None:
        """Walk over the nodes of a group's index, a B-tree whose leaves are lists of links."""
        nodes = [root]
        for node in nodes:  # grows on the way
            signature, level, number = _NODE.unpack_from(self.data, node)
            if signature != b"TREE":
                raise ModelFileError("a damaged HDF5 file: a group has no index.")
            self._claim(_NODE.size + 16 * number, "a group's index")
            first = node + _NODE.size + 8  # behind the first key
            children = [
                struct.unpack_from("<Q", self.data, first + 16 * i)[0] for i in range(number)
            ]
            if level:
                nodes += children
            for leaf in () if level else children:
                links = struct.unpack_from("<H", self.data, leaf + 6)[0]
                self._claim(8 + _ENTRY * links, "a group's index")

    def _heap(self, heap: int) -> None:
        """Walk over the free blocks of a group's names."""
        signature, size, block, start = _HEAP.unpack_from(self.data, heap)
        if signature != b"HEAP":
            raise ModelFileError("a damaged HDF5 file: a group has no names.")
        self._claim(_HEAP.size, "a heap")
        while block != _NO_BLOCK and block < size:
            self._claim(16, "a heap")
            block = struct.unpack_from("<Q", self.data, start + block)[0]

    def _claim(self, size: int, what: str) -> None:
        """Count bytes that one part of the file takes for itself."""
        self.unclaimed -= size
        if self.unclaimed < 0:
            raise ModelFileError(f"a damaged HDF5 file: {what} has no end.")

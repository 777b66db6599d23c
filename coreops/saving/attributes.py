"""The texts that HDF5 files of Keras keep as attributes, read from the bytes of the file.

The library would copy a text of any length once for each of the thousands of references that a
small file can make to it, before anybody can count. Here each reference is looked at first, and
what all of them ask for is bounded. Only what Keras and h5py write is understood: texts of fixed
length in place, or of any length in a collection of the global heap.
"""

from __future__ import annotations

import struct
from itertools import count

from .errors import ModelFileError, shorten
from .headers import Headers

MAX_TEXT_BYTES = 64 << 20  # of the texts that are asked for, together
_TEXT_COST = 64  # what each of them costs beside its length
_ATTRIBUTE = 0x0C
_SHARED = 2  # a flag: kept elsewhere
_STRING, _VARIABLE = 3, 9  # classes of HDF5's types
_REFERENCE = struct.Struct("<IQI")  # length, place of the collection, number in it


class Attributes:
    """Reads attributes by the place of an object's header.

    Args:
        headers: of a file.
    """

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.data = headers.data
        self.bytes_left = MAX_TEXT_BYTES

    def text(self, header: int, name: str) -> str | None:
        """Return the attribute of an object as one text, None if there is none.

        Raises:
            ModelFileError: it is not a text, damaged, or too long.
        """
        places = self._places(header)
        if name not in places:
            return None
        found = self._texts(name, *places[name])
        if len(found) != 1:
            raise ModelFileError(f"attribute {name!r} is not one text.")
        return found[0]

    def texts(self, header: int, name: str) -> list[str] | None:
        """Return the attribute of an object as a list of texts, None if there is none. One that is
        too long for HDF5 is in parts: name0, name1, ...

        Raises:
            ModelFileError: it holds anything but texts, is damaged, or too long.
        """
        places = self._places(header)
        if name in places:
            return self._texts(name, *places[name])
        parts: list[str] = []
        for number in count():
            part = f"{name}{number}"
            if part not in places:
                break
            parts += self._texts(part, *places[part])
        return parts or None

    def _places(self, header: int) -> dict[str, tuple[int, int]]:
        """Return the bounds of each attribute in an object's header, by name."""
        places = {}
        try:
            for kind, flags, start, end in self.headers.messages(header):
                if kind != _ATTRIBUTE or flags & _SHARED:
                    continue
                name_at = start + (9 if self.data[start] == 3 else 8)
                length = struct.unpack_from("<H", self.data, start + 2)[0]
                name = self.data[name_at : min(name_at + length, end)].rstrip(b"\0")
                places[name.decode("utf-8", "replace")] = (start, end)
        except (struct.error, IndexError) as error:
            raise ModelFileError(f"an attribute is damaged: {shorten(str(error))}") from error
        return places

    def _texts(self, name: str, start: int, end: int) -> list[str]:
        try:
            kind, sizes, body = self._parts(start, end)
            return [text.decode("utf-8") for text in self._values(kind, sizes, body, end)]
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ModelFileError(f"attribute {name!r} is damaged: {shorten(str(error))}") from error
        except ModelFileError as error:
            raise ModelFileError(f"attribute {name!r} {error}") from None

    def _parts(self, start: int, end: int) -> tuple[bytes, bytes, int]:
        """Return the type and the sizes of an attribute, and where its values begin."""
        version, _, *lengths = struct.unpack_from("<BBHHH", self.data, start)
        if version not in (1, 2, 3):
            raise ModelFileError("is in a form that Keras does not write.")
        start += 9 if version == 3 else 8
        parts = []
        for length in lengths:
            parts.append(self.data[start : min(start + length, end)])
            start += -(-length // 8) * 8 if version == 1 else length
        return parts[1], parts[2], start

    def _values(self, kind: bytes, sizes: bytes, start: int, end: int) -> list[bytes]:
        rank, shape_at = sizes[1], 8 if sizes[0] == 1 else 4
        number = 0 if sizes[0] == 2 and sizes[3] == 2 else 1  # 2: no values at all
        for size in struct.unpack_from(f"<{rank}Q", sizes, shape_at):
            number *= size
        if number == 0:  # Keras writes an empty list as no numbers
            return []
        family, item = kind[0] & 15, struct.unpack_from("<I", kind, 4)[0]
        variable = family == _VARIABLE and kind[1] & 15 == 1 and item == _REFERENCE.size
        if not variable and family != _STRING:
            raise ModelFileError("does not hold text.")
        if item == 0 or number * item > end - start:
            raise ModelFileError("is not wholly stored.")
        self._spend(number * (item + _TEXT_COST))
        pieces = [self.data[start + i * item : start + (i + 1) * item] for i in range(number)]
        if variable:
            return [self._referenced(*_REFERENCE.unpack(piece)) for piece in pieces]
        return [piece.rstrip(b"\0 ") for piece in pieces]

    def _referenced(self, length: int, collection: int, number: int) -> bytes:
        """Return a text from a collection of the global heap."""
        if length == 0:
            return b""
        signature, size = struct.unpack_from("<4s4xQ", self.data, collection)
        if signature != b"GCOL":
            raise ModelFileError("refers to no text.")
        start, end = collection + 16, min(collection + size, len(self.data))
        while start + 16 <= end:
            self._spend(16)
            index, stored = struct.unpack_from("<H6xQ", self.data, start)
            if index == number and number:
                if stored < length or start + 16 + length > end:
                    raise ModelFileError("is not wholly stored.")
                self._spend(length)
                return self.data[start + 16 : start + 16 + length].rstrip(b"\0")
            if index == 0:
                break
            start += 16 + -(-stored // 8) * 8
        raise ModelFileError("refers to no text.")

    def _spend(self, size: int) -> None:
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise ModelFileError(f"is, with others, longer than {MAX_TEXT_BYTES:,} bytes.")

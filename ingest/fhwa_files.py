"""Files of W records as blocks of whole lines, plain or packed by gzip, in little memory."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from domain.errors import ConfigurationError, InputRefused
from domain.refusals import RefusalCode

BLOCK_BYTES = 4 << 20
LONGEST_LINE_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"


def whole_lines(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the file's bytes in blocks that end with a newline, but the last, which may lack it.

    Raises
    ------
    ConfigurationError
        The file cannot be read.
    InputRefused
        A packed file is broken or cut off, or a line is longer than a megabyte: no file of W records.
    """
    try:
        with _opened(path) as file:
            rest = b""
            while block := file.read(block_bytes):
                end = block.rfind(b"\n") + 1
                if end:
                    yield rest + block[:end]
                    rest = block[end:]
                else:
                    rest += block
                if len(rest) > LONGEST_LINE_BYTES:
                    raise _refused(path, "has a line longer than a megabyte: it is no file of W records")
            if rest:
                yield rest
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refused(path, f"is packed by gzip, but broken or cut off ({error})") from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror or error}; name another file"
        ) from error


def _opened(path: Path) -> IO[bytes]:
    file = path.open("rb")
    packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    if not packed:
        return file
    file.close()
    return cast("IO[bytes]", gzip.open(path, "rb"))


def _refused(path: Path, what: str) -> InputRefused:
    return InputRefused(RefusalCode.FIELD_INVALID, f"{path} {what}")

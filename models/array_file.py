"""Arrays as one .npz that is used where it lies: stored plain, aligned, never a pickle."""

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from mmap import mmap

import numpy as np

from market.errors import ModelError

_ALIGNMENT_BYTES = 64
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_NPY_PREFIX = struct.Struct("<8sH")
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
# Only what `pack` writes is read: a header that says anything else is refused unread.
_NPY_HEADER = re.compile(
    rb"\{'descr': '(<[fiu][248])', 'fortran_order': False, 'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \} *\n"
)
_PADDING_ID = 0xD935  # the extra field with which Android's zipalign pads its members


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the bytes of an uncompressed .npz; the same arrays give the same bytes, data on 64-byte bounds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.extra = _padding(buffer.tell() + _LOCAL_HEADER.size + len(member.filename))
            archive.writestr(member, _npy_bytes(array))
    return buffer.getvalue()


def unpack(content: bytes | mmap) -> dict[str, np.ndarray]:
    """Return the arrays of a packed file as views into `content`; ModelError when it is not one of ours.

    Contents are not hashed here: who keeps the file knows its checksum.
    """
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        with zipfile.ZipFile(file) as archive:  # type: ignore[arg-type]  # a mapping reads and seeks like a file
            members = archive.infolist()
    except (
        zipfile.BadZipFile,
        ValueError,
        OSError,
        NotImplementedError,
        struct.error,
        EOFError,
        OverflowError,
    ) as error:
        raise ModelError(f"model arrays are not a readable .npz: {error}") from error
    return {member.filename.removesuffix(".npy"): _view(content, member) for member in members}


def _padding(data_start: int) -> bytes:
    """Return the extra field that moves the data behind a local header to the next bound; 4 bytes are its own head."""
    size = -data_start % _ALIGNMENT_BYTES
    if size == 0:
        return b""
    if size < 4:
        size += _ALIGNMENT_BYTES
    return struct.pack("<HH", _PADDING_ID, size - 4) + bytes(size - 4)


def _npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _view(content: bytes | mmap, member: zipfile.ZipInfo) -> np.ndarray:
    """Return one member as an array over the bytes of the file."""
    name, start = member.filename, member.header_offset
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 or member.file_size != member.compress_size:
        raise ModelError(f"model array {name} is compressed or encrypted, it must be stored plain")
    if start < 0 or start + _LOCAL_HEADER.size > len(content):
        raise ModelError(f"model array {name} begins outside the file")
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(content, start)
    start += _LOCAL_HEADER.size + name_bytes + extra_bytes
    end = start + member.file_size
    if signature != b"PK\x03\x04" or end > len(content) or member.file_size < _NPY_PREFIX.size:
        raise ModelError(f"model array {name} is cut off")
    magic, header_bytes = _NPY_PREFIX.unpack_from(content, start)
    start += _NPY_PREFIX.size
    header = _NPY_HEADER.fullmatch(content[start : start + header_bytes])
    if magic != _NPY_MAGIC or header is None:
        raise ModelError(f"model array {name} has a foreign header")
    return _array(content, name, header, start + header_bytes, end)


def _array(content: bytes | mmap, name: str, header: re.Match[bytes], start: int, end: int) -> np.ndarray:
    kind = np.dtype(header[1].decode())
    shape = tuple(int(size) for size in re.findall(rb"\d+", header[2]))
    if math.prod(shape) * kind.itemsize != end - start:
        raise ModelError(f"model array {name} holds {end - start} bytes, its shape {shape} needs others")
    if start % _ALIGNMENT_BYTES:
        raise ModelError(f"model array {name} begins at byte {start}, not on a {_ALIGNMENT_BYTES}-byte bound")
    return np.frombuffer(content, kind, math.prod(shape), start).reshape(shape)

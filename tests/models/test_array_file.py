import io
import struct
import zipfile

import numpy as np
import pytest

from market.errors import ModelError
from models.array_file import pack, unpack

ARRAYS = {"nodes": np.arange(12, dtype=np.uint32).reshape(6, 2), "a": np.array([1.5]), "empty": np.zeros((2, 0))}


def test_gives_back_what_was_packed():
    arrays = unpack(pack(ARRAYS))

    assert {name: array.tolist() for name, array in arrays.items()} == {n: a.tolist() for n, a in ARRAYS.items()}
    assert all(arrays[name].dtype == array.dtype for name, array in ARRAYS.items())


def test_is_an_npz_that_numpy_reads_without_pickle():
    loaded = np.load(io.BytesIO(pack(ARRAYS)), allow_pickle=False)

    assert loaded["nodes"].tolist() == ARRAYS["nodes"].tolist()


def test_same_arrays_give_the_same_bytes():
    assert pack(ARRAYS) == pack({name: array.copy() for name, array in ARRAYS.items()})


def test_every_array_is_an_aligned_view_into_the_file():
    content = pack(ARRAYS)

    for array in unpack(content).values():
        offset = array.ctypes.data - np.frombuffer(content, np.uint8).ctypes.data
        assert not array.flags.owndata
        assert offset % 64 == 0


@pytest.mark.parametrize(
    "save",
    [
        lambda file: np.savez_compressed(file, nodes=np.zeros(3)),
        lambda file: np.savez(file, nodes=np.array([{"a": 1}], dtype=object)),
        lambda file: np.savez(file, nodes=np.array(["text"])),
        lambda file: np.savez(file, nodes=np.asfortranarray(np.zeros((3, 2)))),
        lambda file: zipfile.ZipFile(file, "w").writestr("nodes.npy", b"no array"),
    ],
)
def test_refuses_what_another_program_wrote(save):
    file = io.BytesIO()
    save(file)

    with pytest.raises(ModelError):
        unpack(file.getvalue())


def test_refuses_a_shape_larger_than_the_file():
    content = pack({"a": np.zeros(8)}).replace(b"(8,), }", b"(99,),}")

    with pytest.raises(ModelError):
        unpack(content)


def test_a_header_made_to_be_read_for_hours_is_refused_at_once():
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"1" * 60 + b"x"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("nodes.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head)

    with pytest.raises(ModelError):
        unpack(file.getvalue())

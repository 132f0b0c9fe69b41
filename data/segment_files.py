"""Write and read one Parquet file; the only module that knows pyarrow, which takes 40 MB of a process."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_LEVEL = 6  # of zstd: higher ones save 2 % and take three times as long
_ROWS_IN_A_GROUP = 50_000

Columns = Mapping[str, np.ndarray]
Span = tuple[str, int, int]  # a column of int64, the least value, and the one the values end before


class SegmentFile:
    """One open Parquet file whose row groups hold one value of `key` each, sorted by an int64 column."""

    def __init__(self, path: Path, key: str) -> None:
        """Open the file and read its table of contents; ValueError or OSError when it is none of ours."""
        self._file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
        schema = self._file.schema_arrow
        self.names = list(schema.names)
        self._key = self.names.index(key)
        self._places = {name: index for index, name in enumerate(self.names)}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def keys(self) -> list[str]:
        """Return the values of the key there are, in the order they lie in the file."""
        return list(dict.fromkeys(self._key_of(group) for group in range(self._file.metadata.num_row_groups)))

    def read(self, key: str, span: Span) -> dict[str, np.ndarray]:
        """Return all columns but the key, of the rows with this key and the span's column in [least, end)."""
        name, least, end = span
        groups = [at for at in range(self._file.metadata.num_row_groups) if self._may_hold(at, key, span)]
        wanted = [one for at, one in enumerate(self.names) if at != self._key]
        table = self._file.read_row_groups(groups, columns=wanted, use_threads=False)
        columns = {one: table.column(one).to_numpy() for one in wanted}
        is_inside = (columns[name] >= least) & (columns[name] < end)
        return columns if is_inside.all() else {one: column[is_inside] for one, column in columns.items()}

    def _key_of(self, group: int) -> str:
        return str(self._file.metadata.row_group(group).column(self._key).statistics.min)

    def _may_hold(self, group: int, key: str, span: Span) -> bool:
        name, least, end = span
        if self._key_of(group) != key:
            return False
        found = self._file.metadata.row_group(group).column(self._places[name]).statistics
        return bool(found.min < end and found.max >= least)


def write_groups(file: BinaryIO, key: str, groups: Iterable[tuple[str, Columns]]) -> int:
    """Write the rows of each key, keys in ascending order, to an open file; return how many rows that were.

    All groups have the same columns; those of int64 are written as differences.
    """
    writer: Any = None
    rows = 0
    try:
        for value, columns in groups:
            count = len(next(iter(columns.values())))
            table = pa.table({key: pa.repeat(pa.scalar(value), count), **{n: pa.array(c) for n, c in columns.items()}})
            if writer is None:
                wide = [name for name, column in columns.items() if column.dtype == np.int64]
                writer = pq.ParquetWriter(
                    file,
                    table.schema,
                    compression="zstd",
                    compression_level=_LEVEL,
                    use_dictionary=[name for name in table.column_names if name not in wide],
                    column_encoding=dict.fromkeys(wide, "DELTA_BINARY_PACKED"),
                )
            writer.write_table(table, row_group_size=_ROWS_IN_A_GROUP)
            rows += count
    finally:
        if writer is not None:
            writer.close()
    return rows

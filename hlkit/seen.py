"""The ids of all rows that a download has seen, in eight bytes each."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

_RUN = 32_768  # hashes: as many as are sorted anew with each page


class SeenIds:
    """A set of ids that only grows. It holds their hashes, in sorted arrays; ``len`` is how many there are.

    Two of a million ids have the same hash of 64 bits once in 40 million downloads; a row is then counted once too
    few, and is in the frame all the same.
    """

    def __init__(self) -> None:
        self._full: list[npt.NDArray[np.int64]] = []
        self._open = np.empty(0, np.int64)

    def __len__(self) -> int:
        return _RUN * len(self._full) + len(self._open)

    def add(self, ids: Collection[str]) -> set[str]:
        """Take them in; those of them that are new."""
        hashes = np.fromiter(map(hash, ids), np.int64, len(ids))
        known = np.zeros(len(ids), dtype=bool)
        for run in (*self._full, self._open):
            if len(run):
                known |= run[np.searchsorted(run[:-1], hashes)] == hashes
        self._open = np.union1d(self._open, hashes[~known])
        while len(self._open) >= _RUN:
            self._full.append(self._open[:_RUN].copy())
            self._open = self._open[_RUN:].copy()
        return {name for name, is_known in zip(ids, known.tolist(), strict=True) if not is_known}

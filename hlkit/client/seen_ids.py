"""The ids of all rows that a download has seen, in eight bytes each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_RUN = 4096  # hashes: as many as are sorted anew with each page
_RUNS = 16  # of them become one


class SeenIds:
    """A set of ids that only grows. It holds their hashes, in sorted arrays; ``len`` is how many there are.

    Two of a million ids have the same hash of 64 bits once in 40 million downloads; a row is then counted once too
    few, and is in the frame all the same.
    """

    def __init__(self) -> None:
        self._long: list[npt.NDArray[np.int64]] = []
        self._short: list[npt.NDArray[np.int64]] = []
        self._open = np.empty(0, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: set[str]) -> set[str]:
        """Take them in; those of them that are new."""
        hashes = np.fromiter(map(hash, ids), np.int64, len(ids))
        known = np.zeros(len(ids), dtype=bool)
        for run in (*self._long, *self._short, self._open):
            if len(run):
                known |= run[np.searchsorted(run[:-1], hashes)] == hashes
        self._take(hashes[~known])
        return {name for name, is_known in zip(ids, known.tolist(), strict=True) if not is_known}

    def _take(self, hashes: npt.NDArray[np.int64]) -> None:
        self._count += len(hashes)
        self._open = np.sort(np.concatenate((self._open, hashes)))
        if len(self._open) >= _RUN:
            self._short.append(self._open)
            self._open = np.empty(0, np.int64)
        if len(self._short) == _RUNS:
            self._long.append(np.sort(np.concatenate(self._short)))
            self._short.clear()

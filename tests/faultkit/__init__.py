"""Faults for the simulated location: what can go wrong at a server, in between, and on the user's machine.

``FaultySimulation`` is ``hlkit.sim.Simulation`` with ``fault``, ``mishaps``, ``edits`` and ``truth``. It is not part
of hlkit's wheel: some of this code kills programs, damages files and serves gzip bombs.
"""

from faultkit.simulation import FaultySimulation

__all__ = ["FaultySimulation"]

"""A simulated location: a real server on loopback that answers as HighLevel does.

It stands apart from the rest of hlkit on purpose: it imports the standard library, numpy
and its own folder only, so that the client and the server cannot share a mistake.
"""

from hlkit.sim.simulation import Simulation

__all__ = ["Simulation"]

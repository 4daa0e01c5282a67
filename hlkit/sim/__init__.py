"""A simulated location: a real server on loopback that answers as HighLevel does.

It imports only the standard library, numpy and its own folder, so that the client and the server
cannot share a mistake.
"""

from hlkit.sim.simulation import Simulation

__all__ = ["Simulation"]

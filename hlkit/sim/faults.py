"""All faults by name, and the helpers for those that are not the server's.

``FAULTS`` is the list: a fault's number is the one it has in hlkit's list of hazards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hlkit.sim import answer_faults, content_faults, wire_faults
from hlkit.sim.client_faults import (
    DAMAGES,
    PASTED,
    SHIFTS,
    UNRESOLVABLE,
    Bomb,
    closed_port,
    corrupt,
    full,
    interrupted,
    killed,
    locked,
    readonly,
    shifted,
    together,
    umask,
)
from hlkit.sim.fault import FAULTS, Fault, Injection, Moment
from hlkit.sim.tls import TROUBLES, Secured, tls

if TYPE_CHECKING:
    from hlkit.sim.simulation import Simulation

SEARCHED = ("contacts", "opportunities", "messages")


def _edits(sim: Simulation, seed: int, options: dict[str, Any]) -> None:
    sim.edits(seed=seed, **options)


def _same_key(sim: Simulation, seed: int, options: dict[str, Any]) -> None:
    for resource in options.get("resources", SEARCHED):
        sim.data.share_instant(resource, int(options.get("rows", 700)))


def _hostile(name: str) -> Callable[[Simulation, int, dict[str, Any]], None]:
    return lambda sim, seed, options: sim.data.hostile.add(name)


# Those that are no answer's: they change the rows themselves.
for _number, _name, _doc, _plant in (
    (15, "edits", "rows come, change and go between pages: sim.edits()", _edits),
    (19, "same_key", "many rows share one instant (option rows, 700)", _same_key),
    (47, "formula", "names, tags and fields that a spreadsheet would run", _hostile("formula")),
    (48, "text", "control characters, emoji, other scripts, notes of 40,000 characters", _hostile("text")),
    (49, "keys", "custom fields named id, contact_id, nothing, twice, at length, ../x", _hostile("keys")),
    (50, "terminal", "escape codes, links and remote pictures in names and notes", _hostile("terminal")),
):
    FAULTS[_name] = Fault(_number, _name, "data", _doc, plant=_plant)

MISHAPS = ("reset_peer", "short_body", "gzip_cut", "trickle", "status_5xx", "fake_200")


def listed() -> list[Fault]:
    """Every fault, by its number."""
    return sorted(FAULTS.values(), key=lambda one: one.number)


__all__ = [
    "DAMAGES",
    "FAULTS",
    "MISHAPS",
    "PASTED",
    "SHIFTS",
    "TROUBLES",
    "UNRESOLVABLE",
    "Bomb",
    "Fault",
    "Injection",
    "Moment",
    "Secured",
    "answer_faults",
    "closed_port",
    "content_faults",
    "corrupt",
    "full",
    "interrupted",
    "killed",
    "listed",
    "locked",
    "readonly",
    "shifted",
    "tls",
    "together",
    "umask",
    "wire_faults",
]

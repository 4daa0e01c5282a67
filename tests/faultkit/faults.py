"""All faults by name (``FAULTS``), and the helpers for those that are not the server's."""

from __future__ import annotations

from faultkit import answer_faults, content_faults, wire_faults
from faultkit.client_faults import (
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
from faultkit.fault import FAULTS, Fault, Injection, Moment
from faultkit.tls import TROUBLES, Secured, tls

# Faults of the rows themselves: ``FaultySimulation.fault`` makes them.
for _number, _name, _doc in (
    (15, "edits", "rows come, change and go between pages: sim.edits()"),
    (19, "same_key", "many rows share one instant (option rows, 700)"),
    (47, "formula", "names, tags and fields that a spreadsheet would run"),
    (48, "text", "control characters, emoji, other scripts, notes of 40,000 characters"),
    (49, "keys", "custom fields named id, contact_id, nothing, twice, at length, ../x"),
    (50, "terminal", "escape codes, links and remote pictures in names and notes"),
):
    FAULTS[_name] = Fault(_number, _name, "data", _doc)

MISHAPS = ("reset_peer", "short_body", "gzip_cut", "trickle", "status_5xx", "fake_200")


def listed() -> list[Fault]:
    """Every fault, by its number."""
    return sorted(FAULTS.values(), key=lambda fault: fault.number)


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

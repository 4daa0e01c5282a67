"""Texts that the public may type, and that a careless program runs, cuts or trips over; put into served rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hlkit.sim.clock import Array

Row = dict[str, Any]
Make = Callable[[Array], list[Row]]

STEP = 7  # one row in seven is spoiled

FORMULA = (
    '=HYPERLINK("http://x.example","a")',
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "Ann\r=1+1",
)
TEXT = (
    "nul\x00inside",
    "cut\rhere",
    "\u202eright to left",
    "family 👨‍👩‍👧‍👦",
    "山田太郎",
    "$x^$",
    "_x",
    "zero\u200bwidth",
    "e\u0301 combined",
    "tab\tand\u2028line",
)
TERMINAL = (
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[Hcleared",
    "![seen](http://x.example/pixel.png)",
    "[click](javascript:alert(1))",
    "\x9b31mC1",
    "bell\x07",
)
KEYS = ("id", "contact_id", "", "k" * 500, "__class__", "../x", "Budget", "Budget", "a/b\\c", "created_at", " id ")
LONG = "n" * 40_000

SETS: dict[str, tuple[str, ...]] = {"formula": FORMULA, "text": TEXT, "terminal": TERMINAL, "keys": KEYS}
# Where each resource holds what people type.
PLACES = {
    "contacts": ("firstName", "lastName", "contactName", "companyName"),
    "opportunities": ("name",),
    "messages": ("body",),
    "conversations": ("fullName", "contactName", "lastMessageBody"),
    "appointments": ("title",),
    "tasks": ("title", "body"),
    "notes": ("body", "bodyText"),
    "form_submissions": ("name",),
    "survey_submissions": ("name",),
    "transactions": ("contactName",),
    "orders": ("contactName",),
    "invoices": ("name",),
    "products": ("name",),
    "businesses": ("name",),
    "forms": ("name",),
    "surveys": ("name",),
}
FEW = {"tags": "name", "custom_fields": "name", "custom_values": "value"}


class Hostile:
    """The texts in force, and how rows are spoiled with them; always the same rows, in the same way."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.keys: tuple[str, ...] = ()
        self.long = False
        self.version = 0

    def add(self, name: str) -> None:
        """Bring a set into force."""
        if name == "keys":
            self.keys = KEYS
        else:
            self.texts = list(dict.fromkeys([*self.texts, *SETS[name]]))
            self.long |= name == "text"
        self.version += 1

    def spoiling(self, name: str, make: Make) -> Make:
        """Rows as *make* gives them, part of them spoiled."""

        def spoiled(numbers: Array) -> list[Row]:
            made = make(numbers)
            return self._spoiled(name, numbers, made) if self.version else made

        return spoiled

    def _spoiled(self, name: str, numbers: Array, made: list[Row]) -> list[Row]:
        for number, row in zip(numbers.tolist(), made, strict=True):
            turn, hit = number // STEP, number % STEP == 0
            for shift, key in enumerate(PLACES.get(name, ()) if hit and self.texts else ()):
                if key in row:
                    row[key] = self.texts[(turn + shift) % len(self.texts)]
            if hit and self.texts and row.get("tags"):
                row["tags"] = [*row["tags"], self.texts[turn % len(self.texts)]]
            if hit and self.long and name == "notes":
                row["body"] = LONG
            if name == "contacts" and self.keys:
                self._custom(row, number)
        return made

    def _custom(self, row: Row, number: int) -> None:
        place = number % len(self.keys)
        row["customFields"] = [*row["customFields"], {"id": key_id(place), "value": f"value {number}"}]

    def few(self, name: str, made: list[Row]) -> list[Row]:
        """Rows of what an account has few of, with more of them."""
        if name not in FEW or not made:
            return made
        more = [{**made[0], "id": f"hostile{place:013d}", FEW[name]: text} for place, text in enumerate(self.texts)]
        if name == "custom_fields":
            more = [{**row, "fieldKey": f"contact.hostile_{place}"} for place, row in enumerate(more)]
            more += list(self._fields(made[0]))
        return [*made, *more]

    def _fields(self, like: Row) -> Iterable[Row]:
        plain = {name: value for name, value in like.items() if name != "picklistOptions"}
        plain |= {"dataType": "TEXT", "model": "contact"}
        for place, key in enumerate(self.keys):
            yield {**plain, "id": key_id(place), "name": key, "fieldKey": f"contact.{key.strip()}"}


def key_id(place: int) -> str:
    """The id of the custom field whose name is the hostile key at a place."""
    return f"hostilekey{place:010d}"

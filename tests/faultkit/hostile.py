"""Texts that anybody can type into a form, and that careless programs execute, cut or fail on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hlkit.sim.clock import Array
from hlkit.sim.data import Data
from hlkit.sim.table import Row

STEP = 7  # one row in seven has a hostile text

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
# The fields of each resource with text that people typed.
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


class HostileData(Data):
    """Data of which some rows hold hostile texts: always the same rows, in the same way."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._hostile: list[str] = []
        self._keys: tuple[str, ...] = ()
        self._is_long = False

    def add_texts(self, name: str) -> None:
        """Put a set of texts into the rows."""
        with self.lock:
            if name == "keys":
                self._keys = KEYS
            else:
                self._hostile = list(dict.fromkeys([*self._hostile, *SETS[name]]))
                self._is_long |= name == "text"
            self._texts.clear()

    def make(self, name: str, numbers: Array) -> list[Row]:
        """The JSON rows of a table, one in ``STEP`` of them with hostile texts."""
        rows = super().make(name, numbers)
        if not self._hostile and not self._keys:
            return rows
        for number, row in zip(numbers.tolist(), rows, strict=True):
            turn, is_hit = number // STEP, number % STEP == 0
            for shift, key in enumerate(PLACES.get(name, ()) if is_hit and self._hostile else ()):
                if key in row:
                    row[key] = self._hostile[(turn + shift) % len(self._hostile)]
            if is_hit and self._hostile and row.get("tags"):
                row["tags"] = [*row["tags"], self._hostile[turn % len(self._hostile)]]
            if is_hit and self._is_long and name == "notes":
                row["body"] = LONG
            if name == "contacts" and self._keys:
                value = {"id": key_id(number % len(self._keys)), "value": f"value {number}"}
                row["customFields"] = [*row["customFields"], value]
        return rows

    def few(self, name: str) -> list[Row]:
        """Rows of what an account has few of, and a row for each hostile text."""
        rows = super().few(name)
        if name not in FEW or not rows:
            return rows
        more = [
            {**rows[0], "id": f"hostile{index:013d}", FEW[name]: text} for index, text in enumerate(self._hostile)
        ]
        if name == "custom_fields":
            more = [{**row, "fieldKey": f"contact.hostile_{index}"} for index, row in enumerate(more)]
            more += list(self._fields(rows[0]))
        return [*rows, *more]

    def _fields(self, like: Row) -> Iterator[Row]:
        plain = {name: value for name, value in like.items() if name != "picklistOptions"}
        plain |= {"dataType": "TEXT", "model": "contact"}
        for index, key in enumerate(self._keys):
            yield {**plain, "id": key_id(index), "name": key, "fieldKey": f"contact.{key.strip()}"}


def key_id(index: int) -> str:
    """The id of the custom field whose name is the hostile key at an index."""
    return f"hostilekey{index:010d}"

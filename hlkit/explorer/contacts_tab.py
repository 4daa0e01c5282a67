"""Contacts: find them as you type, look at one of them, and take them along as a DataFrame."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as W
import pandas as pd

from hlkit.analysis.core.charts import name_or_placeholder
from hlkit.client.errors import InvalidRequest
from hlkit.client.http.progress import Progress
from hlkit.client.schema import TEXT
from hlkit.client.text import printable
from hlkit.explorer import html, search, timeline
from hlkit.explorer.background_task import Steady, Work
from hlkit.explorer.controls import LABEL, in_rows
from hlkit.explorer.date_presets import day_bounds
from hlkit.explorer.export_panel import Saving
from hlkit.explorer.quota_tab import estimate, in_words
from hlkit.explorer.search import Book, Wanted
from hlkit.explorer.view import NO_LOCATION, Chosen, View
from hlkit.files.export import write

FIRST = ("name", "email", "phone", "source", "owner", "created_at")  # the columns to show first
PAGE = 25  # rows on a page
ANY, NO = "(any)", ""
_CHOICES = ("search", "tag", "source", "owner", "since", "until", "field", "contains", "columns")


def checked(given: Mapping[str, Any] | None, chosen: Chosen) -> dict[str, Any]:
    """What is looked for, to begin with. Raises ``InvalidRequest``."""
    wanted = dict(given or {})
    for name in wanted:
        if name not in _CHOICES:
            raise InvalidRequest(f"contacts have no {name!r} to look for", hint=f"there are {', '.join(_CHOICES)}")
    day_bounds(wanted, chosen.zone, chosen.today)
    return wanted


class ContactsView(View):
    """The loaded contacts; what is kept is there at once, what is not has a button."""

    title = "Contacts"

    def __init__(self, chosen: Chosen, given: Mapping[str, Any] | None = None) -> None:
        self.work, self.opening = Work(), Work()
        self.book: Book | None = None
        self.selected = pd.DataFrame()
        self._whole = False  # whether the owners' names were asked for, too
        self._page, self._opened = 0, NO  # the contact that is shown
        self._given = checked(given, chosen)
        self._steady = Steady(self.does(self._search))
        super().__init__(chosen)

    # ---- its widgets

    def made(self) -> W.Box:
        self.load = W.Button(description="Load", button_style="primary", tooltip="Read all contacts")
        self.cancel = W.Button(description="Cancel", disabled=True, tooltip="Stop")
        self.status = W.HTML()
        self.search = W.Text(description="Search", placeholder="name, email, phone or company", style=LABEL)
        self.tag, self.source, self.owner = (self._dropdown(name) for name in ("Tag", "Source", "Owner"))
        self.since = W.DatePicker(description="From", tooltip="The first day", style=LABEL)
        self.until = W.DatePicker(description="Before", tooltip="The day after the last", style=LABEL)
        self.field = self._dropdown("Field")
        self.contains = W.Text(description="Contains", style=LABEL)
        self.columns = W.SelectMultiple(description="Columns", rows=6, style=LABEL)
        self.table = W.HTML()
        self.back = W.Button(description="Previous", tooltip="The rows before")
        self.forth = W.Button(description="Next", tooltip="The rows after")
        self.one = W.Dropdown(options=[("(choose)", NO)], description="Contact", style=LABEL)
        self.open = W.Button(description="Open", tooltip="Show all that is known of this contact")
        self.rest = W.Button(description="Read the rest", tooltip="Read what else there may be of this contact")
        self.leave = W.Button(description="Cancel", disabled=True, tooltip="Stop")
        self.rest.layout.display = "none"
        self.estimate = W.HTML()
        self.going, self.page = W.HTML(), W.HTML()
        self.saving = Saving({"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet"}, self._write, self.chosen)
        for name in ("load", "search", "table", "one", "open", "rest", "page"):
            getattr(self, name).add_class(f"hlkit-contacts-{name}")
        self.load.on_click(self.does(self.start))
        self.cancel.on_click(self.does(self.work.stop))
        self.work.observe(self.does(self._show_progress), ["status", "words"])
        self.opening.observe(self.does(self._show_opening), ["status", "words"])
        self.chosen.observe(self.does(self._show_estimate), "spent")
        for control in self._filters().values():
            control.observe(self.does(self._steady), "value")
        self.columns.observe(self.does(self._show_rows), "value")
        self.back.on_click(self.does(lambda: self._turn(-1)))
        self.forth.on_click(self.does(lambda: self._turn(1)))
        self.open.on_click(self.does(self.open_one))
        self.rest.on_click(self.does(lambda: self.open_one(everything=True)))
        self.leave.on_click(self.does(self.opening.stop))
        self.found = W.VBox(
            [
                in_rows([*self._filters().values()]),
                W.Accordion(children=[self.columns], titles=["Columns to show"]),
                self.table,
                W.HBox([self.back, self.forth]),
                W.HBox([self.one, self.open, self.rest, self.leave]),
                self.going,
                self.page,
                W.Accordion(children=[self.saving.box], titles=["Export what is found"]),
            ]
        )
        self.found.layout.display = "none"
        return W.VBox([W.HBox([self.load, self.cancel]), self.estimate, self.status, self.found])

    @staticmethod
    def _dropdown(name: str) -> W.Dropdown:
        return W.Dropdown(options=[(ANY, NO)], description=name, style=LABEL)

    def _filters(self) -> dict[str, W.Widget]:
        return {name: getattr(self, name) for name in _CHOICES if name != "columns"}

    def works(self) -> tuple[Work, ...]:
        return self.work, self.opening

    def close(self) -> None:
        self._steady.cancel()
        super().close()
        self.book, self.selected = None, pd.DataFrame()

    # ---- loading

    def opened(self) -> None:
        """Show what is kept; no request."""
        self.work.stop()
        self.opening.stop()
        self.book, self.selected, self.page.value = None, pd.DataFrame(), ""
        self.rest.layout.display, self.going.value = "none", ""
        self.found.layout.display = "none"
        kept = self.chosen.quietly(lambda loc: self._read(loc.cached, None))
        if kept is None:
            self.columns.options = ()
        else:
            self._show(kept)
        self._whole = kept is not None and "owner" in kept
        self.load.disabled = self.chosen.loc is None
        self._show_estimate()

    def _show_estimate(self) -> None:
        """What the button would do, and spend."""
        loc, words = self.chosen.loc, NO_LOCATION
        self.load.description = "Load" if self.book is None else "Read again" if self._whole else "Load names"
        if loc is not None:
            words = "" if self._whole else in_words(loc.costs("contacts", "users"))
        if self.book is not None and words:
            words = f"The owners' names are not read yet. {words}"
        self.estimate.value = html.note(words) if words else ""

    def start(self) -> None:
        """Read the contacts, in a thread."""
        loc = self.chosen.loc
        again = self._whole
        if loc is not None:
            self.work.start(lambda progress: self._read(loc, progress, refresh=again), self._loaded)

    @staticmethod
    def _read(loc: Any, progress: Progress | None, refresh: bool = False) -> pd.DataFrame:
        """The contacts, with the names of their owners where they may be read."""
        contacts: pd.DataFrame = loc.contacts(progress=progress, refresh=refresh)
        owners = loc.with_names(contacts[["owner_id"]])
        if not loc.offline:
            loc.timezone.key  # noqa: B018  the zone that days are in: read once, and kept
        return contacts.assign(owner=owners["owner"]) if "owner" in owners else contacts

    def _loaded(self, contacts: pd.DataFrame) -> None:
        self._show(contacts)
        self._whole = True
        self.chosen.spent += 1

    def _show(self, contacts: pd.DataFrame) -> None:
        contacts = self.chosen.shown(contacts)
        names = contacts["owner"] if "owner" in contacts else pd.Series(None, contacts.index, TEXT.dtype)
        contacts = contacts.assign(owner=name_or_placeholder(names, contacts["owner_id"], "owner"))
        self.book = Book(contacts, self.chosen.zone)
        self.selected, self._page = contacts, 0
        self._fill(contacts)
        self.found.layout.display = ""
        self._search()

    def _fill(self, contacts: pd.DataFrame) -> None:
        """The values that there are to choose from; what was chosen stays where it can."""
        owners = contacts[["owner", "owner_id"]].dropna().drop_duplicates("owner_id")
        fields = [name for name in contacts.columns if name not in FIRST and contacts[name].notna().any()]
        choices: dict[W.Widget, list[tuple[str, Any]]] = {
            self.tag: [(_label(one), one) for one in search.options(contacts["tags"])],
            self.source: [(_label(one), one) for one in search.options(contacts["source"], search.spelled)],
            self.owner: [(_label(name), one) for name, one in sorted(owners.itertuples(index=False, name=None))],
            self.field: [(_label(name), name) for name in fields],
        }
        given, self._given = self._given, {}
        for widget, options in choices.items():
            before = widget.value
            widget.options = [(ANY, NO), *options]
            if before in [value for _, value in options]:
                widget.value = before
        rest = [name for name in contacts.columns if name not in FIRST]
        self.columns.options = [(_label(name), name) for name in (*FIRST, *rest)]
        columns = [name for name in given.pop("columns", FIRST) if name in contacts]
        self.columns.value = tuple(columns)
        dates = dict(zip(("since", "until"), day_bounds(given, self.chosen.zone, self.chosen.today), strict=True))
        for name, value in given.items():
            _set_where_possible(getattr(self, name), dates.get(name, value))

    # ---- finding: in what is loaded, no request

    @property
    def wanted(self) -> Wanted:
        """What is looked for."""
        return Wanted(
            self.search.value,
            self.tag.value or None,
            self.source.value or None,
            self.owner.value or None,
            self.since.value,
            self.until.value,
            self.field.value or None,
            self.contains.value,
        )

    def _search(self) -> None:
        if self.book is not None:
            self.selected = self.book.find(self.wanted)
            self._page = 0
            self._show_rows()

    def _turn(self, step: int) -> None:
        last = max(0, (len(self.selected) - 1) // PAGE)
        self._page = min(max(0, self._page + step), last)
        self._show_rows()

    def _show_rows(self) -> None:
        if self.book is None:
            return
        start = self._page * PAGE
        rows = self.selected.iloc[start : start + PAGE]
        found = f"{start + 1:,} to {start + len(rows):,} of {len(self.selected):,} contacts"
        if len(self.selected) == 1:
            found = "1 contact"
        whole = "" if len(self.selected) == len(self.book.contacts) else f", from {len(self.book.contacts):,}"
        self.back.disabled, self.forth.disabled = start == 0, start + PAGE >= len(self.selected)
        told = f"{found if len(rows) else 'no contacts found'}{whole}; times in {self.book.zone}"
        columns = list(self.columns.value)
        self.table.value = html.table(rows[columns], self.book.zone, more=told, name="hlkit-found")
        before = self.one.value
        self.one.options = [("(choose)", NO), *zip(_named(rows), rows["contact_id"].tolist(), strict=True)]
        _set_where_possible(self.one, before)

    def settle(self) -> None:
        """Show now what the last change wants."""
        self._steady.flush()

    # ---- one contact

    def open_one(self, *, everything: bool = False) -> None:
        """Show all that is known of the chosen contact, in a thread: it may spend a request or two.

        *everything* reads what the server does not give for one contact alone, too.
        """
        loc, contact = self.chosen.loc, self._opened if everything else self.one.value
        if loc is None or not contact:
            self.page.value = html.note("Choose a contact first.")
            return
        read = functools.partial(timeline.read, loc, contact, everything=everything)
        if self.opening.start(lambda progress: read(progress=progress), self._show_one(contact)):
            self._opened, self.page.value = contact, ""

    def _show_one(self, contact: str) -> Callable[[timeline.Read], None]:
        def show(read: timeline.Read) -> None:
            frames, refused, unread = read
            loc, book = self.chosen.loc, self.book
            assert book is not None
            rows = book.contacts.loc[book.contacts["contact_id"] == contact]
            row = rows.iloc[:1].drop(columns="owner_id")
            fields = [(name, html.texts(row[name], book.zone)[0]) for name in row.columns]
            events = timeline.events(contact, {name: self.chosen.shown(frame) for name, frame in frames.items()})
            parts = [html.box(f"<b>{html.plain(_named(rows)[0])}</b>")]
            if len(events):
                parts.append(html.table(events, book.zone, name="hlkit-timeline", longest=200))
            elif frames:
                parts.append(html.note(f"There are no {' or '.join(frames)}."))
            parts += [html.note(f"{name} are not shown: {self.chosen.words(why)}") for name, why in refused.items()]
            if unread:
                words = f"Not shown, since not read yet: {', '.join(unread)}."
                if not loc.offline:
                    requests, unknown = estimate(loc.costs(*unread))
                    cost = (
                        "Check, in the tab Location, tells what that costs" if unknown else f"{requests:,} requests"
                    )
                    words += f" Read the rest reads those of all contacts: {cost}."
                parts.append(html.note(words))
            self.rest.layout.display = "" if unread and not loc.offline else "none"
            self.page.value = "".join(parts) + html.facts((str(name), value) for name, value in fields if value)
            self.chosen.spent += 1

        return show

    def _show_opening(self) -> None:
        status = self.opening.status
        self.open.disabled = self.rest.disabled = status == "running"
        self.leave.disabled = status != "running"
        self.going.value = self.chosen.progress(self.opening)

    def _show_progress(self) -> None:
        self.load.disabled = self.work.status == "running"
        self.cancel.disabled = self.work.status != "running"
        self.status.value = self.chosen.progress(self.work)

    def _write(self, folder: Path, ending: str) -> Path | None:
        if self.book is None or self.frame is None:
            return None
        return write(self.frame, folder / f"contacts.{ending}", timezone=self.book.zone)

    # ---- what it was

    @property
    def frame(self) -> pd.DataFrame | None:
        return None if self.book is None else self.selected.drop(columns="owner", errors="ignore")

    @property
    def code(self) -> str:
        return self.whole("contacts = loc.contacts()", search.code(self.wanted, self.chosen.zone))

    @property
    def choices(self) -> dict[str, Any]:
        told = {}
        for name, widget in self._filters().items():
            if widget.value not in (None, ""):
                told[name] = widget.value.isoformat() if name in ("since", "until") else widget.value
        if self.columns.options and tuple(self.columns.value) != FIRST:
            told["columns"] = list(self.columns.value)
        return {"contacts": told} if told else {}


def _named(rows: pd.DataFrame) -> list[str]:
    """Each contact by its name and the end of its id, since names are not unique."""
    names = rows["name"].fillna(rows["email"]).fillna("(no name)")
    return [f"{_label(name)} · {one[-4:]}" for name, one in zip(names, rows["contact_id"], strict=True)]


def _label(value: object) -> str:
    return " ".join(printable(str(value)).split())[:60] or "(blank)"


def _set_where_possible(widget: W.Widget, value: Any) -> None:
    if not hasattr(widget, "options") or value in [one for _, one in widget.options]:
        widget.value = value

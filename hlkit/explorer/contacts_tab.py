"""The Contacts tab: search the contacts as you type, open one of them, and export what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from hlkit.analysis.core.charts.labels import name_or_placeholder
from hlkit.client.http.progress import Progress
from hlkit.client.options import refuse_unknown
from hlkit.client.schema import TEXT
from hlkit.client.text import printable
from hlkit.explorer import html, search, timeline
from hlkit.explorer.background_task import BackgroundTask, Throttle
from hlkit.explorer.controls import LABEL_STYLE, grid
from hlkit.explorer.date_presets import date_range
from hlkit.explorer.export_panel import ExportPanel
from hlkit.explorer.quota_tab import cost_message, total_requests
from hlkit.explorer.search import ContactIndex, Criteria
from hlkit.explorer.view import NO_LOCATION, ExplorerState, View
from hlkit.files.export import write

DEFAULT_COLUMNS = ("name", "email", "phone", "source", "owner", "created_at")
PAGE_SIZE = 25  # rows
NO_CHOICE = ""  # the value of a dropdown that is set to "(any)" or "(choose)"
_FILTERS = ("search", "tag", "source", "owner", "since", "until", "field", "contains")
_EXPORT_FORMATS = {"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet"}


class ContactsView(View):
    """The contacts. Cached ones show at once; a button downloads the others."""

    title = "Contacts"

    def __init__(self, state: ExplorerState, filters: Mapping[str, Any] | None = None) -> None:
        self.task = BackgroundTask()  # downloads the contacts
        self.contact_task = BackgroundTask()  # reads the records of one contact
        self.index: ContactIndex | None = None  # None until contacts are loaded
        self.selected = pd.DataFrame()  # the contacts that match the filters
        self._is_complete = False  # with owner names, unless the token cannot read users
        self._page_number = 0
        self._open_contact_id = NO_CHOICE
        self._initial_filters = check_filters(filters, state)
        self._search_soon = Throttle(self.callback(self._search))
        super().__init__(state)

    # ---- widgets

    def build(self) -> widgets.Box:
        self.load_button = widgets.Button(description="Load", button_style="primary", tooltip="Download all contacts")
        self.cancel_button = widgets.Button(description="Cancel", disabled=True, tooltip="Stop the download")
        self.cost_note, self.status = widgets.HTML(), widgets.HTML()
        self._build_filters()
        self._build_table()
        self._build_contact_page()
        self.export_panel = ExportPanel(_EXPORT_FORMATS, self._export, self.state)
        self._connect_callbacks()
        self.results = widgets.VBox(
            [
                grid([*self._filters().values()]),
                widgets.Accordion(children=[self.columns], titles=["Columns to show"]),
                self.table,
                widgets.HBox([self.previous_button, self.next_button]),
                widgets.HBox([self.picker, self.open_button, self.load_rest_button, self.cancel_contact_button]),
                self.contact_status,
                self.contact_page,
                widgets.Accordion(children=[self.export_panel.box], titles=["Export these contacts"]),
            ]
        )
        self.results.layout.display = "none"
        for css_class, widget in (
            ("hlkit-contacts-load", self.load_button),
            ("hlkit-contacts-search", self.search),
            ("hlkit-contacts-table", self.table),
            ("hlkit-contacts-picker", self.picker),
            ("hlkit-contacts-open", self.open_button),
            ("hlkit-contacts-rest", self.load_rest_button),
            ("hlkit-contacts-page", self.contact_page),
        ):
            widget.add_class(css_class)
        buttons = widgets.HBox([self.load_button, self.cancel_button])
        return widgets.VBox([buttons, self.cost_note, self.status, self.results])

    def _build_filters(self) -> None:
        self.search = widgets.Text(
            description="Search", placeholder="Name, email, phone or company", style=LABEL_STYLE
        )
        self.tag, self.source, self.owner, self.field = (
            widgets.Dropdown(options=[("(any)", NO_CHOICE)], description=label, style=LABEL_STYLE)
            for label in ("Tag", "Source", "Owner", "Field")
        )
        self.since = widgets.DatePicker(
            description="Start", tooltip="Created on or after this day", style=LABEL_STYLE
        )
        self.until = widgets.DatePicker(
            description="End (exclusive)", tooltip="Created before this day", style=LABEL_STYLE
        )
        self.contains = widgets.Text(description="Contains", placeholder="Text in the field", style=LABEL_STYLE)

    def _filters(self) -> dict[str, widgets.Widget]:
        return {name: getattr(self, name) for name in _FILTERS}

    def _build_table(self) -> None:
        self.columns = widgets.SelectMultiple(description="Columns", rows=6, style=LABEL_STYLE)
        self.table = widgets.HTML()
        self.previous_button = widgets.Button(description="Previous", tooltip="Previous page")
        self.next_button = widgets.Button(description="Next", tooltip="Next page")

    def _build_contact_page(self) -> None:
        self.picker = widgets.Dropdown(options=[("(choose)", NO_CHOICE)], description="Contact", style=LABEL_STYLE)
        self.open_button = widgets.Button(description="Open", tooltip="Show this contact and its timeline")
        self.load_rest_button = widgets.Button(
            description="Load the rest", tooltip="Download the records that are missing from the timeline"
        )
        self.load_rest_button.layout.display = "none"
        self.cancel_contact_button = widgets.Button(
            description="Cancel", disabled=True, tooltip="Stop loading this contact"
        )
        self.contact_status, self.contact_page = widgets.HTML(), widgets.HTML()

    def _connect_callbacks(self) -> None:
        self.load_button.on_click(self.callback(self.start))
        self.cancel_button.on_click(self.callback(self.task.stop))
        self.task.observe(self.callback(self._show_progress), ["status", "message"])
        self.state.observe(self.callback(self._show_cost), "read_count")
        for control in self._filters().values():
            control.observe(self.callback(self._search_soon), "value")
        self.columns.observe(self.callback(self._show_page), "value")
        self.previous_button.on_click(self.callback(lambda: self._turn_page(-1)))
        self.next_button.on_click(self.callback(lambda: self._turn_page(1)))
        self.open_button.on_click(self.callback(self.open_contact))
        self.load_rest_button.on_click(self.callback(self.load_rest))
        self.cancel_contact_button.on_click(self.callback(self.contact_task.stop))
        self.contact_task.observe(self.callback(self._show_contact_progress), ["status", "message"])

    def tasks(self) -> tuple[BackgroundTask, ...]:
        return self.task, self.contact_task

    def close(self) -> None:
        self._search_soon.cancel()
        super().close()
        self.index, self.selected = None, pd.DataFrame()

    # ---- loading

    def refresh(self) -> None:
        for task in self.tasks():
            task.stop()
        self.index, self.selected = None, pd.DataFrame()
        self.contact_page.value = self.contact_status.value = ""
        self.load_rest_button.layout.display = self.results.layout.display = "none"
        cached_contacts = self.state.try_read(lambda loc: _read_contacts(loc.cached))
        self._is_complete = cached_contacts is not None and "owner" in cached_contacts
        if cached_contacts is None:
            self.columns.options = ()
        else:
            self._show_contacts(cached_contacts)
        self.load_button.disabled = self.state.loc is None
        self._show_cost()

    def _show_cost(self) -> None:
        """Label the Load button and show what it costs."""
        loc, message = self.state.loc, ""
        if self.index is None:
            self.load_button.description = "Load"
        else:
            self.load_button.description = "Reload" if self._is_complete else "Load owner names"
        if loc is None:
            message = NO_LOCATION
        elif not self._is_complete:
            message = cost_message(loc.costs("contacts", "users"))
            if self.index is not None:
                message = f"Owner names are not loaded yet. {message}"
        self.cost_note.value = html.note(message) if message else ""

    def start(self) -> None:
        """Load the contacts in the background; if they are complete, download them again."""
        loc, refresh = self.state.loc, self._is_complete
        if loc is not None:
            self.task.start(lambda progress: _read_contacts(loc, progress, refresh=refresh), self._on_loaded)

    def _on_loaded(self, contacts: pd.DataFrame) -> None:
        self._show_contacts(contacts)
        self._is_complete = True
        self.state.read_count += 1

    def _show_progress(self) -> None:
        is_running = self.task.status == "running"
        self.load_button.disabled, self.cancel_button.disabled = is_running, not is_running
        self.status.value = self.state.task_html(self.task)

    def _show_contacts(self, contacts: pd.DataFrame) -> None:
        contacts = self.state.redact_frame(contacts)
        names = contacts["owner"] if "owner" in contacts else pd.Series(None, contacts.index, TEXT.dtype)
        contacts = contacts.assign(owner=name_or_placeholder(names, contacts["owner_id"], "owner"))
        self.index = ContactIndex(contacts, self.state.zone)
        self.selected, self._page_number = contacts, 0
        self._fill_filters(contacts)
        self.results.layout.display = ""
        self._search()

    def _fill_filters(self, contacts: pd.DataFrame) -> None:
        """Offer the values in *contacts*. Selected values stay selected if they still exist."""
        owners = contacts[["owner", "owner_id"]].dropna().drop_duplicates("owner_id")
        other_columns = [name for name in contacts.columns if name not in DEFAULT_COLUMNS]
        options: dict[widgets.Dropdown, list[tuple[str, Any]]] = {
            self.tag: [(_label(tag), tag) for tag in search.distinct_values(contacts["tags"])],
            self.source: [
                (_label(source), source)
                for source in search.distinct_values(contacts["source"], search.normalize_source)
            ],
            self.owner: [(_label(name), owner_id) for name, owner_id in sorted(owners.itertuples(index=False))],
            self.field: [(_label(name), name) for name in other_columns if contacts[name].notna().any()],
        }
        for dropdown, choices in options.items():
            value = dropdown.value
            dropdown.options = [("(any)", NO_CHOICE), *choices]
            _select(dropdown, value)
        self.columns.options = [(_label(name), name) for name in (*DEFAULT_COLUMNS, *other_columns)]
        self._apply_initial_filters(contacts)

    def _apply_initial_filters(self, contacts: pd.DataFrame) -> None:
        """Set the filters that the explorer was opened with, when the first contacts arrive."""
        filters, self._initial_filters = self._initial_filters, {}
        self.columns.value = tuple(name for name in filters.pop("columns", DEFAULT_COLUMNS) if name in contacts)
        dates = dict(zip(("since", "until"), date_range(filters, self.state.zone, self.state.today), strict=True))
        for name, value in filters.items():
            _select(getattr(self, name), dates.get(name, value))

    # ---- searching the loaded contacts: no request

    @property
    def criteria(self) -> Criteria:
        """The filters as search criteria."""
        return Criteria(
            search=self.search.value,
            tag=self.tag.value or None,
            source=self.source.value or None,
            owner_id=self.owner.value or None,
            since=self.since.value,
            until=self.until.value,
            field=self.field.value or None,
            contains=self.contains.value,
        )

    def search_now(self) -> None:
        """Apply the filters now. Changing a filter applies it up to a tenth of a second later."""
        self._search_soon.call_now()

    def _search(self) -> None:
        if self.index is not None:
            self.selected, self._page_number = self.index.find(self.criteria), 0
            self._show_page()

    def _turn_page(self, pages: int) -> None:
        last_page = max(0, (len(self.selected) - 1) // PAGE_SIZE)
        self._page_number = min(max(0, self._page_number + pages), last_page)
        self._show_page()

    def _show_page(self) -> None:
        if self.index is None:
            return
        start = self._page_number * PAGE_SIZE
        rows = self.selected.iloc[start : start + PAGE_SIZE]
        total = len(self.selected)
        self.previous_button.disabled, self.next_button.disabled = start == 0, start + PAGE_SIZE >= total
        if total > 1:
            footer = f"{start + 1:,} to {start + len(rows):,} of {total:,} contacts"
        else:
            footer = "1 contact" if total else "No contacts found"
        if total < len(self.index.contacts):
            footer += f", filtered from {len(self.index.contacts):,}"
        footer += f". Times in {self.index.zone}."
        columns = list(self.columns.value)
        self.table.value = html.table(rows[columns], self.index.zone, footer=footer, css_class="hlkit-found")
        contact_id = self.picker.value
        self.picker.options = [("(choose)", NO_CHOICE), *zip(_contact_labels(rows), rows["contact_id"], strict=True)]
        _select(self.picker, contact_id)

    # ---- one contact

    def open_contact(self) -> None:
        """Show the selected contact and its timeline. Reads them in the background, in a request or two."""
        self._start_contact_task(self.picker.value, download_all=False)

    def load_rest(self) -> None:
        """Complete the open contact's timeline: download the resources that the API returns only for all contacts."""
        self._start_contact_task(self._open_contact_id, download_all=True)

    def _start_contact_task(self, contact_id: str, *, download_all: bool) -> None:
        loc = self.state.loc
        if loc is None or not contact_id:
            self.contact_page.value = html.note("Choose a contact first.")
            return

        def read(progress: Progress) -> timeline.ContactRecords:
            return timeline.read_records(loc, contact_id, progress, download_all=download_all)

        if self.contact_task.start(read, lambda records: self._show_contact(contact_id, records)):
            self._open_contact_id, self.contact_page.value = contact_id, ""

    def _show_contact(self, contact_id: str, records: timeline.ContactRecords) -> None:
        assert self.index is not None
        contacts, zone = self.index.contacts, self.index.zone
        contact = contacts[contacts["contact_id"] == contact_id].head(1)
        frames = {name: self.state.redact_frame(frame) for name, frame in records.frames.items()}
        events = timeline.events(contact_id, frames)
        parts = [html.box(f"<b>{html.one_line(_contact_labels(contact)[0])}</b>")]
        if len(events):
            parts.append(html.table(events, zone, css_class="hlkit-timeline", max_length=200))
        elif frames:
            parts.append(html.note(f"No {' or '.join(frames)}."))
        for name, reason in records.refused.items():
            parts.append(html.note(f"Not shown: {name}. {self.state.redact_message(reason)}"))
        can_load_rest = bool(records.not_cached) and not self.state.loc.offline
        if records.not_cached:
            parts.append(html.note(self._not_cached_message(records.not_cached)))
        fields = {name: html.column_texts(contact[name], zone)[0] for name in contact.columns if name != "owner_id"}
        parts.append(html.key_values((str(name), value) for name, value in fields.items() if value))
        self.load_rest_button.layout.display = "" if can_load_rest else "none"
        self.contact_page.value = "".join(parts)
        self.state.read_count += 1

    def _not_cached_message(self, resources: list[str]) -> str:
        message = f"Not shown because not downloaded yet: {', '.join(resources)}."
        if self.state.loc.offline:
            return message
        requests, unknown = total_requests(self.state.loc.costs(*resources))
        cost = "to see the cost, click Check on the Location tab" if unknown else f"{requests:,} requests"
        return f"{message} Load the rest downloads them for all contacts ({cost})."

    def _show_contact_progress(self) -> None:
        is_running = self.contact_task.status == "running"
        self.open_button.disabled = self.load_rest_button.disabled = is_running
        self.cancel_contact_button.disabled = not is_running
        self.contact_status.value = self.state.task_html(self.contact_task)

    def _export(self, folder: Path, extension: str) -> Path | None:
        if self.index is None or self.frame is None:
            return None
        return write(self.frame, folder / f"contacts.{extension}", timezone=self.index.zone)

    # ---- the equivalent code

    @property
    def frame(self) -> pd.DataFrame | None:
        return None if self.index is None else self.selected.drop(columns="owner", errors="ignore")

    @property
    def code(self) -> str:
        return self.full_code("contacts = loc.contacts()", search.code(self.criteria, self.state.zone))

    @property
    def choices(self) -> dict[str, Any]:
        filters: dict[str, Any] = {}
        for name, control in self._filters().items():
            if control.value not in (None, ""):
                filters[name] = control.value.isoformat() if name in ("since", "until") else control.value
        if self.columns.options and tuple(self.columns.value) != DEFAULT_COLUMNS:
            filters["columns"] = list(self.columns.value)
        return {"contacts": filters} if filters else {}


def check_filters(filters: Mapping[str, Any] | None, state: ExplorerState) -> dict[str, Any]:
    """*filters* as a dict. Raises ``InvalidRequest`` for an unknown filter or an invalid date."""
    filters = dict(filters or {})
    refuse_unknown("contacts", filters, (*_FILTERS, "columns"))
    date_range(filters, state.zone, state.today)  # raises if a date is invalid
    return filters


def _read_contacts(loc: Any, progress: Progress | None = None, refresh: bool = False) -> pd.DataFrame:
    """The contacts of a location or of its cache, with the column ``owner`` if the users can be read."""
    contacts: pd.DataFrame = loc.contacts(progress=progress, refresh=refresh)
    owners = loc.with_names(contacts[["owner_id"]])
    if not loc.offline:
        loc.timezone.key  # noqa: B018  reads and caches the time zone, which the search needs
    return contacts.assign(owner=owners["owner"]) if "owner" in owners else contacts


def _contact_labels(contacts: pd.DataFrame) -> list[str]:
    """The name of each contact and the end of its id, since names are not unique."""
    names = contacts["name"].fillna(contacts["email"]).fillna("(no name)")
    return [
        f"{_label(name)} · {contact_id[-4:]}" for name, contact_id in zip(names, contacts["contact_id"], strict=True)
    ]


def _label(value: object) -> str:
    """*value* as a label in a dropdown."""
    return " ".join(printable(str(value)).split())[:60] or "(blank)"


def _select(control: widgets.Widget, value: Any) -> None:
    """Set a control to *value*. A dropdown that does not offer it is left unchanged."""
    if not hasattr(control, "options") or value in [choice for _, choice in control.options]:
        control.value = value

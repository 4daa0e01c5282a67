"""The rows behind a group of a table: from a number to the people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from hlkit.analysis.core.groups import OTHER
from hlkit.analysis.core.run_log import RunLog
from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.schema import Kind
from hlkit.client.text import did_you_mean

_IDS = (
    "user_id",
    "owner_id",
    "stage_id",
    "pipeline_id",
    "calendar_id",
    "opportunity_id",
    "conversation_id",
    "contact_id",
)


@dataclass(frozen=True)
class RowsBehind:
    """The rows of a run by group.

    ``columns`` are the columns that an analysis declares for them; ``name_and_link`` adds the names of contacts and
    links to them.
    """

    table: pd.DataFrame
    log: RunLog
    columns: Mapping[str, Kind]
    name_and_link: Callable[[pd.DataFrame], pd.DataFrame]

    def of(self, group: str | tuple[str, str] | None) -> pd.DataFrame:
        """The rows of *group*, named as in the table; all rows for None. Raises ``InvalidRequest``."""
        rows, keys = self.log.rows, self.log.keys
        if rows is None or keys is None:
            raise InvalidRequest(
                "this table has no groups whose rows can be listed",
                hint="a table of people or deals is such a list itself; split credit belongs to no single group",
            )
        wanted = self._keys_of(group, keys)
        is_wanted = pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(wanted))
        shown = rows[is_wanted]
        names = [name for name in self.columns if name in shown]
        ids = [name for name in _IDS if name in shown and name not in names]
        out = shown[[*names, *ids]]
        if self.log.uncombined is not None and group == OTHER:
            out.insert(0, str(keys.columns[0]), self.log.uncombined[is_wanted].to_numpy())
            out = out.sort_values(out.columns[0], kind="stable")
        return self.name_and_link(out.reset_index(drop=True))

    def _keys_of(self, group: str | tuple[str, str] | None, keys: pd.DataFrame) -> pd.DataFrame:
        """The keys of the rows of the table that *group* names, by any of its texts."""
        known = keys.drop_duplicates()
        if group is None:
            return known
        texts = self.table.select_dtypes(include=["string", "object"])
        numbers = [name for name in keys if name in self.table and name not in texts]  # such as an hour
        texts = texts.join(self.table[numbers].astype("str"))
        parts = group if isinstance(group, tuple) else (group,)
        is_named = pd.Series(True, index=self.table.index)
        for part in parts:
            is_named &= (texts == part).fillna(False).any(axis=1)
        renamed = {key: f"{key} (group)" for key in keys.columns}  # if the table has another column of that name
        columns = [name if name in self.table and name not in keys.columns else key for key, name in renamed.items()]
        found = self.table.loc[is_named, columns].drop_duplicates()
        if not len(found):
            ids = [name for name in texts if name in NAMED_BY and NAMED_BY[name][0] in texts]
            names = [str(name) for name in dict.fromkeys(texts.drop(columns=ids).stack())]
            raise InvalidRequest(
                f"the table has no group {short(group)}",
                hint=did_you_mean(str(group), names) or f"it has {', '.join(names[:20])}",
            )
        return found.set_axis(keys.columns, axis=1)

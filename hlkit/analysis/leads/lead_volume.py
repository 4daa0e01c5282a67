"""Lead volume: how many leads arrived each day, week or month, and which days were unusual."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.charts import Timeline
from hlkit.analysis.core.groups import assign_groups, group_column_name, group_keys, require_columns
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import drop_rows, record_rows, remark
from hlkit.analysis.leads.daily_leads import Every, by_period, count_days, period_start
from hlkit.analysis.leads.expected_leads import MIN_MEAN, MIN_MEAN_FOR_CHANGE, MIN_WEEKS
from hlkit.analysis.leads.volume_change import VolumeChange
from hlkit.analysis.leads.volume_headlines import volume_headline
from hlkit.client.schema import CHANGE, COUNT, DAY, FLAG, INSTANT, NUMBER, TEXT
from hlkit.client.text import many

COLUMNS = {
    "date": DAY,
    "weekday": TEXT,
    "whole": FLAG,
    "leads": COUNT,
    "before": COUNT,
    "change": CHANGE,
    "change_low": CHANGE,
    "change_high": CHANGE,
    "expected": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "z": NUMBER,
    "anomaly": FLAG,
    "dispersion": NUMBER,
}


@analysis(
    "How many leads do we get, and which days were unusual?",
    columns=COLUMNS,
    chart=Timeline("leads", "low", "high", "anomaly", fitted="dispersion", whole="whole"),
    headline=volume_headline,
    definition=(
        "Contacts by the {every} of their creation, in the location's time zone. Only complete days count; a day "
        "without leads is 0, and deleted contacts are not counted. The change is that of leads a day (0.1 is 10% "
        "more): of a week from the same weekdays of the week before, of a month from the month before, of a day from "
        "the same weekday a week earlier. Its 95% interval takes into account how much more days vary than by chance "
        "(dispersion, where 1 is chance); a change is significant if the interval does not contain 0. Expected leads "
        "depend on the weekday and a steady trend (a Poisson regression, refitted without the unusual days); yearly "
        "seasons are not modeled. A day is unusual if its leads are outside the expected range (low to high): more "
        "than 3.3 standard deviations from the expected number, where the deviation is that of chance, or of the "
        "observed days if these vary more. The model is fitted to recent days, starting with the first month of "
        "regular leads; earlier days are only counted."
    ),
    noun="leads",
    rows={"created_at": INSTANT},
    compares=VolumeChange(),
)
def lead_volume(
    contacts: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    until: pd.Timestamp | None = None,
    by: str | None = None,
    every: Every = "day",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """Leads per day, week or month, the change from the period before, and the unusual days.

    Each group starts on the day of its first lead; all end with the last complete day before *as_of*, or before
    *until* if that is earlier. The model is fitted to the recent period of each group in which leads arrive on most
    days, so a few early leads do not extend it. There is no expected range without 8 weeks of 5 leads a day, and no
    interval of a change without 8 weeks of 1 lead a day; a remark reports this.

    Parameters
    ----------
    contacts
        One row per contact: contact_id, created_at, *by*.
    by
        A column of contacts to group by: source, owner, tags, a custom field.
    every
        Count by day, by week from Monday, or by calendar month.

    Returns
    -------
    One row per group and period: ``date`` (its first day), ``weekday``, ``whole`` (all its days are counted),
    ``leads``, ``before`` (leads of the period before: the same weekday a week earlier, the same weekdays of the week
    before, or the month before, if incomplete only the same days of it; null if not all of those were counted),
    ``change`` with its interval (the ratio of leads a day minus 1; null if there were none before), the ``expected``
    leads of a day and the bounds ``low`` and ``high`` of the expected range, ``z`` (the difference from the expected
    leads in standard deviations), ``anomaly`` (the day was unusual) and ``dispersion`` (how much more days vary than
    by chance: a ratio of variances, 1 is chance). ``weekday``, ``expected``, ``low``, ``high``, ``z`` and
    ``anomaly`` are null for weeks and months; these, the interval and ``dispersion`` are null before the fitted days.

    Raises
    ------
    MissingColumn, and InvalidRequest if *by* has too many groups for a row per day.

    Source: Farrington, Andrews, Beale & Catchpole, "A Statistical Algorithm for the Early Detection of Outbreaks
    of Infectious Disease", J. R. Statist. Soc. A 159(3), 1996.
    """
    require_columns(contacts, "contact_id", "created_at", by)
    leads = drop_rows(contacts, contacts["created_at"].isna(), "contacts without a date")
    leads = drop_imports(leads, imports, "contacts")
    local = leads["created_at"].dt.tz_convert(timezone).dt.tz_localize(None)
    leads = leads[["contact_id", "created_at"]].assign(date=local.dt.normalize())
    end = (as_of if until is None else min(as_of, until)).tz_convert(timezone).tz_localize(None).normalize()
    leads = drop_rows(leads, leads["date"] >= end, "contacts of the last, incomplete day")
    leads, groups = assign_groups(leads, group_keys(contacts, by))

    days = count_days(leads["date"], groups, end)
    _remark_on_history(days, every)
    group = group_column_name(by, COLUMNS)
    if by != "date":  # two keys of one name
        keys = {"group" if by is None else by: groups, "date": period_start(leads["date"], every)}
        record_rows(leads, pd.DataFrame(keys), {})
    table = by_period(days, every)[["group", *COLUMNS]]
    return table.rename(columns={"group": group})


def _remark_on_history(days: pd.DataFrame, every: Every) -> None:
    """Report how many groups have too little history for unusual days, or for weeks and months to test a change."""
    column, mean, purpose = "z", MIN_MEAN, "to detect unusual days"
    if every != "day":
        column, mean, purpose = "dispersion", MIN_MEAN_FOR_CHANGE, "to test a change"
    has_history = days[column].notna().groupby(days["group"]).any()
    count = int((~has_history).sum())
    if count:
        groups = f"{count:,} of {many(len(has_history), 'group')} have" if len(has_history) > 1 else "There are"
        least = f"less than {MIN_WEEKS} weeks of at least {many(mean, 'lead')} a day"
        remark(f"{groups} {least}: too little history {purpose}.")

"""What is worth a look: who waits, what is stuck, and which groups differ or changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan

from hlkit.analysis.core.charts.base import change_percent
from hlkit.analysis.core.comparison import compare
from hlkit.analysis.core.money import currency_of, format_money
from hlkit.analysis.core.run_log import as_mask
from hlkit.analysis.sales.stage_names import stage_names
from hlkit.client.text import many
from hlkit.overview.reading import Reading


@dataclass(frozen=True)
class Item:
    """Something to look at: a number, what it is, more about it, and the code that shows it.

    ``p`` is that of the difference that it claims, NaN if it only counts. It is shown only if *p* is still below .05
    once corrected for all tests of the screen. ``whole`` is its sentence, where that is not the number and ``what``.
    """

    number: str
    what: str
    more: str
    call: str
    p: float = nan
    whole: str = ""

    @property
    def sentence(self) -> str:
        """The item as a sentence without its end: 31 people wrote in this period and have no reply yet."""
        return self.whole or f"{self.number} {self.what}"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def stuck(reading: Reading) -> list[Item]:
    """The open deals that are stuck, their value, and the stages that most of them are in."""
    table = reading.run("stuck")
    deals = table[as_mask(table["stuck"])]
    if not len(deals):
        return []
    value = float(deals["value"].sum())
    number = format_money(value, currency_of(table), whole=True) if value > 0 else f"{len(deals):,}"
    names = deals.assign(stage_id=deals["stage"], pipeline_id=deals["pipeline"]) if "stage" in deals else deals
    stages = stage_names(names).value_counts()
    most = " and ".join(f"{name} ({count:,})" for name, count in stages.head(2).items())
    what = f"{len(deals):,} of {many(len(table), 'open deal')} {'is' if len(deals) == 1 else 'are'} stuck"
    more = f", {'most' if len(stages) > 2 else 'all'} in {most}"
    whole = f"{number} sits in {many(len(deals), 'stuck deal')}" if value > 0 else what
    return [Item(number, what, more, reading.call("stuck"), whole=whole)]


def unanswered(reading: Reading) -> list[Item]:
    """The people who wrote in the period and have no reply yet."""
    now = reading.window.now
    count = len(reading.run("unanswered", since=now.since, until=now.until))
    if not count:
        return []
    verb, call = "has" if count == 1 else "have", reading.call("unanswered", period=reading.window.period)
    return [Item(_people(count), f"wrote in this period and {verb} no reply yet", "", call)]


def changed_sources(reading: Reading) -> list[Item]:
    """The sources whose number of leads changed."""
    table = reading.compared("lead_volume", by="source")
    call = reading.compared_call("lead_volume", by="source")
    changed = table.iloc[1:][as_mask(table["significant"].iloc[1:])]
    return [
        Item(
            change_percent(row["change"]),
            f"{'more' if row['change'] > 0 else 'fewer'} leads from {row.iloc[0]}",
            f": {row['leads']:,}, {row['leads_before']:,} before",
            call,
            float(row["p"]),
        )
        for _, row in changed.iterrows()
    ]


@dataclass(frozen=True)
class Difference:
    """A share that may differ between groups, over all of the data; the group that differs most is shown.

    ``what`` and ``others`` are texts with the group's name and the share of the others.
    """

    analysis: str
    by: str
    share: str
    what: str
    others: str

    def __call__(self, reading: Reading) -> list[Item]:
        table = reading.run(self.analysis, by=self.by)
        compared = compare(table, self.share)
        if not (compared.higher | compared.lower).any():
            return []
        groups, column = compared.groups.set_index(compared.groups.columns[0]), f"{self.share}_share"
        shares = groups[column].astype("float64")
        distance = (shares - shares.median()).abs()
        name = str(distance[compared.higher | compared.lower].idxmax())
        others = shares.drop(name)
        spread = f"{others.min():.0%} to {others.max():.0%}" if len(others) > 1 else f"{others.min():.0%}"
        return [
            Item(
                f"{shares[name]:.0%}",
                self.what.format(name),
                f", {self.others.format(spread)}",
                reading.call(self.analysis, by=self.by),
                compared.p,
            )
        ]


def duplicates(reading: Reading) -> list[Item]:
    """The people who appear as several contacts."""
    table = reading.run("duplicates")
    people = table["cluster"].nunique()
    if not people:
        return []
    verb = "appears" if people == 1 else "appear"
    return [
        Item(_people(people), f"{verb} as {len(table):,} contacts", ": likely duplicates", reading.call("duplicates"))
    ]


WORTH_A_LOOK: tuple[Callable[[Reading], list[Item]], ...] = (
    stuck,
    unanswered,
    changed_sources,
    Difference(
        "speed_to_lead", "owner", "within_60", "of the leads of {} are answered within an hour", "{} for other owners"
    ),
    Difference("appointments", "weekday", "show", "show up on {}s", "{} on other days"),
    Difference("win_rates", "source", "win_90d", "of deals from {} are won within 90 days", "{} from other sources"),
    duplicates,
)

"""Amounts of money as people read them."""

from __future__ import annotations

from typing import Any

import pandas as pd


def currency_of(table: pd.DataFrame) -> str:
    """The currency of the table's amounts: that of its column, or of the location; "" if unknown or mixed."""
    if "currency" in table:
        currencies = table["currency"].dropna().unique()
        return str(currencies[0]) if len(currencies) == 1 else ""
    return str(table.attrs.get("hlkit", {}).get("currency") or "")


def format_money(amount: Any, currency: str, whole: bool = False) -> str:
    """An amount: $1,430 or 1,430 CAD. Cents are shown below 1,000, unless only the *whole* amount is asked for."""
    cents = 0 if whole or abs(amount) >= 1000 or amount == int(amount) else 2
    text = f"{abs(amount):,.{cents}f}"
    sign = "-" if amount < 0 and float(text.replace(",", "")) else ""
    return f"{sign}${text}" if currency == "USD" else f"{sign}{text} {currency}".rstrip()

"""Contacts with an email and a phone, and the groups that a chart of them shows."""

import numpy as np
from made import drawn, typed


def contact(key, email="ann@example.com", phone="+13125550101", **more):
    return {"contact_id": key, "email": email, "phone": phone, **more}


def contacts(*rows):
    return typed("contacts", *rows)


def long_named_sources(count):
    """*count* contacts of up to 20 sources with long names."""
    names = [f"a very long name of a source, number {number}" for number in range(20)]
    rng = np.random.default_rng(0)
    return contacts(*(contact(str(number), source=names[rng.integers(20)]) for number in range(count)))


def labels_drawn(analysis, table):
    """The labels at the left of the chart."""
    return [label.get_text() for label in drawn(analysis, table).get_yticklabels()]

"""A card: what something is, what is known of it, and what to do next; as HTML and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from hlkit.client.text import printable
from hlkit.display.html import text_html
from hlkit.display.theme import styled

_CSS = """
.hl.hl .hl-card { max-width: 760px; border: 1px solid var(--hl-line); border-radius: 8px; padding: 14px 20px 4px; }
.hl.hl .hl-card h2 { font-size: 19px; font-weight: 650; line-height: 1.3; color: var(--hl-ink); }
.hl.hl .hl-card table { border: 0; border-collapse: collapse; margin: 12px 0; font-size: 14px; width: 100%; }
.hl.hl .hl-card tr { background: none; }
.hl.hl .hl-card th, .hl.hl .hl-card td { border: 0; padding: 3px 16px 3px 0; text-align: left; vertical-align: top;
  color: var(--hl-ink); white-space: normal; max-width: none; }
.hl.hl .hl-card th { font-weight: 400; color: var(--hl-muted); width: 92px; white-space: nowrap; }
.hl.hl .hl-card table.hl-steps { border-top: 1px solid var(--hl-hair); padding-top: 8px; }
.hl.hl .hl-meter { display: inline-block; width: 72px; height: 6px; border-radius: 3px; background: var(--hl-line);
  margin-right: 8px; vertical-align: 1px; overflow: hidden; }
.hl.hl .hl-meter span { display: block; height: 100%; background: var(--hl-c1); }
@container (max-width: 480px) { .hl.hl .hl-card { padding: 12px 14px 2px; }
  .hl.hl .hl-card th, .hl.hl .hl-card td { display: block; padding: 1px 0; } }
"""


@dataclass(frozen=True)
class Fact:
    """A line of a card. ``more`` is added in gray; ``share`` draws a meter that is filled so far."""

    label: str
    text: str
    more: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Card:
    """``steps`` are pairs of code and what it does."""

    title: str
    subtitle: str
    facts: Sequence[Fact]
    steps: Sequence[tuple[str, str]]

    def html(self) -> str:
        """The card for a notebook."""
        facts = "".join(f"<tr><th>{text_html(fact.label)}</th><td>{_fact(fact)}</td></tr>" for fact in self.facts)
        steps = [
            f"<tr><th><code>{text_html(code)}</code></th><td>{text_html(what)}</td></tr>" for code, what in self.steps
        ]
        return styled(
            _CSS,
            f'<div class="hl-card"><h2>{text_html(self.title)}</h2>'
            f'<p class="hl-small hl-muted">{text_html(self.subtitle)}</p><table>{facts}</table>'
            f'<table class="hl-steps">{"".join(steps)}</table></div>',
        )

    def text(self) -> str:
        """The card for a terminal."""
        lines = [self.title, f"  {self.subtitle}"]
        for fact in self.facts:
            text = " · ".join(filter(None, (fact.text, fact.more)))
            lines += textwrap.wrap(text, 110, initial_indent=f"  {fact.label:<13}", subsequent_indent=" " * 15)
        width = max((len(code) for code, _ in self.steps), default=0)
        lines += ["", *(f"  {code:<{width}}  {what}" for code, what in self.steps)]
        return printable("\n".join(lines))


def _fact(fact: Fact) -> str:
    meter = ""
    if fact.share is not None:
        meter = f'<span class="hl-meter"><span style="width:{fact.share:.0%}"></span></span>'
    more = f' <span class="hl-muted">· {text_html(fact.more)}</span>' if fact.more else ""
    return f"{meter}{text_html(fact.text)}{more}"

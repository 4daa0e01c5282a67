"""The colors and type of everything that hlkit shows as HTML, in light and dark.

All of it is inside ``<div class="hl">``. A notebook says whether it is light or dark, else the system does.
"""

from __future__ import annotations

_LIGHT = {
    "ink": "var(--jp-ui-font-color1, #1c2024)",
    "muted": "var(--jp-ui-font-color2, #59626d)",
    "bg": "var(--jp-layout-color0, #ffffff)",
    "link": "var(--jp-content-link-color, #0b67b2)",
    "c1": "#0b67b2",
    "good": "#0b7a55",
    "bad": "#b3440a",
    "rest": "#858e99",
    "attention": "#d9702a",
}
_DARK = {
    "ink": "var(--jp-ui-font-color1, #e8eaed)",
    "muted": "var(--jp-ui-font-color2, #a3abb5)",
    "bg": "var(--jp-layout-color0, #111111)",
    "link": "var(--jp-content-link-color, #7cbcf5)",
    "c1": "#63b0f4",
    "good": "#4cc9a0",
    "bad": "#f59a62",
    "rest": "#6d7682",
    "attention": "#e08445",
}


def _tokens(colors: dict[str, str]) -> str:
    return " ".join(f"--hl-{name}: {color};" for name, color in colors.items())


_FONT = 'var(--jp-ui-font-family, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif)'
_MONO = "var(--jp-code-font-family, ui-monospace, SFMono-Regular, Menlo, Consolas, monospace)"

# The order matters: light, a dark system, a notebook that is light, a notebook that is dark. JupyterLab styles th,
# td and the like, so that selectors need .hl.hl to win.
BASE = f"""
.hl {{ {_tokens(_LIGHT)} }}
@media (prefers-color-scheme: dark) {{ .hl {{ {_tokens(_DARK)} }} }}
[data-jp-theme-light="true"] .hl, .vscode-light .hl {{ {_tokens(_LIGHT)} }}
[data-jp-theme-light="false"] .hl, .vscode-dark .hl {{ {_tokens(_DARK)} }}
.hl {{ --hl-line: color-mix(in srgb, var(--hl-ink) 16%, transparent);
  --hl-hair: color-mix(in srgb, var(--hl-ink) 9%, transparent);
  --hl-wash: color-mix(in srgb, var(--hl-ink) 4%, transparent);
  color: var(--hl-ink); font: 14px/1.5 {_FONT}; max-width: 1080px; container-type: inline-size;
  font-variant-numeric: tabular-nums; }}
.hl.hl * {{ box-sizing: border-box; }}
.hl.hl p, .hl.hl h2, .hl.hl h3 {{ margin: 0; padding: 0; }}
.hl.hl code {{ font: 12.5px/1.5 {_MONO}; color: var(--hl-ink); background: var(--hl-wash); padding: 2px 6px;
  border-radius: 4px; overflow-wrap: anywhere; }}
.hl.hl .hl-muted {{ color: var(--hl-muted); }}
.hl.hl .hl-small {{ font-size: 12.5px; }}
.hl.hl .hl-good {{ color: var(--hl-good); font-weight: 600; }}
.hl.hl .hl-bad {{ color: var(--hl-bad); font-weight: 600; }}
.hl.hl h2.hl-headline {{ font-size: 21px; line-height: 1.3; font-weight: 650; color: var(--hl-ink);
  text-wrap: balance; }}
.hl.hl h3.hl-section {{ font-size: 15px; font-weight: 650; margin: 22px 0 8px; color: var(--hl-ink); }}
.hl.hl details {{ border-top: 1px solid var(--hl-hair); border-bottom: 1px solid var(--hl-hair); }}
.hl.hl summary {{ cursor: pointer; padding: 9px 0; font-weight: 550; }}
.hl.hl summary:focus-visible {{ outline: 2px solid var(--hl-c1); outline-offset: 2px; }}
"""


def styled(css: str, body: str) -> str:
    """A body of HTML with the base styles and its own."""
    return f'<style>{BASE}{css}</style><div class="hl">{body}</div>'

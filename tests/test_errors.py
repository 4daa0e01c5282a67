"""What an error says, and where it points."""

import pytest

import hlkit as hl
from hlkit.errors import InvalidRequest


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("write it like this", "What to do: write it like this."),
        ("did you mean that?", "What to do: did you mean that?"),
    ],
)
def test_it_says_what_to_do_in_one_sentence(hint, said):
    assert str(InvalidRequest("what happened", hint=hint)).splitlines() == ["what happened", said]


def test_a_notebook_shows_the_lines_of_ones_own_and_none_of_hlkits(capsys):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    shell.user_ns["loc"] = hl.connect("pit-00000000-0000-0000-0000-000000000000", "a" * 20, cache=False)

    shell.run_cell("def mine():\n    return loc.contacts(since='yesterday')\n\nmine()")

    shown = capsys.readouterr()
    lines = (shown.out + shown.err).strip().splitlines()
    assert [line.strip() for line in lines if line.startswith("    ") and "^" not in line] == [
        "mine()",
        "return loc.contacts(since='yesterday')",
    ]
    assert lines[-2] == "InvalidRequest: since='yesterday' is no date or time"
    assert lines[-1] == 'What to do: write it like "2025-07-01".'

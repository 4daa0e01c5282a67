"""What an error says, and where it points."""

import pickle

import pandas as pd
import pytest

import hlkit as hl
from hlkit.client.errors import HlkitError, InvalidRequest, ServerError

KINDS = [one for one in vars(hl.errors).values() if isinstance(one, type) and issubclass(one, HlkitError)]


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.__name__)
def test_the_tree_at_the_top_has_every_error_with_its_builtin(kind):
    (line,) = [line for line in hl.errors.__doc__.splitlines() if f"── {kind.__name__} " in line]

    assert all(f"({base.__name__})" in line for base in kind.__bases__ if base.__module__ == "builtins")


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("write it like this", "What to do: write it like this."),
        ("did you mean that?", "What to do: did you mean that?"),
    ],
)
def test_it_says_what_to_do_in_one_sentence(hint, said):
    assert str(InvalidRequest("what happened", hint=hint)).splitlines() == ["what happened", said]


def test_an_error_from_another_process_bears_its_rows_and_promises_no_resume():
    here = ServerError("busy")
    here.partial, here._resume = pd.DataFrame({"user_id": ["a", "b"]}), pd.DataFrame

    there = pickle.loads(pickle.dumps(here))

    assert str(here).splitlines()[-1] == "2 rows arrived (.partial); .resume() goes on from there."
    assert str(there).splitlines()[-1] == "2 rows arrived (.partial)."
    with pytest.raises(InvalidRequest, match="another process"):
        there.resume()


def test_a_notebook_shows_the_lines_of_ones_own_and_none_of_hlkits(capsys):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    shell.user_ns["loc"] = hl.connect("pit-00000000-0000-0000-0000-000000000000", "a" * 20, cache=False)

    shell.run_cell("def mine():\n    return loc.contacts(since='soon')\n\nmine()")

    shown = capsys.readouterr()
    lines = (shown.out + shown.err).strip().splitlines()
    assert [line.strip() for line in lines if line.startswith("    ") and "^" not in line] == [
        "mine()",
        "return loc.contacts(since='soon')",
    ]
    assert lines[-2] == "InvalidRequest: since='soon' is no date or time"
    assert lines[-1].startswith('What to do: write it like "2025-07-01"')

"""What an error says, and which lines its traceback shows."""

import pickle

import pandas as pd
import pytest

import hlkit as hl
from hlkit.client.errors import HlkitError, InvalidRequest, ServerError

KINDS = [value for value in vars(hl.errors).values() if isinstance(value, type) and issubclass(value, HlkitError)]


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.__name__)
def test_the_tree_at_the_top_has_every_error_with_its_builtin(kind):
    (line,) = [line for line in hl.errors.__doc__.splitlines() if f"── {kind.__name__} " in line]

    assert all(f"({base.__name__})" in line for base in kind.__bases__ if base.__module__ == "builtins")


@pytest.mark.parametrize(
    ("hint", "sentence"),
    [
        ("write it like this", "What to do: write it like this."),
        ("did you mean that?", "What to do: did you mean that?"),
    ],
)
def test_the_message_ends_with_what_to_do(hint, sentence):
    assert str(InvalidRequest("what happened", hint=hint)).splitlines() == ["what happened", sentence]


def test_an_error_from_another_process_has_its_rows_and_does_not_offer_resume():
    original = ServerError("busy")
    original.partial, original._resume = pd.DataFrame({"user_id": ["a", "b"]}), pd.DataFrame

    copy = pickle.loads(pickle.dumps(original))

    assert str(original).splitlines()[-1] == "2 rows arrived (.partial); .resume() continues from there."
    assert str(copy).splitlines()[-1] == "2 rows arrived (.partial)."
    with pytest.raises(InvalidRequest, match="another process"):
        copy.resume()


def output_lines(capsys, cell):
    """What IPython prints when *cell* runs."""
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    shell.user_ns["hl"] = hl
    shell.user_ns["loc"] = hl.connect("pit-00000000-0000-0000-0000-000000000000", "a" * 20, cache=False)
    shell.run_cell(cell)
    output = capsys.readouterr()
    return (output.out + output.err).strip().splitlines()


@pytest.mark.parametrize("call", ["loc.contacts(since='soon')", "hl.connect('', 'abc')"])
def test_a_notebook_shows_the_users_lines_and_none_of_hlkit(capsys, call):
    lines = output_lines(capsys, f"def read():\n    return {call}\n\nread()")

    source = [line.strip() for line in lines if line.startswith("    ") and "^" not in line]
    assert source == ["read()", f"return {call}"]


def test_a_notebook_shows_the_message_and_what_to_do(capsys):
    lines = output_lines(capsys, "loc.contacts(since='soon')")

    assert lines[-2] == "InvalidRequest: since='soon' is not a date or time"
    assert lines[-1].startswith('What to do: write it like "2025-07-01"')

"""Text that the public can type: formulas, control characters, unusual field names, escape codes."""

import re

import openpyxl
import pandas as pd
import pytest
from faultkit import hostile
from trial import ROWS

from hlkit.files.export import write

TYPED = ("contacts", "opportunities", "messages", "notes", "invoices", "form_submissions")
STARTS = re.compile(r"(?!\+[0-9]{7,15}\Z)[=+\-@\t\r\n＝＋－＠]")  # a phone number in digits is not a formula


def read(trial, name):
    return trial.read(name, **({"confirm": True} if name == "notes" else {}))


def texts(frame):
    """Every heading and every text in a frame."""
    yield from map(str, frame.columns)
    for column in frame:
        yield from (value for value in frame[column] if isinstance(value, str))


@pytest.mark.fault("formula")
@pytest.mark.fault("text")
@pytest.mark.fault("terminal")
@pytest.mark.parametrize("fault", ["formula", "text", "terminal"])
@pytest.mark.parametrize("name", TYPED)
def test_the_frame_has_the_text_exactly_as_it_was_typed(new_trial, name, fault):
    trial = new_trial(deadline=20)  # notes need one request per contact
    trial.sim.fault(fault)

    frame = read(trial, name)

    seen = set(texts(frame))
    assert len(seen & {*hostile.SETS[fault], hostile.LONG}) > 0


@pytest.mark.fault("formula")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages"])
def test_no_cell_and_no_heading_of_a_csv_is_a_formula(trial, tmp_path, name):
    trial.sim.fault("formula")
    frame = trial.read(name)
    path = write(frame, tmp_path / "out.csv")

    again = pd.read_csv(path, dtype=str, keep_default_na=False)

    assert len(again) == len(frame)
    numbers = set(frame.select_dtypes("number"))
    assert [text for text in texts(again.drop(columns=numbers)) if STARTS.match(text)] == []


@pytest.mark.fault("formula")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages"])
def test_an_excel_file_contains_no_formula_and_no_link(trial, tmp_path, name):
    trial.sim.fault("formula")
    frame = trial.read(name)
    path = write(frame, tmp_path / "out.xlsx")

    sheet = openpyxl.load_workbook(path).active

    assert sheet.max_row == len(frame) + 1
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert [cell for cell in cells if cell.data_type == "f" or cell.hyperlink] == []


@pytest.mark.fault("formula")
def test_a_custom_field_whose_name_is_a_formula_becomes_a_harmless_heading(trial, tmp_path):
    trial.sim.fault("formula")
    frame = trial.read()
    assert any(STARTS.match(name) for name in frame.columns)

    path = write(frame.head(3), tmp_path / "out.csv")

    assert [name for name in pd.read_csv(path).columns if STARTS.match(name)] == []


@pytest.mark.fault("text")
@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl", ".parquet"])
@pytest.mark.parametrize("name", ["contacts", "messages"])
def test_unusual_text_does_not_change_the_number_of_rows_in_a_file(trial, tmp_path, name, suffix):
    trial.sim.fault("text")
    frame = trial.read(name)
    path = write(frame, tmp_path / f"out{suffix}")

    read_file = {
        ".csv": lambda: pd.read_csv(path, dtype=str),
        ".xlsx": lambda: pd.read_excel(path, dtype=str),
        ".jsonl": lambda: pd.read_json(path, lines=True),
        ".parquet": lambda: pd.read_parquet(path),
    }
    assert len(read_file[suffix]()) == len(frame)


@pytest.mark.fault("text")
def test_a_note_of_forty_thousand_characters_is_not_cut(new_trial):
    trial = new_trial(deadline=20)
    trial.sim.fault("text")

    trial.read("notes", confirm=True)

    assert max(len(row["body"]) for row in trial.loc.notes.raw(None, confirm=True)) == len(hostile.LONG)


@pytest.mark.fault("keys")
def test_custom_fields_with_any_name_get_separate_columns(trial):
    calm = trial.read()
    trial.sim.fault("keys")

    frame = trial.read(refresh=True)

    assert frame.columns.is_unique
    assert "" not in frame.columns
    assert len(frame.columns) == len(calm.columns) + len(hostile.KEYS)
    assert frame[list(calm.columns)].equals(calm)
    new = frame.drop(columns=calm.columns)
    assert new.notna().sum(axis=1).eq(1).all(), "each contact has one of them"


@pytest.mark.fault("keys")
@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl", ".parquet"])
def test_no_field_name_writes_outside_the_folder(trial, tmp_path, suffix):
    trial.sim.fault("keys")
    folder = tmp_path / "inside"
    folder.mkdir()

    write(trial.read(), folder / f"out{suffix}")

    assert [path.name for path in folder.iterdir()] == [f"out{suffix}"]
    assert {path.name for path in tmp_path.iterdir()} == {"0", "inside"}


CODES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@pytest.mark.fault("terminal")
@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_file_that_people_open_contains_no_escape_code(trial, tmp_path, suffix):
    trial.sim.fault("terminal")
    path = write(trial.read(), tmp_path / f"out{suffix}")

    again = pd.read_csv(path, dtype=str) if suffix == ".csv" else pd.read_excel(path, dtype=str)

    assert len(again) == ROWS
    assert [text for text in texts(again) if CODES.search(text)] == []


@pytest.mark.fault("terminal")
def test_the_card_of_a_location_contains_no_escape_code_and_no_image(trial):
    trial.sim.fault("terminal")
    trial.read()

    for card in (repr(trial.loc), trial.loc._repr_html_()):
        assert not CODES.search(card)
        assert "x.example" not in card

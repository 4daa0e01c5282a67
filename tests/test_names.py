import pandas as pd
import pytest

from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import with_names
from hlkit.client.schema import TEXT

DEALS = pd.DataFrame({"owner_id": ["u1", None, "gone"], "value": [1.0, 2.0, 3.0]}).astype({"owner_id": TEXT.dtype})
USERS = pd.Series(["Ann", "Nobody"], index=pd.Index(["u1", None], dtype=TEXT.dtype))


def names(resource):
    return USERS if resource == "users" else None


def test_a_row_without_an_id_has_no_name_even_if_a_user_has_no_id():
    owners = with_names(DEALS, names)["owner"]

    assert owners.fillna("").tolist() == ["Ann", "", ""]


@pytest.mark.parametrize("kind", [TEXT.dtype, "object", "category"])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_names_are_text_beside_ids_of_any_dtype(kind, rows):
    frame = with_names(DEALS.astype({"owner_id": kind}).head(rows), names)

    assert list(frame) == ["owner_id", "owner", "value"]
    assert frame["owner"].dtype == TEXT.dtype


def test_an_id_that_is_not_a_single_column_raises():
    twice = pd.concat([DEALS, DEALS], axis=1)
    levels = DEALS.groupby("owner_id").agg({"value": ["sum", "mean"]}).reset_index()

    for frame in (twice, levels):
        with pytest.raises(InvalidRequest, match="owner_id more than once, or columns with several levels"):
            with_names(frame, names)

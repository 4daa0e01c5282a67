"""Links to records in HighLevel's web app."""

import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core.contact_names import contact_links
from hlkit.client.errors import InvalidRequest
from hlkit.client.links import checked_app_url
from hlkit.client.schema import TEXT

TOKEN = "pit-00000000-0000-0000-0000-000000000000"


def test_a_contact_and_a_conversation_have_an_address():
    loc = hl.connect(TOKEN, "loc1", cache=False)

    assert loc.url_of("c1") == "https://app.gohighlevel.com/v2/location/loc1/contacts/detail/c1"
    expected = "https://app.gohighlevel.com/v2/location/loc1/conversations/conversations/v1"
    assert loc.url_of(conversation_id="v1") == expected


def test_an_agencys_own_domain_is_used_offline_too():
    loc = hl.connect(TOKEN, "loc1", cache=False, app_url="https://crm.example.com/")

    assert loc.url_of("c1") == "https://crm.example.com/v2/location/loc1/contacts/detail/c1"
    assert loc.cached.url_of("c1") == loc.url_of("c1")


def test_an_id_cannot_leave_its_place_in_the_address():
    assert hl.connect(TOKEN, "loc1", cache=False).url_of("../x?y#z").endswith("/contacts/detail/..%2Fx%3Fy%23z")

    links = contact_links(pd.Series(["../x?y#z", None], dtype=TEXT.dtype), "loc1", "https://crm.example.com")
    assert links.tolist()[0] == "https://crm.example.com/v2/location/loc1/contacts/detail/..%2Fx%3Fy%23z"
    assert links.isna().tolist() == [False, True]


@pytest.mark.parametrize("ids", [((), {}), (("c1",), {"conversation_id": "v1"}), ((7,), {})])
def test_anything_but_one_id_is_refused(ids):
    loc = hl.connect(TOKEN, "loc1", cache=False)
    with pytest.raises(InvalidRequest, match="url_of takes one id"):
        loc.url_of(*ids[0], **ids[1])


@pytest.mark.parametrize(
    "app_url", ["crm.example.com", "http://crm.example.com", "https://", "https://a:b@example.com", "https://x/y", 5]
)
def test_an_app_url_is_an_https_address_alone(app_url):
    with pytest.raises(InvalidRequest, match="is not the address of a web app"):
        checked_app_url(app_url)

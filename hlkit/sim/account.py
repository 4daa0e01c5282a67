"""The location itself, its users, pipelines, stages and custom fields: short lists without pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hlkit.sim import ids
from hlkit.sim.clock import DAY, Clock, iso
from hlkit.sim.words import split

Row = dict[str, Any]

ZONE = "America/Chicago"
CURRENCY = "USD"
NAME = "Lakeside Home Services"
WEBSITE = "https://www.lakeside.example.com"

PEOPLE = (
    ("Grace", "Lindqvist", "admin"),
    ("Marcus", "Reed", "user"),
    ("Elena", "Soto", "user"),
    ("Tyrone", "Banks", "user"),
    ("Hannah", "Weiss", "user"),
    ("Omar", "Haddad", "user"),
    ("Beth", "Novak", "user"),
    ("Derek", "Shaw", "user"),  # a former user: rows still have the id, no user endpoint has the user
)
LEFT = 7

PIPELINES = (
    ("New customers", ("New lead", "Contacted", "Visit booked", "Quote sent", "Contract out")),
    ("Repeat work", ("Requested", "Scheduled", "Quoted", "Approved")),
    ("Commercial", ("Enquiry", "Site survey", "Proposal", "Negotiation")),
)
NEW, REPEAT, COMMERCIAL = range(3)
WIN_PROBABILITY = (0.1, 0.25, 0.5, 0.7, 0.9)

# name, model, dataType, folder, options
FIELDS: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    ("Property type", "contact", "SINGLE_OPTIONS", "Enquiry", ("House", "Flat", "Office", "Shop")),
    ("Services wanted", "contact", "MULTIPLE_OPTIONS", "Enquiry", ("Kitchen", "Bath", "Roof", "Garden", "Other")),
    ("Budget", "contact", "MONETORY", "Enquiry", ()),
    ("Budget", "contact", "TEXT", "Survey", ()),
    ("Preferred start", "contact", "DATE", "Enquiry", ()),
    ("What happened on the call", "contact", "LARGE_TEXT", "Survey", ()),
    ("Second phone", "contact", "PHONE", "Enquiry", ()),
    ("Rooms by floor", "contact", "TEXTBOX_LIST", "Survey", ("Ground floor", "First floor")),
    ("Photos", "contact", "FILE_UPLOAD", "Photos", ()),
    ("Urgency", "opportunity", "RADIO", "Deal", ("Today", "This week", "Some day")),
    ("Square feet", "opportunity", "NUMERICAL", "Deal", ()),
    ("Checked", "opportunity", "CHECKBOX", "Deal", ("Permit", "Insurance", "Deposit")),
    ("Signed by customer", "opportunity", "SIGNATURE", "Deal", ()),
    ("Quote valid until", "opportunity", "DATE", "Deal", ()),
    ("Agreed to text messages", "contact", "TEXT", "Enquiry", ()),
    ("Roof area", "contact", "FLOAT", "Survey", ()),
)

PERMISSIONS = split(
    """
    campaigns contacts workflows triggers funnels websites opportunities dashboardStats bulkRequests
    appointments reviews onlineListings phoneCall conversations adwordsReporting membership
    facebookAdsReporting attributionsReporting settings tags leadValue marketing agentReporting blogging
    affiliateManager contentAi refunds recordPayment cancelSubscription payments communities
    exportPayments
    """
)


FEATURES = split(
    """
    adManager adwordsReporting affiliateManager agentReporting appointments attributionsReporting blogging
    botService bulkRequests campaigns contacts conversations dashboardStats emailBuilder
    facebookAdsReporting facebookMessenger forms funnels gmbCallTracking gmbMessaging htmlBuilder launchpad
    marketing membership opportunities phoneCall proposals qrCodes quizzes reviews settings
    smsEmailTemplates surveys tags textToPay triggerLinks triggers webChat websites workflows
    """
)
SOCIAL = split(
    """
    blogRss facebookUrl foursquare googlePlacesId googlePlus instagram linkedIn pinterest twitter yelp
    youtube
    """
)


@dataclass(frozen=True)
class Account:
    """Ids and rows of one seeded location that never change."""

    seed: int
    clock: Clock
    location_id: str
    company_id: str
    user_ids: tuple[str, ...]
    pipeline_ids: tuple[str, ...]
    stage_ids: tuple[tuple[str, ...], ...]
    deleted_stage_id: str
    field_ids: tuple[str, ...]
    option_ids: tuple[str, ...]

    @classmethod
    def seeded(cls, seed: int, clock: Clock) -> Account:
        """The account of a seed, seen at the clock's ``as_of``."""
        stages = iter(range(100))
        return cls(
            seed=seed,
            clock=clock,
            location_id=ids.text(seed, "location"),
            company_id=ids.text(seed, "company"),
            user_ids=tuple(ids.text(seed, "users", i) for i in range(len(PEOPLE))),
            pipeline_ids=tuple(ids.text(seed, "pipelines", i) for i in range(len(PIPELINES))),
            stage_ids=tuple(tuple(ids.uuid(seed, "stages", next(stages)) for _ in names) for _, names in PIPELINES),
            deleted_stage_id=ids.uuid(seed, "deleted stage"),
            field_ids=tuple(ids.text(seed, "customFields", i) for i in range(len(FIELDS))),
            option_ids=tuple(ids.uuid(seed, "options", i) for i in range(2)),
        )

    def _opened(self) -> str:
        return iso_one(self.clock.start - 30 * DAY)

    def location(self) -> Row:
        """The row of ``GET /locations/{id}``."""
        address = {"address": "410 Lake St", "city": "Oak Park", "state": "IL", "country": "US"}
        address |= {"postalCode": "60302", "website": WEBSITE}
        return {
            "id": self.location_id,
            "companyId": self.company_id,
            "name": NAME,
            "domain": "",
            **address,
            "timezone": ZONE,
            "currency": CURRENCY,
            "firstName": PEOPLE[0][0],
            "lastName": PEOPLE[0][1],
            "email": "office@example.com",
            "phone": "+13125550100",
            "logoUrl": "",
            "business": {"name": NAME, **address, "timezone": ZONE, "email": "office@example.com"},
            "social": dict.fromkeys(SOCIAL, ""),
            "settings": {
                "allowDuplicateContact": True,
                "allowDuplicateOpportunity": True,
                "allowFacebookNameMerge": False,
                "disableContactTimezone": False,
                "contactUniqueIdentifiers": ["email", "phone"],
                "crmSettings": {"deSyncOwners": True, "syncFollowers": {"contact": True, "opportunity": True}},
                "saasSettings": {"saasMode": "not_activated", "twilioRebilling": {"enabled": False, "markup": 0}},
            },
            "permissions": {f"{name}Enabled": True for name in FEATURES},
            "snapshotId": "",
            "brandId": ids.text(self.seed, "brands"),
            "isAgencySubAccount": False,
            "automaticMobileAppInvite": False,
            "defaultEmailService": "smtp",
            "dateAdded": self._opened(),
        }

    def users(self) -> list[Row]:
        """The rows of ``GET /users/``: without former users."""
        return [self._user(number) for number in range(len(PEOPLE)) if number != LEFT]

    def _user(self, number: int) -> Row:
        first, last, role = PEOPLE[number]
        permissions = {f"{name}Enabled": True for name in PERMISSIONS} | {"assignedDataOnly": False}
        return {
            "id": self.user_ids[number],
            "name": f"{first} {last}",
            "firstName": first,
            "lastName": last,
            "email": f"{first}.{last}@example.org".lower(),
            "phone": f"+1312555{150 + number:04d}",
            "extension": "",
            "permissions": permissions,
            "roles": {
                "type": "account",
                "role": role,
                "locationIds": [self.location_id],
                "restrictSubAccount": False,
            },
            "deleted": False,
            "lcPhone": {self.location_id: ""},
            "platformLanguage": "en_US",
        }

    def pipelines(self) -> list[Row]:
        """The rows of ``GET /opportunities/pipelines``; a pipeline's position is text."""
        return [
            {
                "id": self.pipeline_ids[p],
                "name": name,
                "stages": [self._stage(p, s, label) for s, label in enumerate(stages)],
                "showInFunnel": True,
                "showInPieChart": True,
                "useOpportunityProbability": False,
                "position": str(p),
                "locationId": self.location_id,
                "dateAdded": self._opened(),
                "dateUpdated": iso_one(self.clock.start),
            }
            for p, (name, stages) in enumerate(PIPELINES)
        ]

    def _stage(self, pipeline: int, stage: int, name: str) -> Row:
        return {
            "id": self.stage_ids[pipeline][stage],
            "name": name,
            "position": stage,
            "showInFunnel": True,
            "showInPieChart": True,
            "stageWinProbability": WIN_PROBABILITY[stage],
        }

    def custom_fields(self, model: str = "contact") -> list[Row]:
        """The rows of ``GET /locations/{id}/customFields`` for a model, or ``all``: fields and their folders."""
        fields = [self._field(i) for i, field in enumerate(FIELDS) if model in ("all", field[1])]
        folders = {field[3]: field[1] for field in FIELDS if model in ("all", field[1])}
        return fields + [self._folder(index, *folder) for index, folder in enumerate(folders.items())]

    def _folder(self, index: int, name: str, model: str) -> Row:
        return {
            "id": self._folder_id(name),
            "name": name,
            "position": 50 * index,
            "documentType": "folder",
            "locationId": self.location_id,
            "model": model,
            "standard": False,
            "dateAdded": self._opened(),
        }

    def _folder_id(self, name: str) -> str:
        return ids.text(self.seed, f"folder {name}")

    def _field(self, number: int) -> Row:
        name, model, kind, folder, options = FIELDS[number]
        slug = name.lower().replace(" ", "_")
        twins = sum(other[0] == name for other in FIELDS[:number])
        row: Row = {
            "id": self.field_ids[number],
            "name": name,
            "fieldKey": f"{model}.{slug}" + (f"_{twins + 1}" if twins else ""),
            "placeholder": "",
            "dataType": kind,
            "position": 50 * (number + 1),
            "documentType": "field",
            "parentId": self._folder_id(folder),
            "locationId": self.location_id,
            "model": model,
            "standard": False,
            "dateAdded": self._opened(),
        }
        if kind == "TEXTBOX_LIST":
            row["picklistOptions"] = [
                {"id": option, "label": label, "prefillValue": ""}
                for option, label in zip(self.option_ids, options, strict=True)
            ]
        elif options:
            row["picklistOptions"] = list(options)
        return row


def iso_one(instant: int) -> str:
    """One instant as the API writes it."""
    return iso(np.array([instant]))[0]

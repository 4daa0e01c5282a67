"""What counts as a human reply, and what counts as a message from a contact.

Every message has one of the forms below. The last three columns show whether it counts as a reply with
``reply="connected"``, ``"attempt"`` (the default) and ``"any"``. HighLevel calls the origin the source of a message;
``machine`` stands for workflow, campaign, bulk_actions and api. A dash is any value, or none.

::

    type                     direction origin  user status      seconds | connected attempt any
    SMS                      outbound  app     yes  delivered   -       | yes       yes     yes
    SMS                      outbound  -       yes  sent        -       | yes       yes     yes
    EMAIL                    outbound  app     yes  opened      -       | yes       yes     yes
    SMS                      outbound  app     no   delivered   -       | no        no      yes
    SMS                      outbound  machine yes  delivered   -       | no        no      yes
    EMAIL                    outbound  machine no   clicked     -       | no        no      yes
    SMS                      outbound  app     yes  failed      -       | no        no      no
    SMS                      outbound  app     yes  undelivered -       | no        no      no
    SMS                      outbound  app     yes  scheduled   -       | no        no      no
    SMS                      outbound  app     yes  pending     -       | no        no      no
    SMS                      outbound  app     yes  queued      -       | no        no      no
    SMS                      outbound  app     yes  opt_out     -       | no        no      no
    EMAIL                    outbound  machine no   scheduled   -       | no        no      no
    SMS                      inbound   -       -    delivered   -       | no        no      no
    CALL                     outbound  app     yes  completed   95      | yes       yes     yes
    CALL                     outbound  app     yes  answered    95      | yes       yes     yes
    CALL                     outbound  app     yes  completed   -       | yes       yes     yes
    CALL                     outbound  app     yes  completed   0       | no        yes     yes
    CALL                     outbound  app     yes  busy        0       | no        yes     yes
    CALL                     outbound  app     yes  no-answer   0       | no        yes     yes
    CALL                     outbound  app     yes  voicemail   25      | no        yes     yes
    CALL                     outbound  app     yes  -           -       | no        yes     yes
    CALL                     outbound  app     yes  failed      0       | no        no      no
    CALL                     outbound  app     yes  canceled    0       | no        no      no
    CALL                     outbound  app     yes  pending     -       | no        no      no
    CALL                     outbound  app     no   completed   95      | yes       yes     yes
    CALL                     outbound  -       no   completed   95      | yes       yes     yes
    CALL                     outbound  app     no   completed   0       | no        no      yes
    CALL                     outbound  app     no   completed   -       | no        no      yes
    CALL                     outbound  app     no   no-answer   0       | no        no      yes
    CALL                     outbound  machine no   completed   95      | no        no      yes
    CALL                     outbound  machine yes  completed   95      | no        no      yes
    CALL                     outbound  machine no   failed      0       | no        no      no
    CALL                     inbound   -       yes  completed   95      | yes       yes     yes
    CALL                     inbound   -       yes  completed   -       | yes       yes     yes
    CALL                     inbound   -       yes  completed   0       | no        no      no
    CALL                     inbound   -       no   completed   95      | yes       yes     yes
    CALL                     inbound   -       no   answered    1       | yes       yes     yes
    CALL                     inbound   -       no   completed   0       | no        no      no
    CALL                     inbound   -       no   completed   -       | no        no      no
    CALL                     inbound   machine no   completed   95      | no        no      no
    CALL                     inbound   -       yes  no-answer   0       | no        no      no
    CALL                     inbound   -       yes  busy        0       | no        no      no
    CALL                     inbound   -       yes  voicemail   25      | no        no      no
    CALL                     inbound   -       -    -           -       | no        no      no
    IVR_CALL                 inbound   -       no   completed   95      | yes       yes     yes
    CUSTOM_CALL              outbound  app     yes  no-answer   0       | no        yes     yes
    CAMPAIGN_MANUAL_SMS      outbound  machine yes  delivered   -       | yes       yes     yes
    CAMPAIGN_MANUAL_SMS      outbound  app     yes  delivered   -       | yes       yes     yes
    CAMPAIGN_MANUAL_SMS      outbound  machine no   delivered   -       | no        no      yes
    CAMPAIGN_MANUAL_SMS      outbound  machine yes  scheduled   -       | no        no      no
    CAMPAIGN_MANUAL_CALL     outbound  machine yes  completed   95      | yes       yes     yes
    CAMPAIGN_MANUAL_CALL     outbound  machine yes  no-answer   0       | no        yes     yes
    CAMPAIGN_MANUAL_CALL     outbound  machine no   completed   95      | no        no      yes
    CAMPAIGN_SMS             outbound  app     yes  delivered   -       | no        no      yes
    CAMPAIGN_EMAIL           outbound  machine no   delivered   -       | no        no      yes
    CAMPAIGN_CALL            outbound  machine no   completed   20      | no        no      yes
    CAMPAIGN_VOICEMAIL       outbound  machine no   delivered   -       | no        no      yes
    ACTIVITY_OPPORTUNITY     outbound  app     yes  delivered   -       | no        no      no
    ACTIVITY_APPOINTMENT     outbound  app     no   delivered   -       | no        no      no
    INTERNAL_COMMENT         outbound  app     yes  delivered   -       | no        no      no
    INTERNAL_CHAT            outbound  app     yes  delivered   -       | no        no      no
    LIVE_CHAT                outbound  app     yes  delivered   -       | yes       yes     yes
    LIVE_CHAT_INFO_MESSAGE   outbound  app     yes  delivered   -       | no        no      no
    SMS_REACTION             outbound  app     yes  delivered   -       | no        no      no
    SMS_REVIEW_REQUEST       outbound  app     yes  delivered   -       | no        no      no
    SMS_NO_SHOW_REQUEST      outbound  app     yes  delivered   -       | no        no      no
    REVIEW                   outbound  app     yes  delivered   -       | no        no      no

A call has a call status and a message status. It counts as answered only if neither says otherwise, since HighLevel
does not document the message status of an unanswered call (November 2026). Answered calls often name no user; if they
last at least a second, they count as answered by an unknown user. Activity rows arrive as outbound messages of the
app, some with a user (seen in the live export, 2026). A "manual" campaign message is reviewed and sent by a user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.groups import column_or_nulls, require_columns
from hlkit.analysis.core.run_log import as_mask, remark
from hlkit.client.schema import NUMBER

Reply = Literal["attempt", "connected", "any"]
Mask = npt.NDArray[np.bool_]

_NOT_A_MESSAGE = re.compile(
    r"ACTIVITY|INTERNAL_|LIVE_CHAT_INFO|SYSTEM|REVIEW|.*_REVIEW_REQUEST|.*_NO_SHOW_REQUEST|.*REACTION"
)
_CALL = re.compile(r".*CALL$")
_VOICEMAIL = re.compile(r".*VOICEMAIL$")
_MACHINE = re.compile(r"WORKFLOW|CAMPAIGN|BULK|API")
_UNSENT = ("FAILED", "UNDELIVERED", "CANCELED", "CANCELLED", "SCHEDULED", "PENDING", "QUEUED", "REJECTED", "BOUNCED")
_UNANSWERED = ("BUSY", "NO_ANSWER", "NOANSWER", "MISSED", "VOICEMAIL", "VOICE_MAIL")
_COMPLETED = ("COMPLETED", "ANSWERED", "CONNECTED")
_OPT_OUT = ("OPT_OUT", "OPTOUT")


_DEFINITIONS = {
    "connected": (
        "A reply is a message that a user sent in the app, or a call in which somebody talked. Automated messages do "
        "not count."
    ),
    "attempt": (
        "A reply is a message that a user sent in the app, or a call. An outbound call that was busy, not answered, "
        'or went to voicemail counts as an attempt (reply="connected" leaves it out); an inbound one does not. '
        "Automated messages do not count."
    ),
    "any": "A reply is any outbound message or call, including automated ones, or an answered inbound call.",
}


def remark_on_reply(reply: Reply) -> None:
    """Add what counts as a reply to the definition of this run."""
    remark(f"{_DEFINITIONS[reply]} The docstring of hlkit.analysis.core.messages lists all forms.")


@dataclass(frozen=True)
class MessageKinds:
    """Boolean masks over the rows of a frame of messages.

    Attributes
    ----------
    answered_calls
        Calls in which a person spoke with the contact.
    human_messages
        Other messages that a person sent.
    attempted_calls
        Outbound calls by a person that the contact did not answer.
    automated
        Outbound messages and calls that no person sent.
    inbound_messages
        Messages that a contact wrote.
    missed_calls
        Inbound calls and voicemails that nobody answered.
    unknown_user
        Answered calls that name no user.
    """

    answered_calls: Mask
    human_messages: Mask
    attempted_calls: Mask
    automated: Mask
    inbound_messages: Mask
    missed_calls: Mask
    unknown_user: Mask

    def replies(self, reply: Reply = "attempt") -> Mask:
        """Whether each message counts as a reply to the contact."""
        is_human_reply = self.answered_calls | self.human_messages
        if reply == "connected":
            return is_human_reply
        is_attempt = is_human_reply | self.attempted_calls
        return is_attempt if reply == "attempt" else is_attempt | self.automated


def classify_messages(messages: pd.DataFrame) -> MessageKinds:
    """Classify each of *messages* by the table at the top of this file. Raises ``MissingColumn``."""
    require_columns(messages, "direction", "origin", "user_id", "status", "type")
    kind = _codes(messages["type"])
    is_message = ~kind.matches(_NOT_A_MESSAGE)
    is_call, is_voicemail = kind.matches(_CALL), kind.matches(_VOICEMAIL)
    is_manual = kind.starts_with("CAMPAIGN_MANUAL")
    is_machine = _codes(messages["origin"]).matches(_MACHINE) | kind.starts_with("CAMPAIGN")

    direction = _codes(messages["direction"])
    inbound, outbound = direction.starts_with("INBOUND") & is_message, direction.starts_with("OUTBOUND") & is_message
    has_user = as_mask(messages["user_id"].fillna("").astype("str").str.strip() != "")
    by_user = has_user & (~is_machine | is_manual)

    status, call_status = _codes(messages["status"]), _codes(column_or_nulls(messages, "call_status"))
    was_sent = ~(status.isin(_UNSENT + _OPT_OUT) | (is_call & call_status.isin(_UNSENT)))
    is_unanswered = is_call & (status.isin(_UNANSWERED) | call_status.isin(_UNANSWERED))
    seconds = column_or_nulls(messages, "call_duration_s", NUMBER).to_numpy("float64")
    long_enough = np.where(by_user | (has_user & inbound), ~(seconds < 1), seconds >= 1)
    is_completed = is_call & was_sent & ~is_unanswered & long_enough
    is_completed &= status.isin(_COMPLETED) | call_status.isin(_COMPLETED)

    is_outbound_talk = outbound & (by_user | (~has_user & ~is_machine))
    is_answered_call = is_completed & np.where(inbound, has_user | ~is_machine, is_outbound_talk)
    is_human_message = outbound & was_sent & by_user & ~is_call & ~is_voicemail
    is_attempted_call = outbound & was_sent & by_user & is_call & ~is_answered_call
    is_from_contact = inbound & ~is_call & ~is_voicemail & ~kind.starts_with("CAMPAIGN") & ~status.isin(_OPT_OUT)
    return MessageKinds(
        answered_calls=is_answered_call,
        human_messages=is_human_message,
        attempted_calls=is_attempted_call,
        automated=outbound & was_sent & ~is_answered_call & ~is_human_message & ~is_attempted_call,
        inbound_messages=is_from_contact,
        missed_calls=inbound & (is_call | is_voicemail) & ~is_answered_call,
        unknown_user=is_answered_call & ~has_user,
    )


@dataclass(frozen=True)
class _Codes:
    """A column of codes with few distinct values, so that each value is tested only once."""

    indexes: npt.NDArray[np.intp]
    values: list[str]

    def matches(self, pattern: re.Pattern[str]) -> Mask:
        return self._where(lambda value: pattern.match(value) is not None)

    def starts_with(self, prefix: str) -> Mask:
        return self._where(lambda value: value.startswith(prefix))

    def isin(self, values: tuple[str, ...]) -> Mask:
        return self._where(lambda value: value in values)

    def _where(self, test: Callable[[str], bool]) -> Mask:
        return np.array([test(value) for value in self.values], dtype=bool)[self.indexes]


def _codes(column: pd.Series) -> _Codes:
    indexes, values = pd.factorize(column)
    return _Codes(indexes, [*map(normalize_code, values), ""])  # the index of a null is -1: the last value


def normalize_code(text: object) -> str:
    """A type or status in one spelling: "no-answer" becomes NO_ANSWER, "TYPE_SMS" becomes SMS."""
    return re.sub(r"[^A-Z0-9]+", "_", str(text).upper()).strip("_").removeprefix("TYPE_")

"""Who replied: which messages and calls are a reply of a person, and which are something a contact wrote.

Every row is one of the forms below. The last three columns say whether it counts as a reply with
``reply="connected"``, ``"attempt"`` (the default) and ``"any"``. The origin is what HighLevel calls the source of a
message; ``machine`` stands for workflow, campaign, bulk_actions and api. A dash is any value, or none.

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

A call is read by its call status and by the status of its row, whichever says less happened: what HighLevel writes
as the row's status of an unanswered call is not documented (November 2026). Answered calls often name no user; those
of at least a second count as answered by somebody unknown. Activity rows arrive as outbound messages of the app,
some with a user (seen in the live export, 2026). A "manual" campaign message is reviewed and sent by a user.
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

_NO_MESSAGE = re.compile(
    r"ACTIVITY|INTERNAL_|LIVE_CHAT_INFO|SYSTEM|REVIEW|.*_REVIEW_REQUEST|.*_NO_SHOW_REQUEST|.*REACTION"
)
_CALL = re.compile(r".*CALL$")
_VOICEMAIL = re.compile(r".*VOICEMAIL$")
_MACHINE = re.compile(r"WORKFLOW|CAMPAIGN|BULK|API")
_UNSENT = ("FAILED", "UNDELIVERED", "CANCELED", "CANCELLED", "SCHEDULED", "PENDING", "QUEUED", "REJECTED", "BOUNCED")
_UNANSWERED = ("BUSY", "NO_ANSWER", "NOANSWER", "MISSED", "VOICEMAIL", "VOICE_MAIL")
_TALKED = ("COMPLETED", "ANSWERED", "CONNECTED")
_OPT_OUT = ("OPT_OUT", "OPTOUT")


_MEANS = {
    "connected": (
        "A reply is a message that a user sent in the app, or a call in which somebody talked. Automated messages do "
        "not count."
    ),
    "attempt": (
        "A reply is a message that a user sent in the app, or a call. An outbound call that was busy, not answered, "
        'or went to voicemail counts as an attempt (reply="connected" leaves it out); an inbound one does not. '
        "Automated messages do not count."
    ),
    "any": "A reply is any message or call that went out, automated ones too, or an inbound call that was answered.",
}


def remark_on_reply(reply: Reply) -> None:
    """Add to the definition of this run what counts as a reply."""
    remark(f"{_MEANS[reply]} The docstring of hlkit.analysis.core.messages lists all forms.")


@dataclass(frozen=True)
class MessageKinds:
    """What each row of a frame of messages is, as truth values in its order.

    ``talked``: a call in which a person spoke with the contact. ``sent``: another message that a person sent.
    ``tried``: a call that a person made in vain. ``automated``: what went out by itself. ``written``: what a contact
    wrote. ``missed``: an inbound call or voicemail that nobody took. ``names_nobody``: a reply without a user.
    """

    answered_calls: Mask
    human_messages: Mask
    attempted_calls: Mask
    automated: Mask
    inbound_messages: Mask
    missed_calls: Mask
    unknown_user: Mask

    def replies(self, reply: Reply = "attempt") -> Mask:
        """Whether each is a reply to the contact."""
        is_human_reply = self.answered_calls | self.human_messages
        if reply == "connected":
            return is_human_reply
        is_attempt = is_human_reply | self.attempted_calls
        return is_attempt if reply == "attempt" else is_attempt | self.automated


def classify_messages(messages: pd.DataFrame) -> MessageKinds:
    """What each of *messages* is, by the table at the top of this file."""
    require_columns(messages, "direction", "origin", "user_id", "status", "type")
    kind = _words(messages["type"])
    is_message = ~kind.matches(_NO_MESSAGE)
    call, voicemail = kind.matches(_CALL), kind.matches(_VOICEMAIL)
    manual = kind.starts("CAMPAIGN_MANUAL")
    machine = _words(messages["origin"]).matches(_MACHINE) | kind.starts("CAMPAIGN")

    direction = _words(messages["direction"])
    inbound, outbound = direction.starts("INBOUND") & is_message, direction.starts("OUTBOUND") & is_message
    user = as_mask(messages["user_id"].fillna("").astype("str").str.strip() != "")
    by_a_user = user & (~machine | manual)

    status, call_status = _words(messages["status"]), _words(column_or_nulls(messages, "call_status"))
    happened = ~(status.among(_UNSENT + _OPT_OUT) | (call & call_status.among(_UNSENT)))
    unanswered = call & (status.among(_UNANSWERED) | call_status.among(_UNANSWERED))
    seconds = column_or_nulls(messages, "call_duration_s", NUMBER).to_numpy("float64")
    long_enough = np.where(by_a_user | (user & inbound), ~(seconds < 1), seconds >= 1)
    completed = call & happened & ~unanswered & (status.among(_TALKED) | call_status.among(_TALKED)) & long_enough

    talked = completed & np.where(inbound, user | ~machine, outbound & (by_a_user | (~user & ~machine)))
    sent = outbound & happened & by_a_user & ~call & ~voicemail
    tried = outbound & happened & by_a_user & call & ~talked
    written = inbound & ~call & ~voicemail & ~kind.starts("CAMPAIGN") & ~status.among(_OPT_OUT)
    return MessageKinds(
        answered_calls=talked,
        human_messages=sent,
        attempted_calls=tried,
        automated=outbound & happened & ~talked & ~sent & ~tried,
        inbound_messages=written,
        missed_calls=inbound & (call | voicemail) & ~talked,
        unknown_user=talked & ~user,
    )


@dataclass(frozen=True)
class _Words:
    """A column of few words: the number of each row's word, and the words in capitals."""

    codes: npt.NDArray[np.intp]
    words: list[str]

    def matches(self, pattern: re.Pattern[str]) -> Mask:
        return self._where(lambda word: pattern.match(word) is not None)

    def starts(self, start: str) -> Mask:
        return self._where(lambda word: word.startswith(start))

    def among(self, words: tuple[str, ...]) -> Mask:
        return self._where(lambda word: word in words)

    def _where(self, test: Callable[[str], bool]) -> Mask:
        return np.array([test(word) for word in self.words], dtype=bool)[self.codes]


def _words(values: pd.Series) -> _Words:
    codes, words = pd.factorize(values)
    return _Words(codes, [*map(normalize_code, words), ""])  # -1, of a null, is the last


def normalize_code(word: object) -> str:
    """A type, status or the like as one code however it is spelled: NO_ANSWER for no-answer, SMS for TYPE_SMS."""
    return re.sub(r"[^A-Z0-9]+", "_", str(word).upper()).strip("_").removeprefix("TYPE_")

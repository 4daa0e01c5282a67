"""Messages of a conversation, in minutes from a Monday at 10 AM."""

from lead_rows import later


def inbound(name, minutes, **more):
    sent = {"contact_id": name, "conversation_id": f"with {name}", "sent_at": later(minutes), "direction": "inbound"}
    return sent | {"origin": None, "user_id": None, "status": "delivered", "type": "TYPE_SMS"} | more


def reply(name, minutes, user="u1", **more):
    return inbound(name, minutes) | {"direction": "outbound", "origin": "app", "user_id": user} | more

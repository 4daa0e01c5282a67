"""Error responses: a status and HighLevel's message."""

from __future__ import annotations

from http import HTTPStatus


class Refusal(Exception):
    """An error response; *message* is a text, or a list of texts for a body that does not validate."""

    def __init__(self, status: int, message: str | list[str], error: str | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.error = error or HTTPStatus(status).phrase


def unprocessable(*problems: str) -> Refusal:
    """A 422, whose message is a list."""
    return Refusal(422, list(problems), "Unprocessable Entity")

"""What the service refuses: HTTP status, code and words. May not decide when.

Texts and codes are those that the live service was seen to answer with; where only the fact of a refusal is known, the
place that raises it says so.
"""

from __future__ import annotations

from typing import Final

#: A rule of orders was broken.
RULE: Final = 42210000
#: The request lacks something or cannot be read.
MALFORMED: Final = 40010001
#: The account may not do this now.
FORBIDDEN: Final = 40310000
NOT_FOUND: Final = 40410000


class ApiError(Exception):
    """An answer that is no success. `extra` are members beside `code` and `message`; `code` None: the body has none."""

    def __init__(self, http_status: int, code: int | None, message: str, **extra: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.extra = extra

    def body(self) -> dict[str, object]:
        """The JSON object of the answer."""
        code = {} if self.code is None else {"code": self.code}
        return {**code, "message": self.message, **self.extra}


def rule(message: str) -> ApiError:
    """A broken rule of orders: 422."""
    return ApiError(422, RULE, message)


def malformed(message: str) -> ApiError:
    """A request that lacks something: 422."""
    return ApiError(422, MALFORMED, message)


def forbidden(message: str, **extra: str) -> ApiError:
    """Something this account may not do now: 403."""
    return ApiError(403, FORBIDDEN, message, **extra)


def not_found(message: str) -> ApiError:
    """Something that is not there: 404."""
    return ApiError(404, NOT_FOUND, message)

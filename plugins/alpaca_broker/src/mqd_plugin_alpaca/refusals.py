"""Which answers to an order say that it does not exist. Everything that is not on the list leaves it in doubt.

May not look at anything but status and words: Alpaca's codes differ between its own services.
"""

from __future__ import annotations

import re
from typing import Final

from mqd_plugin_alpaca.faults import Answered

_DUPLICATE: Final = re.compile(r"client[\s_-]?order[\s_-]?id must be unique", re.IGNORECASE)
#: Wrong, not allowed, against the rules; and the keys are refused, which the connector also halts the desk for.
_REFUSALS: Final = frozenset({400, 401, 403, 422})
_DUPLICATE_STATUSES: Final = frozenset({400, 403, 409, 422})


def is_duplicate(answer: Answered) -> bool:
    """Whether Alpaca has an order of that id already: an earlier try of it may have arrived."""
    return answer.status in _DUPLICATE_STATUSES and _DUPLICATE.search(answer.reason) is not None


def is_refusal(answer: Answered) -> bool:
    """Whether Alpaca itself says that the order was not taken.

    An error page without Alpaca's words may come from something in between, after the order went on to Alpaca. 429 is
    none either, until it is proven that nothing behind the counter has taken the order.
    """
    return answer.is_plain and answer.status in _REFUSALS

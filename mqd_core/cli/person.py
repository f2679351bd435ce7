"""Who gives a command: a name for the journal, as far as the system knows one. May not prove who it is."""

from __future__ import annotations

import getpass


def person_name() -> str:
    """The name under which somebody is logged in; "" where nobody knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""

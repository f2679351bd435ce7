"""MiniQuantDesk: a trading desk for small accounts, assembled from plugins.

Importing the package imports nothing else; the version is all that lives here.
"""

__version__ = "0.1.0"

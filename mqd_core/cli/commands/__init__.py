"""One module for each command, imported when that command runs or is asked for its help.

What a command needs of the desk it imports inside its function, so that its help costs nothing.
"""

"""The commands ``device fault``, ``device heal`` and ``device list``: DeviceFaults from a terminal.

- ``settings``: their command lines; ``manifest``: the DeviceFault that one asks for.
- ``program``: makes, deletes and lists them. ``table``: the list for people.
"""

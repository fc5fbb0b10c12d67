"""The programs of a driver: what starts what, and the command line before it.

- ``commandline``: sub-commands, help, exit statuses; ``settings``: those of the programs that run in a cluster;
- ``parts``: what the long-running programs consist of; ``mode``: which protocol they work with.

The mode of DRA is chosen once, here; what the modes do comes from the seams of a driver.
"""

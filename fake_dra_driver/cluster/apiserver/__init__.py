"""The embedded API server: ``ApiServer``. See ``server.py`` for what it does and what it leaves out."""

from fake_dra_driver.cluster.apiserver.server import ApiServer

__all__ = ["ApiServer"]

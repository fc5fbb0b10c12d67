"""Streams between a client and a command in a container, as kubectl's exec, attach, cp and port-forward speak them.

From the outside to the inside: ``negotiation`` chooses the protocol that the client asks for; ``spdyconnection`` (with
``spdyframe`` and ``headerblock``) or ``channelprotocol`` (WebSocket) carry several streams on one connection;
``streams`` is what a command sees of them. Nothing here knows HTTP, pods or processes.
"""

"""A request's way in and an answer's way out: connections, routing, bodies, content negotiation, errors as Status.

From the outside to the inside: ``listener`` (HTTPS) or ``inprocess`` (calls), ``handler``, ``routing``, ``endpoints``,
which calls ``verbs``. ``nonresource`` answers for paths that name no resource.
"""

"""A stand-in for a platform, which carries any load, as a process: `python -m chatload.targets.nullserver CONFIG`.

It speaks the reference core's wire as far as the fleet listens: it acknowledges at once, its bot answers at once, and
who asks for an operator is offered to a free seat at once. It stores nothing and checks nothing: a contact's last few
entries are kept for whoever comes back or takes over. Its one timer closes the dialogs of those who went silently, for
they would keep their slots.

CONFIG is one JSON object, see `hall.Config`. One JSON line on stdout says where it listens; SIGTERM ends it.
"""

"""The ledger's enumerations as plain numbers: reading an enum member costs more than packing the whole row."""

from typing import Final

from chatreport.rundir import Channel, Kind, Outcome, Phase, What

DIALOG: Final = int(What.DIALOG)
CONNECT: Final = int(What.CONNECT)
RESUME: Final = int(What.RESUME)
SEND: Final = int(What.SEND)
ENTRY: Final = int(What.ENTRY)
OFFER: Final = int(What.OFFER)
ACCEPT: Final = int(What.ACCEPT)
CLOSE: Final = int(What.CLOSE)
PRESENCE: Final = int(What.PRESENCE)
HISTORY: Final = int(What.HISTORY)
ATTEMPT: Final = int(What.ATTEMPT)
RECEIPT: Final = int(What.RECEIPT)
PROBE: Final = int(What.PROBE)
MIRROR: Final = int(What.MIRROR)
UNSENT: Final = int(What.UNSENT)
WITHDRAWN: Final = int(What.WITHDRAWN)
CALLBACK: Final = int(What.CALLBACK)
FETCH: Final = int(What.FETCH)
RATING: Final = int(What.RATING)
CALL: Final = int(What.CALL)
ASKED: Final = int(What.ASKED)
BANK: Final = int(What.BANK)
CODE: Final = int(What.CODE)
HOSTILE: Final = int(What.HOSTILE)
NOTICE: Final = int(What.NOTICE)

OK: Final = int(Outcome.OK)
REJECTED: Final = int(Outcome.REJECTED)
INDETERMINATE: Final = int(Outcome.INDETERMINATE)
COMPLETED: Final = int(Outcome.COMPLETED)
ABANDONED: Final = int(Outcome.ABANDONED)
FAILED: Final = int(Outcome.FAILED)
IN_FLIGHT: Final = int(Outcome.IN_FLIGHT)

RAMP: Final = int(Phase.RAMP)
MAIN: Final = int(Phase.MAIN)
DRAIN: Final = int(Phase.DRAIN)

WEB: Final = int(Channel.WEB)
APP: Final = int(Channel.APP)
TELEGRAM: Final = int(Channel.TELEGRAM)

CHANNELS: Final = {channel.name.lower(): int(channel) for channel in Channel if channel}
KINDS: Final = {kind.name.lower(): int(kind) for kind in Kind if kind}
MESSAGE: Final = int(Kind.MESSAGE)
EDITED: Final = int(Kind.EDITED)

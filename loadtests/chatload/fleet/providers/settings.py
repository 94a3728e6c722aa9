"""How a simulated messenger is set up."""

import msgspec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates are those of real time, before `speed`; shares lie between 0 and 1, each draw keyed by what it is about.

    `time_scale` divides the retry delays and the time to answer. Towards the platform: `repeat_share` of the accepted
    events are posted again, within `late_ms` (business) where there is no order; `other_share` of the messages are
    followed by an edit or an event of another kind; `batch_share` of the requests carry all events that are ready;
    events without an order leave within `shuffle_ms` (business): about as long as lies between messages of one burst.
    Receipts: `delivered_ms` (wall) and `read_ms` (business) after the reply on average, `read_share` are read,
    `failed_share` fail instead; `disorder_share` come in the wrong order, `early_share` before the answer to the send.
    `blocked_share` of the customers have blocked the bank. `connect_ms` (business): how long a telephone exchange takes
    on average to connect a caller with an operator.
    """

    rate_per_s: float = 30.0
    chat_rate_per_s: float = 1.0
    burst: float = 3.0
    connections: int = 0  # the profile's
    time_scale: float = 1.0
    repeat_share: float = 0.02
    late_ms: float = 30_000.0
    other_share: float = 0.02
    batch_share: float = 0.5
    shuffle_ms: float = 100.0
    delivered_ms: float = 300.0
    read_ms: float = 10_000.0
    read_share: float = 0.8
    failed_share: float = 0.001
    disorder_share: float = 0.02
    early_share: float = 0.02
    blocked_share: float = 0.0
    connect_ms: float = 300.0

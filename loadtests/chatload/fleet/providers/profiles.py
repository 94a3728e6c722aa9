"""The messengers' documented behaviour: one profile each, with its source and date; what is not published is ours."""

from typing import Final

from chatload.fleet.providers.limits import Profile

_HOUR_S: Final = 3600.0
_DAY_S: Final = 24 * _HOUR_S

TELEGRAM: Final = Profile(
    name="telegram",
    source="github.com/tdlib/telegram-bot-api at 01a3679c (WebhookActor.cpp, Client.cpp); text limit: Bot API",
    as_of="2026-05-07",
    success="2xx",
    retry_s=(0, 2, 4, 8, 16, 32),
    then_s=(60, 120),
    horizon_s=_DAY_S,
    answer_within_s=60,
    text_most=4096,
    retry_after_most_s=_HOUR_S,
    ordered=True,
)

META_WHATSAPP: Final = Profile(
    name="meta-wa",
    source="WhatsApp webhooks overview: 200, 7 days, up to 1000 updates a request; the delays are not published, ours",
    as_of="2026-05-21",
    success="200",
    retry_s=(0, 60, 300, 900),
    then_s=(_HOUR_S, _HOUR_S),
    horizon_s=7 * _DAY_S,
    answer_within_s=20,
    text_most=4096,
    batch=1000,
    window_s=_DAY_S,
)

META_PAGE: Final = Profile(
    name="meta-page",
    source="Messenger platform FAQ: 20 s; Graph webhooks: 36 h; the delays after the first are not published, ours",
    as_of="2026-03-01",
    success="200",
    retry_s=(0, 60, 300, 900),
    then_s=(_HOUR_S, _HOUR_S),
    horizon_s=36 * _HOUR_S,
    answer_within_s=20,
    text_most=2000,
    ordered=True,
    batch=1000,
    window_s=_DAY_S,
)

INFOBIP: Final = Profile(
    name="infobip",
    source="infobip-api-java-client at 5e880b1: 1 min + n² min; tries and time to answer are not published, ours",
    as_of="2026-03-31",
    success="2xx",
    retry_s=tuple(60.0 + 60.0 * n * n for n in range(1, 21)),
    then_s=None,
    horizon_s=2 * _DAY_S,
    answer_within_s=10,
    text_most=4096,
    batch=100,
    window_s=_DAY_S,
)

INFOBIP_SMS: Final = Profile(
    name="infobip-sms",
    source="as infobip; a joined text of at most 1530 characters of GSM-7 is ours",
    as_of="2026-03-31",
    success="2xx",
    retry_s=INFOBIP.retry_s,
    then_s=None,
    horizon_s=2 * _DAY_S,
    answer_within_s=10,
    text_most=1530,
    batch=100,
)

VIBER: Final = Profile(
    name="viber",
    source="Viber FAQ: several times during one hour; steps and time to answer are not published, ours",
    as_of="2024-02-05",
    success="200",
    retry_s=(10, 60, 300, 900, 1800),
    then_s=None,
    horizon_s=_HOUR_S,
    answer_within_s=10,
    text_most=7000,
)

VK: Final = Profile(
    name="vk",
    source="dev.vk.com/api/callback/getting-started: body ok, five repeats; time to answer is not published, ours",
    as_of="2026-10-01",
    success="ok",
    retry_s=(10, 180, 600, 1800, 3600),
    then_s=None,
    horizon_s=_DAY_S,
    answer_within_s=10,
    text_most=9000,
    retry_after_most_s=3 * _HOUR_S,
    retry_after_on=(410, 429, 503),
)

SMTP: Final = Profile(
    name="smtp",
    source="RFC 5321 4.5.3.2 and 4.5.4.1: 10 min for the last reply, 4-5 days; steps as Postfix, up to 30 min, ours",
    as_of="2008-10-01",
    success="250",
    retry_s=(900, 1200, 1500),
    then_s=(1800, 1800),
    horizon_s=5 * _DAY_S,
    answer_within_s=600,
    text_most=100_000,
    connections=20,
)

MAX: Final = Profile(
    name="max",
    source="dev.max.ru: 200 only, every 30 to 60 s, at most 8 h; time to answer is not published, ours",
    as_of="2025-06-06",
    success="200",
    retry_s=(),
    then_s=(30, 60),
    horizon_s=8 * _HOUR_S,
    answer_within_s=10,
    text_most=4000,
)

PHONE: Final = Profile(
    name="phone",
    source="doc.didww.com/phone-systems webhooks: ten attempts until 2xx, in no order; the delays are ours, as is"
    " the form of the events, for which there is no standard",
    as_of="2026-11-01",
    success="2xx",
    retry_s=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    then_s=None,
    horizon_s=_HOUR_S,
    answer_within_s=5,
    text_most=4096,
)

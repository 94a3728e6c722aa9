"""The messengers' side, simulated: they post webhooks as the real ones do, and serve the APIs the platform calls."""

from typing import Final

from chatload.fleet.providers.email import Email
from chatload.fleet.providers.infobip import Infobip, Sms
from chatload.fleet.providers.max import Max
from chatload.fleet.providers.messenger import Messenger
from chatload.fleet.providers.phone import Phone
from chatload.fleet.providers.provider import Provider
from chatload.fleet.providers.telegram import Telegram
from chatload.fleet.providers.viber import Viber
from chatload.fleet.providers.vk import Vk
from chatload.fleet.providers.whatsapp import WhatsApp

_ALL: Final[tuple[type[Provider], ...]] = (Telegram, Messenger, Viber, Vk, WhatsApp, Infobip, Sms, Max, Email, Phone)
PROVIDERS: Final = {provider.channel: provider for provider in _ALL}

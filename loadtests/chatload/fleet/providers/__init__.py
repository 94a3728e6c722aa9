"""The messengers' side, simulated: they post webhooks as the real ones do, and serve the APIs the platform calls."""

from typing import Final

from chatload.fleet.providers.provider import Provider
from chatload.fleet.providers.telegram import Telegram

PROVIDERS: Final[dict[str, type[Provider]]] = {provider.channel: provider for provider in (Telegram,)}

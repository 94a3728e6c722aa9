"""The messengers' side, simulated: they post webhooks as the real ones do, and serve the APIs the platform calls."""

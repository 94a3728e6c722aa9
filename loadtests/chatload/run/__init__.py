"""One run from settings to verdict."""

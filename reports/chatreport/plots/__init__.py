"""The pictures of the report, drawn with matplotlib: `canvas` is what they share."""

"""A scenario estimated from an export of a bank's dialogs."""

from chatload.fit.drafted import LEFT_OUT, drafted
from chatload.fit.estimates import Estimates, estimate
from chatload.fit.export import BadExport, BadRow, Export, read

__all__ = ["LEFT_OUT", "BadExport", "BadRow", "Estimates", "Export", "drafted", "estimate", "read"]

"""Scenario files: one bank's day in TOML, typed and checked."""

from chatload.scenario.channels import PLAYED, Channel
from chatload.scenario.load import ScenarioFile, load, parse, shipped
from chatload.scenario.model import Part, Scenario
from chatload.scenario.shape import Shape, shape_of
from chatload.scenario.units import duration_ms, spoken

__all__ = [
    "PLAYED",
    "Channel",
    "Part",
    "Scenario",
    "ScenarioFile",
    "Shape",
    "duration_ms",
    "load",
    "parse",
    "shape_of",
    "shipped",
    "spoken",
]

"""The queue that is played, as the scenario file beside has it, and as theory knows it."""

from pathlib import Path
from typing import Final

from chatload.run.settings import Settings, settle
from chatload.scenario import load as load_scenario
from chatreport.theory.observed import Queue

FILE: Final = Path(__file__).with_name("queue.toml")
HOUR_S: Final = 3600.0
TARGET_S: Final = 20.0
WARM_UP: Final = 5  # of the longer of service and patience, before the queue has forgotten that it began empty


def queue_of(load: float) -> Queue:
    """The queue at a load, in business seconds."""
    scenario = load_scenario(str(FILE)).scenario
    volume, people = scenario.volume, scenario.operators
    return Queue(
        arrivals_per_s=load * volume.dialogs_per_day * volume.peak_hour_share / HOUR_S,
        service_s=people.wrap_up / 1000,
        patience_s=scenario.patience.queue / 1000,
        operators=people.count,
        slots=people.slots,
        target_s=TARGET_S,
    )


def usual_speed() -> float:
    """The speed at which the platform's own time is small beside a service."""
    return load_scenario(str(FILE)).scenario.speed


def warm_up_s(queue: Queue) -> float:
    """How much of the beginning is left out."""
    return WARM_UP * max(queue.service_s, queue.patience_s)


def settings_of(load: float, seed: int, span_s: float, speed: float, out: Path) -> Settings:
    """A play: its warm-up and `span_s` business seconds at this load; the operators stay as many."""
    queue = queue_of(load)
    duration = f"{(warm_up_s(queue) + span_s) / speed} s"
    file = load_scenario(str(FILE))
    return settle(file, load=load, seed=seed, speed=speed, duration=duration, operators=queue.operators, out=out)

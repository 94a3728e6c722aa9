"""A scenario's objectives and published figures against what the judge knows."""

import difflib

from chatload.errors import BadScenario
from chatload.scenario import ScenarioFile


def check_claims(file: ScenarioFile) -> None:
    """Nothing, if the judge can judge them all.

    Raises:
        BadScenario: an objective that cannot be read, or a published figure that no run measures; names the nearest.
    """
    from chatreport.errors import BadObjective  # the judge brings numpy: not for the help page
    from chatreport.kpi import FIGURES, named
    from chatreport.objectives import parse

    for position, objective in enumerate(file.scenario.objectives):
        try:
            parse(objective.slo)
        except BadObjective as error:
            raise BadScenario(file.path, f"objectives.{position}.slo", objective.slo, str(error)) from error
    for name, value in file.scenario.published.items():
        if named(name) is None:
            nearest = difflib.get_close_matches(name, FIGURES, n=1, cutoff=0.0)[0]
            raise BadScenario(file.path, f"published.{name}", value, "no run measures this", f"published.{nearest}")

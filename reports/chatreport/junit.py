"""`junit.xml`: a test case per guarantee and objective, and one for the verdict, for test reporters."""

import re
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from chatreport.objectives import Judged
from chatreport.verdict import Verdict
from chatreport.verify import GUARANTEES, NOT_EXERCISED, NOT_OBSERVABLE
from chatreport.verify.finding import Finding

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, verdict: Verdict, manifest: dict[str, Any]) -> None:
    """Write `junit.xml`; what could not be decided is an error, what was not exercised is skipped."""
    suite = Element("testsuite", name=_clean(f"chatload {manifest.get('scenario', '')} {manifest.get('part', '')}"))
    _case(suite, "verdict", "verdict", *_of_verdict(verdict))
    for guarantee in GUARANTEES:
        finding = verdict.guarantees[guarantee.id]
        _case(suite, "guarantees", f"{guarantee.id} {guarantee.name}", *_of_finding(finding))
    for objective in verdict.objectives:
        _case(suite, "objectives", objective.objective, *_of_objective(objective))
    suite.set("tests", str(len(suite)))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    ElementTree(root).write(path / "junit.xml", encoding="utf-8", xml_declaration=True)


def _case(suite: Element, classname: str, name: str, kind: str, message: str, text: str = "") -> None:
    case = SubElement(suite, "testcase", classname=f"chatload.{classname}", name=_clean(name), time="0")
    if kind:
        SubElement(case, kind, message=_clean(message)).text = _clean(text)


def _of_verdict(verdict: Verdict) -> tuple[str, str, str]:
    kind = {"pass": "", "fail": "failure"}.get(verdict.verdict, "error")
    return kind, f"{verdict.verdict}: {verdict.reasons[0]}", "\n".join(verdict.reasons)


def _of_finding(finding: Finding) -> tuple[str, str, str]:
    if finding.status == "held":
        return "", "", ""
    if finding.status == "violated":
        examples = "\n".join(" ".join(f"{key}={value}" for key, value in each.items()) for each in finding.examples)
        return "failure", f"violated {finding.violations} times in {finding.count}", examples
    kind = "skipped" if finding.why in (NOT_EXERCISED, NOT_OBSERVABLE) else "error"
    return kind, f"unknown: {finding.why}", ""


def _of_objective(objective: Judged) -> tuple[str, str, str]:
    kind = {"met": "", "missed": "failure"}.get(objective.status, "error")
    value = "no value" if objective.value is None else f"{objective.value:.6g} {objective.unit}".strip()
    return kind, f"{objective.status}: {value}", objective.why


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)

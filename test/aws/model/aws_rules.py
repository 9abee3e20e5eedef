"""What AWS accepts and refuses, from the one table of rules with their sources: aws-rules.json.

A parameter that the table does not list is refused, so that a new call needs a new line with a source.
"""

import json
import os
from collections.abc import Iterable

with open(os.path.join(os.path.dirname(__file__), "aws-rules.json")) as file:
    OPERATIONS = json.load(file)["operations"]


def refusal(operation: str, parameters: Iterable[str]) -> tuple[str, str] | None:
    """Code and message of AWS's refusal of a call of the query protocol; None when the table accepts it.

    `parameters` are the names in the request's form, for example `VpcSecurityGroupIds.VpcSecurityGroupId.1`.
    """
    rule = OPERATIONS.get(operation)
    if rule is None:
        return None
    named = {name.split(".")[0] for name in parameters} - {"Action", "Version"}
    for refused in rule["refused"]:
        if refused["parameter"] in named:
            return refused["code"], refused["message"]
    if unknown := named - set(rule["accepted"]):
        return "InvalidParameterValue", f"aws-rules.json does not list {', '.join(sorted(unknown))} of {operation}"
    return None


def also_needed(operation: str, form: dict[str, str]) -> list[tuple[str, str]]:
    """Further actions that IAM asks for with a call, and the resource of each; an empty resource is the call's own."""
    named = {name.split(".")[0]: value for name, value in form.items()}
    needs = OPERATIONS.get(operation, {}).get("alsoNeeds", [])
    return [
        (need["action"], named[need["parameter"]] if need["action"] == "iam:PassRole" else "")
        for need in needs
        if need["parameter"] in named
    ]


def error_document(code: str, message: str) -> str:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>aws-rules</RequestId></ErrorResponse>"
    )

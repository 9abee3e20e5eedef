"""Our model of AWS as CloudFormation deploys into it: ministack, with what it does not know stubbed and named.

What stands here is what we believe of AWS, not AWS. Each correction says which sentence of the documentation it follows.
Usage: cloud_model.py PORT STUBBED_TYPES_FILE HOSTED_ZONE_ID
"""

import contextvars
import json
import os
import sys
import uuid

PORT, STUBBED, ZONE_ID = sys.argv[1:4]
# Before the emulator is imported: it reads its settings when it is. It listens nowhere but here.
os.environ.update(BIND_HOST="127.0.0.1", MINISTACK_HOST="127.0.0.1", GATEWAY_PORT=PORT)

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb, route53
from ministack.services.cloudformation import provisioners

HANDLERS = provisioners._RESOURCE_HANDLERS


def stub(attributes: dict[str, str]) -> dict:
    def create(logical_id: str, _properties: dict, _stack: str) -> tuple:
        identifier = uuid.uuid4()
        known = {name: text.format(id=identifier.hex[:17], uuid=identifier) for name, text in attributes.items()}
        # A reference to a resource gives its first attribute.
        return next(iter(known.values()), f"{logical_id}-{identifier.hex[:8]}"), known

    def update(physical_id: str, *_arguments: object) -> tuple:
        return physical_id, {}

    return {"create": create, "update": update, "delete": lambda *_arguments: None}


with open(STUBBED) as stubbed:
    for resource_type, attributes in json.load(stubbed).items():
        if resource_type in HANDLERS:
            sys.exit(f"{resource_type} is known to the emulator: take it out of {STUBBED}")
        HANDLERS[resource_type] = stub(attributes)


# An alarm on metric math, which the emulator does not know, is deployed as one on a single metric.
ONE_METRIC = {"Namespace": "metric-math", "MetricName": "metric-math", "Statistic": "Sum", "Period": 60}


def without_math(alarm: object) -> object:
    if not isinstance(alarm, dict) or "Metrics" not in alarm:
        return alarm
    return {**{name: value for name, value in alarm.items() if name != "Metrics"}, **ONE_METRIC}


def simplified(original):
    return lambda *arguments: original(*map(without_math, arguments))


ALARM = HANDLERS["AWS::CloudWatch::Alarm"]
for verb in ("create", "update", "delete"):
    ALARM[verb] = simplified(ALARM[verb])


# AWS::DynamoDB::GlobalTable: "Replicas: specifies the list of replicas for your global table".
def create_global_table(logical_id: str, properties: dict, stack: str) -> tuple:
    created = original_global_table(logical_id, properties, stack)
    regions = [replica["Region"] for replica in properties["Replicas"]]
    name = created[0]
    table = dynamodb._tables.get(name)
    for region in regions:
        if region != dynamodb.get_region():
            dynamodb._create_replica(name, table, region)
    dynamodb._set_replica_group(name, regions)
    return created


original_global_table = HANDLERS["AWS::DynamoDB::GlobalTable"]["create"]
HANDLERS["AWS::DynamoDB::GlobalTable"]["create"] = create_global_table

# The zone that is there before the first deploy has the identifier that the configuration says.
route53._zone_id = lambda: ZONE_ID

# Rights are enforced as the roles in the templates say. Those of whoever deploys are the CDK's own, and not looked at.
def resolve_principal(*arguments: object):
    principal = original_principal(*arguments)
    if ":assumed-role/cdk-" in getattr(principal, "arn", ""):
        principal.policies = None
    return principal


# Service authorization reference: what a call asks for beside itself, and on which of the things that it names.
LOAD_BALANCER_ACTIONS = {
    "wafv2:AssociateWebACL": ["elasticloadbalancing:SetWebAcl", "elasticloadbalancing:CreateWebACLAssociation"],
    "wafv2:GetWebACLForResource": ["elasticloadbalancing:GetLoadBalancerWebACL"],
}
ASKED: contextvars.ContextVar[list[tuple[str, str]]] = contextvars.ContextVar("asked")


def resources_of(service: str, path: str, body: bytes, query: dict, region: str, account: str) -> list[str]:
    if service == "wafv2":
        return [value for name, value in json.loads(body).items() if name in ("ResourceArn", "WebACLArn")]
    if service == "rds":
        kinds = {"DBInstanceIdentifier": "db", "DBSubnetGroupName": "subgrp", "DBParameterGroupName": "pg"}
        named = [f"arn:aws:rds:{region}:{account}:{kind}:{query[name][0]}" for name, kind in kinds.items() if name in query]
        is_new = query.get("Action") == ["CreateDBInstanceReadReplica"]
        return named + ([f"arn:aws:rds:{region}:{account}:og:default:postgres-18"] if is_new else [])
    if service == "route53":
        kind, *identifier = path.split("/")[2:4]
        return [f"arn:aws:route53:::{kind}/{identifier[0]}"] if identifier else []
    return []


def extract_resource_arn(service, method, path, headers, body, query, region, account):
    found = original_extract(service, method, path, headers, body, query, region, account)
    if found == "*":
        ASKED.set(resources_of(service, path, body, query, region, account))
    return found


# Every refusal is kept: a controller that tolerates one must not hide it.
def enforce(access_key_id: str, action: str, service: str, region: str, resource_arn: str = "*", **named: object):
    resources = [resource_arn] if resource_arn != "*" else ASKED.get([]) or ["*"]
    ASKED.set([])
    asked = [(action, resource) for resource in resources]
    balancers = [resource for resource in resources if ":loadbalancer/" in resource]
    asked += [(more, resource) for more in LOAD_BALANCER_ACTIONS.get(action, []) for resource in balancers]
    for wanted, resource in asked:
        denied = original_enforce(access_key_id, wanted, service, region, resource_arn=resource, **named)
        if denied is not None:
            print("refused:", wanted, resource, getattr(denied, "principal_arn", denied), flush=True)
            return denied
    return None


original_principal, iam_evaluator.resolve_principal = iam_evaluator.resolve_principal, resolve_principal
original_enforce, iam_evaluator.enforce = iam_evaluator.enforce, enforce
original_extract, iam_actions.extract_resource_arn = iam_actions.extract_resource_arn, extract_resource_arn

sys.argv = sys.argv[:1]
app.main()

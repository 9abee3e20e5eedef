"""Our model of AWS as CloudFormation deploys into it: ministack, with what it does not know stubbed and named.

What stands here is what we believe of AWS, not AWS. Each correction says which sentence of the documentation it follows.
Usage: cloud_model.py PORT CONTROL_PORT HOOK_URL STUBBED_TYPES_FILE HOSTED_ZONE_ID
"""

import base64
import contextvars
import json
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

PORT, CONTROL_PORT, HOOK_URL, STUBBED, ZONE_ID = sys.argv[1:6]
# Before the emulator is imported: it reads its settings when it is. It listens nowhere but here.
os.environ.update(BIND_HOST="127.0.0.1", MINISTACK_HOST="127.0.0.1", GATEWAY_PORT=PORT)

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb, ecs, rds, route53, secretsmanager, sts
from ministack.services.cloudformation import provisioners

import aws_rules

HANDLERS = provisioners._RESOURCE_HANDLERS
REFUSED: list[str] = []


def hook(path: str, **body: str) -> dict:
    """The test carries out what an emulator cannot: it has the real databases."""
    request = urllib.request.Request(HOOK_URL + path, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        return json.loads(urllib.request.urlopen(request, timeout=120).read() or b"{}")
    except urllib.error.HTTPError as failure:
        raise RuntimeError(f"{path}: {failure.read().decode()}") from None


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

# AWS::SecretsManager::Secret: "Ref returns the ARN of the secret".
def create_secret(logical_id: str, properties: dict, stack: str) -> tuple:
    name, attributes = original_secret(logical_id, properties, stack)
    return secretsmanager._resolve(name)[1]["ARN"], attributes


original_secret = HANDLERS["AWS::SecretsManager::Secret"]["create"]
HANDLERS["AWS::SecretsManager::Secret"]["create"] = create_secret


# AWS::WAFv2::WebACL: "SearchString" is plain text in a template, and base64 in the API's answers.
def encoded(value: object) -> object:
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    coded = {key: encoded(item) for key, item in value.items()}
    if "SearchString" in coded:
        coded["SearchString"] = base64.b64encode(coded["SearchString"].encode()).decode()
    return coded


def encoding(original):
    return lambda *arguments: original(*map(encoded, arguments))


WEB_ACL = HANDLERS["AWS::WAFv2::WebACL"]
for verb in ("create", "update"):
    WEB_ACL[verb] = encoding(WEB_ACL[verb])


# RDS. An instance stands when the real database behind it does. Its address holds no part that changes by the run.
def create_instance(logical_id: str, properties: dict, stack: str) -> tuple:
    identifier, attributes = original_instance(logical_id, properties, stack)
    instance = rds._instances[identifier]
    source = properties.get("SourceDBInstanceIdentifier")
    if source is None:
        hook("/create", identifier=identifier, password=properties["MasterUserPassword"])
    else:
        follow(instance, source)
    return identifier, attributes | {"Endpoint.Address": addressed(instance)}


def addressed(instance: dict) -> str:
    region, identifier = instance["DBInstanceArn"].split(":")[3], instance["DBInstanceIdentifier"]
    instance["Endpoint"] = {**instance["Endpoint"], "Address": f"{identifier}.c0ffee.{region}.rds.amazonaws.com"}
    return instance["Endpoint"]["Address"]


def instance_by(arn: str) -> dict:
    return next(found for found in rds._instances._data.values() if found["DBInstanceArn"] == arn)


# CreateDBInstanceReadReplica: "ReadReplicaSourceDBInstanceIdentifier" is an ARN when the source is in another region.
def follow(replica: dict, source_arn: str) -> None:
    source = instance_by(source_arn)
    hook("/follow", identifier=replica["DBInstanceIdentifier"], source=source["DBInstanceIdentifier"])
    replica["ReadReplicaSourceDBInstanceIdentifier"] = source_arn
    source["ReadReplicaDBInstanceIdentifiers"].append(replica["DBInstanceArn"])


def in_background(work) -> None:
    threading.Thread(target=work, daemon=True).start()


def answer(name: str, instance: dict) -> tuple:
    return rds._single_instance_response(f"{name}Response", f"{name}Result", instance)


def not_available(instance: dict) -> tuple | None:
    if instance["DBInstanceStatus"] == "available":
        return None
    return rds._error("InvalidDBInstanceState", f"It is {instance['DBInstanceStatus']}.", 400)


# PromoteReadReplica: "modifying", "rebooting", "available"; then it has no source any more, and the source no replica.
def promote(parameters: dict) -> tuple:
    instance = rds._instances[rds._p(parameters, "DBInstanceIdentifier")]
    source_arn = instance["ReadReplicaSourceDBInstanceIdentifier"]
    if not source_arn:
        return rds._error("InvalidDBInstanceState", "It is no read replica.", 400)
    if refused := not_available(instance):
        return refused
    instance["DBInstanceStatus"] = "modifying"

    def work() -> None:
        instance["DBInstanceStatus"] = "rebooting"
        hook("/promote", identifier=instance["DBInstanceIdentifier"])
        instance["ReadReplicaSourceDBInstanceIdentifier"] = ""
        for other in rds._instances._data.values():
            replicas = other["ReadReplicaDBInstanceIdentifiers"]
            other["ReadReplicaDBInstanceIdentifiers"] = [arn for arn in replicas if arn != instance["DBInstanceArn"]]
        # The status comes last, and later than SQL says so.
        time.sleep(0.5)
        instance["DBInstanceStatus"] = "available"

    in_background(work)
    return answer("PromoteReadReplica", instance)


# CreateDBInstanceReadReplica: the source may stand in another region, and is then named by its ARN.
def create_replica(parameters: dict) -> tuple:
    identifier = rds._p(parameters, "DBInstanceIdentifier")
    source_arn = rds._p(parameters, "SourceDBInstanceIdentifier")
    if identifier in rds._instances:
        return rds._error("DBInstanceAlreadyExists", f"{identifier} already exists.", 400)
    region = rds.get_region()
    replica = dict(instance_by(source_arn))
    replica.update(
        DBInstanceIdentifier=identifier,
        DBInstanceArn=f"arn:aws:rds:{region}:{rds.get_account_id()}:db:{identifier}",
        ReadReplicaDBInstanceIdentifiers=[],
        ReadReplicaSourceDBInstanceIdentifier=source_arn,
        DBInstanceStatus="creating",
        # "or the default DBParameterGroup for the specified DB engine for a cross-Region read replica"; backups are off.
        DBParameterGroups=[{"DBParameterGroupName": "default.postgres18", "ParameterApplyStatus": "in-sync"}],
        BackupRetentionPeriod=0,
    )
    addressed(replica)
    rds._instances[identifier] = replica

    def work() -> None:
        follow(replica, source_arn)
        replica["DBInstanceStatus"] = "available"

    in_background(work)
    return answer("CreateDBInstanceReadReplica", replica)


# ModifyDBInstance with "NewDBInstanceIdentifier": the database is renamed, and has the address of its new name.
def modify(parameters: dict) -> tuple:
    identifier, name = (rds._p(parameters, key) for key in ("DBInstanceIdentifier", "NewDBInstanceIdentifier"))
    if not name or identifier not in rds._instances:
        return modify_settings(parameters)
    instance = rds._instances[identifier]
    if refused := not_available(instance):
        return refused
    hook("/rename", identifier=identifier, name=name)
    del rds._instances[identifier]
    rds._instances[name] = instance
    instance.update(DBInstanceIdentifier=name, DBInstanceArn=instance["DBInstanceArn"].replace(identifier, name))
    addressed(instance)
    return answer("ModifyDBInstance", instance)


# ModifyDBInstance: "The parameter group name itself is changed immediately, but the actual parameter changes are not
# applied until you reboot the instance without failover."
def modify_settings(parameters: dict) -> tuple:
    instance = rds._instances.get(rds._p(parameters, "DBInstanceIdentifier"))
    if instance is not None and (refused := not_available(instance)):
        return refused
    answered = original_modify(parameters)
    if instance is not None and rds._p(parameters, "DBParameterGroupName"):
        instance["DBParameterGroups"][0]["ParameterApplyStatus"] = "pending-reboot"
    return answered


# RebootDBInstance: "rebooting", then the parameter group is in force.
def reboot(parameters: dict) -> tuple:
    instance = rds._instances[rds._p(parameters, "DBInstanceIdentifier")]
    if refused := not_available(instance):
        return refused
    instance["DBInstanceStatus"] = "rebooting"

    def work() -> None:
        hook("/reboot", identifier=instance["DBInstanceIdentifier"])
        instance["DBParameterGroups"] = [{**instance["DBParameterGroups"][0], "ParameterApplyStatus": "in-sync"}]
        instance["DBInstanceStatus"] = "available"

    in_background(work)
    return answer("RebootDBInstance", instance)


# RDS refuses what aws-rules.json says.
def by_rules(operation: str, handler):
    def checked(parameters: dict) -> tuple:
        refused = aws_rules.refusal(operation, parameters)
        return handler(parameters) if refused is None else rds._error(*refused, 400)

    return checked


original_instance = HANDLERS["AWS::RDS::DBInstance"]["create"]
HANDLERS["AWS::RDS::DBInstance"]["create"] = create_instance
original_modify = rds._ACTION_MAP["ModifyDBInstance"]
rds._ACTION_MAP.update(
    PromoteReadReplica=promote,
    CreateDBInstanceReadReplica=create_replica,
    ModifyDBInstance=modify,
    RebootDBInstance=reboot,
)
for operation in aws_rules.OPERATIONS:
    rds._ACTION_MAP[operation] = by_rules(operation, rds._ACTION_MAP[operation])


# Route 53, GetHealthCheckStatus: one observation a checker, with its status in words.
async def route53_request(method: str, path: str, *arguments: object) -> tuple:
    if not (path.startswith("/2013-04-01/healthcheck/") and path.endswith("/status")):
        return await original_route53(method, path, *arguments)
    healthy = hook("/witness")["healthy"]
    words = "Success: HTTP Status Code 200, OK" if healthy else "Failure: The endpoint did not respond in time"
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    observations = "".join(
        f"<HealthCheckObservation><Region>eu-west-1</Region><IPAddress>192.0.2.{index}</IPAddress><StatusReport>"
        f"<Status>{words}</Status><CheckedTime>{now}</CheckedTime></StatusReport></HealthCheckObservation>"
        for index in range(12)
    )
    body = f"<GetHealthCheckStatusResponse><HealthCheckObservations>{observations}</HealthCheckObservations></GetHealthCheckStatusResponse>"
    return 200, {"Content-Type": "text/xml"}, body.encode()


original_route53, route53.handle_request = route53.handle_request, route53_request


# Route 53, ChangeResourceRecordSets: an alias within a zone leads to a record that is there, of the same type. What it answers
# otherwise is in many reports: "Tried to create an alias that targets …, type A in zone …, but that target was not found".
def change_record_sets(zone_id: str, body: bytes) -> tuple:
    known = {(record["Name"], record["Type"]) for record in route53._records.get(zone_id, [])}
    batch = route53._find(route53._parse_body(body), "ChangeBatch")
    for change in route53._findall(route53._find(batch, "Changes"), "Change"):
        record = route53._parse_record_set(route53._find(change, "ResourceRecordSet"))
        target = (record.get("AliasTarget", {}).get("DNSName"), record["Type"])
        within = record.get("AliasTarget", {}).get("HostedZoneId") == zone_id
        if within and route53._text(change, "Action") != "DELETE" and target not in known:
            what = f"Tried to create an alias that targets {target[0]}, type {target[1]} in zone {zone_id}"
            return route53._error_response("InvalidChangeBatch", f"[{what}, but that target was not found]")
        known.add((record["Name"], record["Type"]))
    return original_change_record_sets(zone_id, body)


original_change_record_sets = route53._change_resource_record_sets
route53._change_resource_record_sets = change_record_sets

# The zone that exists before the first deploy has the identifier of the configuration.
route53._zone_id = lambda: ZONE_ID

# Permissions are enforced for the roles of the templates. Permissions of the deploying user belong to the CDK and
# are not checked.
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
ASKED: contextvars.ContextVar[list[str]] = contextvars.ContextVar("asked")
CONTEXT: contextvars.ContextVar[dict] = contextvars.ContextVar("context")
# Further actions of the call with their resources, from aws-rules.json.
ALSO: contextvars.ContextVar[list[tuple[str, str]]] = contextvars.ContextVar("also")


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
    CONTEXT.set(CONTEXT_OF[service](body) if service in CONTEXT_OF else {})
    form = {name: values[0] for name, values in query.items()} if service == "rds" else {}
    own = f"arn:aws:rds:{region}:{account}:db:{form.get('DBInstanceIdentifier')}"
    needs = aws_rules.also_needed(form.get("Action", ""), form)
    ALSO.set([(action, resource or own) for action, resource in needs])
    return found


# Policies that want TLS are satisfied: on this machine the emulator is called without it.
def pin_request_origin(source_ip: str, _is_secure: bool) -> None:
    iam_evaluator.pin_request_origin(source_ip, True)


app.pin_request_origin = pin_request_origin


# CloudWatch: "cloudwatch:namespace" is the namespace of the metrics that are put.
def namespace_of(body: bytes) -> dict:
    found = re.search(rb'Namespace(?:"\s*:\s*"|.)([A-Za-z]+)', body)
    return {"cloudwatch:namespace": found.group(1).decode()} if found else {}


# Route 53, policy conditions: the names, types and actions of the records that are changed.
def changes_in(body: bytes) -> dict:
    if b"<ChangeBatch" not in body:
        return {}
    found = {name: re.findall(rf"<{name}>([^<]*)</{name}>", body.decode()) for name in ("Name", "Type", "Action")}
    return {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [name.lower().rstrip(".") for name in found["Name"]],
        "route53:ChangeResourceRecordSetsRecordTypes": found["Type"],
        "route53:ChangeResourceRecordSetsActions": found["Action"],
    }


# DynamoDB, fine-grained access: "dynamodb:LeadingKeys" are the partition keys that a request names.
def leading_keys(body: bytes) -> dict:
    asked = json.loads(body or b"{}")
    writes = [write for batch in asked.get("RequestItems", {}).values() if isinstance(batch, list) for write in batch]
    items = [asked.get("Key"), asked.get("Item"), *(write.get("PutRequest", {}).get("Item") for write in writes)]
    keys = [item["pk"]["S"] for item in items if item and "pk" in item]
    if queried := re.search(r"\bpk = (:\w+)", asked.get("KeyConditionExpression", "")):
        keys.append(asked["ExpressionAttributeValues"][queried.group(1)]["S"])
    return {"dynamodb:LeadingKeys": keys} if keys else {}


CONTEXT_OF = {"monitoring": namespace_of, "route53": changes_in, "dynamodb": leading_keys}


# Every refusal is kept: a controller that tolerates one must not hide it.
def enforce(access_key_id: str, action: str, service: str, region: str, resource_arn: str = "*", **named: object):
    named["service_context"] = {**(named.get("service_context") or {}), **CONTEXT.get({})}
    resources = [resource_arn] if resource_arn != "*" else ASKED.get([]) or ["*"]
    ASKED.set([])
    asked = [(action, resource) for resource in resources]
    balancers = [resource for resource in resources if ":loadbalancer/" in resource]
    asked += [(more, resource) for more in LOAD_BALANCER_ACTIONS.get(action, []) for resource in balancers]
    also = ALSO.get([])
    ALSO.set([])
    asked += also
    if any(more == "iam:PassRole" for more, _ in also):
        # RDS passes the monitoring role to this service (IAM, "iam:PassedToService").
        named["service_context"]["iam:PassedToService"] = "monitoring.rds.amazonaws.com"
    for wanted, resource in asked:
        denied = original_enforce(access_key_id, wanted, service, region, resource_arn=resource, **named)
        if denied is not None:
            REFUSED.append(f"{wanted} on {resource} for {getattr(denied, 'principal_arn', denied)}")
            return denied
    return None


original_principal, iam_evaluator.resolve_principal = iam_evaluator.resolve_principal, resolve_principal
original_enforce, iam_evaluator.enforce = iam_evaluator.enforce, enforce
original_extract, iam_actions.extract_resource_arn = iam_actions.extract_resource_arn, extract_resource_arn


# The regions that a test has declared lost: every call that is signed for one of them fails, from any caller. Services
# with one worldwide endpoint stay available.
LOST: list[str] = []
WORLDWIDE = {"iam", "route53", "sts"}


async def dispatch(method: str, path: str, headers: dict, *arguments: object) -> tuple:
    signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", headers.get("authorization", ""))
    if signed and signed.group(1) in LOST and signed.group(2) not in WORLDWIDE:
        return 503, {"Content-Type": "text/plain"}, f"{signed.group(1)} is lost".encode()
    return await original_dispatch(method, path, headers, *arguments)


original_dispatch, app._dispatch_service_request = app._dispatch_service_request, dispatch


class Control(BaseHTTPRequestHandler):
    """Beside the API: what a task's agent knows and hands out, the calls that rights did not allow, regions to lose."""

    def do_GET(self) -> None:
        asked = urlparse(self.path)
        if asked.path == "/credentials":
            self.answer(credentials(parse_qs(asked.query)["role"][0]))
        elif asked.path == "/tasks":
            self.answer({"tasks": [provisioners._pascal_to_camel(task) for task in ecs._task_defs._data.values()]})
        else:
            self.answer({"refused": REFUSED})

    def do_POST(self) -> None:
        LOST[:] = json.loads(self.rfile.read(int(self.headers["content-length"])))["lost"]
        self.answer({"lost": LOST})

    def answer(self, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


def credentials(role_arn: str) -> dict:
    account, role = role_arn.split(":")[4], role_arn.split("/")[-1]
    key, secret, token = f"ASIA{uuid.uuid4().hex[:16].upper()}", uuid.uuid4().hex, uuid.uuid4().hex
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/task"
    session = {"Arn": arn, "UserId": f"{role}:task", "SecretAccessKey": secret, "SessionToken": token}
    sts.register_session(key, session)
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))
    return {"AccessKeyId": key, "SecretAccessKey": secret, "Token": token, "Expiration": expires}


control = ThreadingHTTPServer(("127.0.0.1", int(CONTROL_PORT)), Control)
threading.Thread(target=control.serve_forever, daemon=True).start()
sys.argv = sys.argv[:1]
app.main()

"""Our model of AWS: moto, corrected where it does less than AWS's documentation says, and with two real databases behind RDS.

What stands here is what we believe of AWS, not AWS. Each correction says which sentence of the documentation it follows.
Usage: aws_model.py PORT CONTROL_PORT HOOK_URL
"""

import copy
import io
import json
import sys
import threading
import time
import urllib.request
from urllib.parse import parse_qsl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.core.utils import utcnow
from moto.core.responses import ActionResult
from moto.dynamodb.models import dynamodb_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.rds.exceptions import DBInstanceAlreadyExists, DBInstanceNotFoundError, InvalidDBInstanceStateFault
from moto.rds.models import DBInstance, RDSBackend, rds_backends
from moto.route53.responses import Route53
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend, route53_backends
from moto.wafv2.models import WAFV2Backend, wafv2_backends
from werkzeug.serving import run_simple

import aws_rules

ACCOUNT = "111122223333"
PORT, CONTROL_PORT, HOOK_URL = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

# What the tests may set: how many of the witness's checkers reach Oregon, and how long a change of a record takes.
STATE = {"witnessHealthy": 12, "witnessOf": 12, "changeSeconds": 1.0}
CHANGES: dict[str, float] = {}


def hook(path: str, **body: str) -> None:
    request = urllib.request.Request(HOOK_URL + path, json.dumps(body).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=120).read()


# DynamoDB, "multi-Region strong consistency": a write in one region is seen by every later read in the other.
dynamodb_backends[ACCOUNT]["us-west-2"] = dynamodb_backends[ACCOUNT]["us-east-1"]


# WAFv2, AssociateWebACL: "a resource can be associated with one web ACL"; the new one replaces the old one.
def associate(self: WAFV2Backend, web_acl_arn: str, resource_arn: str) -> None:
    for acl in self.wacls.values():
        acl.associated_resources = [arn for arn in acl.associated_resources if arn != resource_arn]
    original_associate(self, web_acl_arn, resource_arn)


original_associate = WAFV2Backend.associate_web_acl
WAFV2Backend.associate_web_acl = associate


# Route 53, GetHealthCheckStatus: one observation a checker, with its status in words.
def health_check_status(self: Route53) -> ActionResult:
    self.backend.get_health_check(self._get_param("HealthCheckId"))
    observations = []
    for index in range(STATE["witnessOf"]):
        healthy = index < STATE["witnessHealthy"]
        words = "Success: HTTP Status Code 200, OK" if healthy else "Failure: The endpoint did not respond in time"
        report = {"Status": words, "CheckedTime": utcnow()}
        observations.append({"Region": "eu-west-1", "IPAddress": f"192.0.2.{index}", "StatusReport": report})
    return ActionResult({"HealthCheckObservations": observations})


# Route 53, ChangeResourceRecordSets: an alias within a zone leads to a record that is there, of the same type. What it answers
# otherwise is in many reports: "Tried to create an alias that targets …, type A in zone …, but that target was not found".
def change_with_targets(self: Route53Backend, zoneid: str, change_list: list) -> None:
    zone, zone_id = self.get_hosted_zone(zoneid), zoneid.split("/")[-1]
    known = {(record.name.rstrip("."), record.type) for record in zone.rrsets}
    for change in change_list:
        record = change["ResourceRecordSet"]
        name, kind, alias = record["Name"].rstrip("."), record["Type"], record.get("AliasTarget") or {}
        target = alias.get("DNSName", "").rstrip(".")
        if alias.get("HostedZoneId") == zone_id and change["Action"] != "DELETE" and (target, kind) not in known:
            what = f"Tried to create an alias that targets {target}., type {kind} in zone {zone_id}"
            raise Route53ClientError("InvalidChangeBatch", f"[{what}, but that target was not found]")
        known.add((name, kind))
    original_backend_change(self, zoneid, change_list)


original_backend_change = Route53Backend.change_resource_record_sets
Route53Backend.change_resource_record_sets = change_with_targets


# Route 53, ChangeResourceRecordSets: "PENDING" until the change is on every name server.
def change_record_sets(self: Route53) -> ActionResult:
    result = original_change(self)
    identifier = f"/change/C{len(CHANGES)}"
    CHANGES[f"C{len(CHANGES)}"] = time.monotonic() + STATE["changeSeconds"]
    info = result.result["ChangeInfo"]
    info["Status"], info["Id"] = "PENDING", identifier
    return result


def get_change(self: Route53) -> ActionResult:
    identifier = self._get_param("Id").split("/")[-1]
    done = time.monotonic() >= CHANGES.get(identifier, 0)
    status = "INSYNC" if done else "PENDING"
    return ActionResult({"ChangeInfo": {"Id": f"/change/{identifier}", "Status": status, "SubmittedAt": utcnow()}})


original_change = Route53.change_resource_record_sets
Route53.change_resource_record_sets = change_record_sets
Route53.get_health_check_status = health_check_status
Route53.get_change = get_change


# RDS refuses what aws-rules.json says, before moto reads the call.
class RefusingByRules:
    def __init__(self, application) -> None:
        self.application = application

    def __call__(self, environ: dict, start_response):
        if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            return self.application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        refused = aws_rules.refusal(form.get("Action", ""), form)
        if refused is None:
            return self.application(environ, start_response)
        content = aws_rules.error_document(*refused).encode()
        start_response("400 Bad Request", [("Content-Type", "text/xml"), ("Content-Length", str(len(content)))])
        return [content]


# RDS. Orders are accepted at once and carried out in their own time, by the real databases behind the hook.
def instance_of(backend: RDSBackend, identifier: str) -> DBInstance:
    if identifier not in backend.databases:
        raise DBInstanceNotFoundError(identifier)
    return backend.databases[identifier]


def in_background(work) -> None:
    threading.Thread(target=work, daemon=True).start()


# PromoteReadReplica: "modifying", "rebooting", "available"; then it has no source any more, and the source no replica.
def promote(self: RDSBackend, db_kwargs: dict) -> DBInstance:
    identifier = db_kwargs["db_instance_identifier"]
    database = instance_of(self, identifier)
    if not database.is_replica or database.status != "available":
        raise InvalidDBInstanceStateFault(f"DB Instance {identifier} is not an available read replica.")
    database.status = "modifying"

    def work() -> None:
        time.sleep(0.3)
        database.status = "rebooting"
        hook("/promote", identifier=identifier)
        arn, source = database.db_instance_arn, database.source_db_instance_identifier
        database.is_replica, database.source_db_instance_identifier = False, None
        for region in ("us-east-1", "us-west-2"):
            for other in rds_backends[ACCOUNT][region].databases.values():
                other.replicas = [name for name in other.replicas if name not in (arn, identifier)]
        # The status comes last, and later than SQL says so.
        time.sleep(0.5)
        database.status = "available"
        print(f"model: {identifier} no longer follows {source}", flush=True)

    in_background(work)
    return database


# CreateDBInstanceReadReplica: across regions with a subnet group of the replica's own region.
def create_replica(self: RDSBackend, db_kwargs: dict) -> DBInstance:
    identifier = db_kwargs["db_instance_identifier"]
    if identifier in self.databases:
        raise DBInstanceAlreadyExists()
    source = self.find_db_from_id(db_kwargs["source_db_instance_identifier"])
    if source.status != "available":
        raise InvalidDBInstanceStateFault("The source is not available.")
    replica = copy.copy(source)
    replica.backend = self
    replica.db_instance_identifier = identifier
    replica.source_db_instance_identifier = db_kwargs["source_db_instance_identifier"]
    replica.set_as_replica()
    # "or the default DBParameterGroup for the specified DB engine for a cross-Region read replica"; backups are off.
    replica.parameter_group_state = DEFAULT_GROUP
    replica.backup_retention_period = 0
    replica.status = "creating"
    self.databases[identifier] = replica
    source.add_replica(replica)

    def work() -> None:
        hook("/follow", identifier=identifier, source=source.db_instance_identifier)
        replica.status = "available"

    in_background(work)
    return replica


# ModifyDBInstance with a new identifier: "renaming", and the old name is free at once for nobody but the new one.
def modify(self: RDSBackend, db_instance_identifier: str, db_kwargs: dict) -> DBInstance:
    database = instance_of(self, db_instance_identifier)
    if database.status != "available":
        raise InvalidDBInstanceStateFault(f"{db_instance_identifier} is {database.status}.")
    name = db_kwargs.get("new_db_instance_identifier")
    if name is None:
        return modify_settings(database, db_kwargs)
    database.status = "renaming"

    def work() -> None:
        hook("/rename", identifier=db_instance_identifier, name=name)
        self.databases[name] = database
        database.db_instance_identifier = name
        database.status = "available"
        del self.databases[db_instance_identifier]

    in_background(work)
    return database


# ModifyDBInstance: "The parameter group name itself is changed immediately, but the actual parameter changes are not
# applied until you reboot the instance without failover." Enabling backups takes a first one: "backing-up".
def modify_settings(database: DBInstance, db_kwargs: dict) -> DBInstance:
    group = db_kwargs.get("db_parameter_group_name")
    if group is not None:
        database.parameter_group_state = (group, "applying")
    starts_backups = database.backup_retention_period == 0 and int(db_kwargs.get("backup_retention_period") or 0) > 0
    database.backup_retention_period = int(db_kwargs.get("backup_retention_period", database.backup_retention_period))
    database.preferred_backup_window = db_kwargs.get("preferred_backup_window", database.preferred_backup_window)
    database.status = "modifying"

    def work() -> None:
        time.sleep(0.3)
        if group is not None:
            database.parameter_group_state = (group, "pending-reboot")
        if starts_backups:
            database.status = "backing-up"
            time.sleep(0.3)
        database.status = "available"

    in_background(work)
    return database


# RebootDBInstance: "rebooting", then the parameter group is in force; a failover would not put it in force.
def reboot(self: RDSBackend, db_instance_identifier: str) -> DBInstance:
    database = instance_of(self, db_instance_identifier)
    if database.status != "available":
        raise InvalidDBInstanceStateFault(f"{db_instance_identifier} is {database.status}.")
    database.status = "rebooting"

    def work() -> None:
        hook("/reboot", identifier=db_instance_identifier)
        database.parameter_group_state = (database.parameter_group_state[0], "in-sync")
        database.status = "available"

    in_background(work)
    return database


def parameter_groups(self: DBInstance) -> list[dict[str, str]]:
    name, status = self.parameter_group_state
    return [{"DBParameterGroupName": name, "ParameterApplyStatus": status}]


DEFAULT_GROUP = ("default.postgres18", "in-sync")
DBInstance.parameter_group_state = DEFAULT_GROUP
DBInstance.db_parameter_group_status_list = property(parameter_groups)
RDSBackend.promote_read_replica = promote
RDSBackend.create_db_instance_read_replica = create_replica
RDSBackend.modify_db_instance = modify
RDSBackend.reboot_db_instance = reboot


class Control(BaseHTTPRequestHandler):
    """What the tests may see and set beside the API: what is associated, where records lead, what the witness sees."""

    def do_GET(self) -> None:
        acls = {
            resource: acl.name
            for region in ("us-east-1", "us-west-2")
            for acl in wafv2_backends[ACCOUNT][region].wacls.values()
            for resource in acl.associated_resources
        }
        records = {
            record.name.rstrip("."): (record.alias_target or {}).get("DNSName", "").rstrip(".")
            for zone in route53_backends[ACCOUNT]["aws"].zones.values()
            for record in zone.rrsets
        }
        databases = {
            identifier: {"status": database.status, "replica": database.is_replica}
            for region in ("us-east-1", "us-west-2")
            for identifier, database in list(rds_backends[ACCOUNT][region].databases.items())
        }
        self.answer({"acls": acls, "records": records, "databases": databases})

    def do_POST(self) -> None:
        STATE.update(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer(STATE)

    def answer(self, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", CONTROL_PORT), Control).serve_forever, daemon=True).start()
application = RefusingByRules(DomainDispatcherApplication(create_backend_app))
run_simple("127.0.0.1", PORT, application, threaded=True, request_handler=MotoRequestHandler)

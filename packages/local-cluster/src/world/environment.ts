import { join } from 'node:path';
import type { Region } from '@evergrant/core/regions';
import { type Layout, type LinkName, LOOPBACK } from '../layout';
import type { Profile, ProfileDurations } from '../profiles';
import type { ChildDefinition } from './node-child';
import type { SecretFiles } from './secrets';

export interface EnvironmentInput {
  readonly layout: Layout;
  readonly home: string;
  readonly profile: Profile;
  readonly durations: ProfileDurations;
  readonly secretFiles: SecretFiles;
  /** The root keys that the servers trust for license files. */
  readonly trustFile: string;
  readonly logLevel: string;
  /** The phase boundary at which a drill halts the controller, for example `promote:before`. */
  readonly controllerFailpoint?: string | undefined;
}

const APPS = [1, 2, 3];

const linkUrl = (layout: Layout, link: LinkName): string => `http://${LOOPBACK}:${layout.linkPort(link)}`;

/** The environment of one license server: its region's database, and the authority store through its region's link. */
function server(input: EnvironmentInput, region: Region, name: string): ChildDefinition {
  const { layout, durations } = input;
  const databasePort = region === 'oregon' ? layout.oregonDatabasePort : layout.port('virginia/db');
  return {
    name,
    entry: 'server/main.js',
    env: {
      EVERGRANT_REGION: region,
      EVERGRANT_SERVER: name,
      EVERGRANT_HOST: LOOPBACK,
      EVERGRANT_PORT_LISTEN: String(layout.port(name)),
      EVERGRANT_DATABASE_HOST: LOOPBACK,
      EVERGRANT_DATABASE_PORT: String(databasePort),
      EVERGRANT_DATABASE_NAME: 'evergrant',
      EVERGRANT_DATABASE_USER: 'evergrant_server',
      EVERGRANT_AUTHORITY_HOST: LOOPBACK,
      EVERGRANT_AUTHORITY_PORT: String(layout.linkPort(`${region}-ohio/db`)),
      EVERGRANT_AUTHORITY_NAME: 'evergrant',
      EVERGRANT_AUTHORITY_USER: 'evergrant_server',
      EVERGRANT_SECRETS_FILE: input.secretFiles.server,
      EVERGRANT_LICENSE_TRUST_FILE: input.trustFile,
      EVERGRANT_REGION_ADDRESSES: JSON.stringify(layout.regionAddresses),
      EVERGRANT_AUTHORITY_LEASE_MS: String(durations.authorityLeaseMs),
      EVERGRANT_RENEWAL_EVERY_MS: String(durations.renewalEveryMs),
      EVERGRANT_SKEW_MS: String(durations.skewMs),
      EVERGRANT_UNPROTECTED_AFTER_MS: String(durations.unprotectedAfterMs),
      EVERGRANT_LOG_LEVEL: input.logLevel,
    },
  };
}

function router(input: EnvironmentInput, region: Region): ChildDefinition {
  const { layout } = input;
  const targets = APPS.map((number) => `${region}/app-${number}`).map((name) => ({ name, url: layout.url(name) }));
  return {
    name: `${region}/router`,
    entry: 'local-cluster/router.js',
    env: {
      EVERGRANT_REGION: region,
      EVERGRANT_PORT_LISTEN: String(layout.port(`${region}/router`)),
      EVERGRANT_TARGETS: JSON.stringify(targets),
      EVERGRANT_ACL_FILE: join(input.home, `${region}-acl.json`),
      EVERGRANT_ACL_DEFAULT: region === 'oregon' ? 'serve' : 'fence',
      EVERGRANT_SECRETS_FILE: input.secretFiles.edge,
      EVERGRANT_REGION_ADDRESSES: JSON.stringify(layout.regionAddresses),
      EVERGRANT_PROFILE: input.profile,
    },
  };
}

function edge(input: EnvironmentInput): ChildDefinition {
  return {
    name: 'edge',
    entry: 'local-cluster/edge.js',
    env: {
      EVERGRANT_PORT_LISTEN: String(input.layout.port('edge')),
      EVERGRANT_TARGET_FILE: join(input.home, 'edge-target.json'),
      EVERGRANT_ROUTERS: JSON.stringify(input.layout.regionAddresses),
      EVERGRANT_SECRETS_FILE: input.secretFiles.edge,
      EVERGRANT_PROFILE: input.profile,
    },
  };
}

function witness(input: EnvironmentInput): ChildDefinition {
  return {
    name: 'ohio/witness',
    entry: 'local-cluster/witness.js',
    env: {
      EVERGRANT_PORT_LISTEN: String(input.layout.port('ohio/witness')),
      EVERGRANT_ROUTERS: JSON.stringify({
        oregon: linkUrl(input.layout, 'ohio-oregon/router'),
        virginia: linkUrl(input.layout, 'ohio-virginia/router'),
      }),
      EVERGRANT_PROFILE: input.profile,
    },
  };
}

/** The controller runs in Virginia. It reaches everything in Oregon and Ohio through Virginia's links. */
export function controller(input: EnvironmentInput, name = 'controller'): ChildDefinition {
  const { layout } = input;
  return {
    name,
    entry: 'local-cluster/controller.js',
    env: {
      EVERGRANT_CONTROLLER_NAME: name,
      EVERGRANT_PROFILE: input.profile,
      EVERGRANT_AUTHORITY_HOST: LOOPBACK,
      EVERGRANT_AUTHORITY_PORT: String(layout.linkPort('virginia-ohio/db')),
      EVERGRANT_AUTHORITY_NAME: 'evergrant',
      EVERGRANT_AUTHORITY_USER: 'evergrant_controller',
      EVERGRANT_DATABASES: JSON.stringify({
        oregon: { host: LOOPBACK, port: layout.linkPort('virginia-oregon/db') },
        virginia: { host: LOOPBACK, port: layout.port('virginia/db') },
      }),
      EVERGRANT_DATABASE_NAME: 'evergrant',
      EVERGRANT_DATABASE_USER: 'evergrant_controller',
      EVERGRANT_ROUTERS: JSON.stringify({
        oregon: linkUrl(layout, 'virginia-oregon/router'),
        virginia: layout.url('virginia/router'),
      }),
      EVERGRANT_REGION_ADDRESSES: JSON.stringify(layout.regionAddresses),
      EVERGRANT_EDGE: layout.url('edge'),
      EVERGRANT_WITNESS: layout.url('ohio/witness'),
      EVERGRANT_WORLD_API: `http://${LOOPBACK}:${layout.controlPort}`,
      EVERGRANT_SECRETS_FILE: input.secretFiles.controller,
      EVERGRANT_ALERTS_FILE: join(input.home, 'alerts.jsonl'),
      ...(input.controllerFailpoint ? { EVERGRANT_HALT_AT: input.controllerFailpoint } : {}),
    },
  };
}

/** Every Node process of the world, ready to start. The database supervisor runs the databases. */
export function childDefinitions(input: EnvironmentInput): readonly ChildDefinition[] {
  const servers = (region: Region) => APPS.map((number) => server(input, region, `${region}/app-${number}`));
  return [
    edge(input),
    router(input, 'oregon'),
    router(input, 'virginia'),
    witness(input),
    ...servers('oregon'),
    ...servers('virginia'),
    controller(input),
  ];
}

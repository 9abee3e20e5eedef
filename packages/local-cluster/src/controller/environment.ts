import type { DatabaseLogin, SqlAddress } from '@evergrant/controller/probes/sql';
import { httpOrigin, optionalText, port, text } from '@evergrant/core/environment/variables';
import type { Region } from '@evergrant/core/regions';
import { REGIONS } from '../layout';
import { PROFILE_VARIABLE, type Profile } from '../profiles';
import { createEnvironmentReader, hostsByName, originsByName, secret } from '../proxy/environment';

/** The environment of the controller process. */
export interface ControllerEnvironment {
  readonly name: string;
  readonly profile: Profile;
  readonly authority: SqlAddress & DatabaseLogin;
  /** The license database of each region, through the network link of the controller's region. */
  readonly databases: Readonly<Record<Region, SqlAddress>>;
  readonly databaseLogin: DatabaseLogin;
  /** The router of each region, through the network link of the controller's region. */
  readonly routers: Readonly<Record<Region, string>>;
  /** The router of each region, as customers reach it. */
  readonly regionAddresses: Readonly<Record<Region, string>>;
  readonly edge: string;
  readonly witness: string;
  readonly worldApi: string;
  readonly adminToken: string;
  readonly alertsFile: string;
  /** Drills only: the phase boundary at which the controller halts, for example `promote:before`. */
  readonly failpoint: string | undefined;
}

/** Reads the whole environment. @throws EnvironmentError with every error */
export function readControllerEnvironment(variables: NodeJS.ProcessEnv): ControllerEnvironment {
  const reader = createEnvironmentReader(variables);
  const readText = (name: string, description: string): string => reader.read(text(name, { description }));
  const readOrigin = (name: string, description: string): string => reader.read(httpOrigin(name, { description }));
  const readSecret = (field: string): string => reader.read(secret('EVERGRANT_SECRETS_FILE', field));
  return reader.complete({
    name: readText('EVERGRANT_CONTROLLER_NAME', 'the name of this controller'),
    profile: reader.read(PROFILE_VARIABLE),
    authority: {
      host: readText('EVERGRANT_AUTHORITY_HOST', 'the host of the authority store'),
      port: reader.read(port('EVERGRANT_AUTHORITY_PORT', { description: 'the port of the authority store' })),
      database: readText('EVERGRANT_AUTHORITY_NAME', 'the database of the authority store'),
      user: readText('EVERGRANT_AUTHORITY_USER', 'the role in the authority store'),
      password: readSecret('authorityPassword'),
    },
    databases: reader.read(hostsByName('EVERGRANT_DATABASES', REGIONS)),
    databaseLogin: {
      database: readText('EVERGRANT_DATABASE_NAME', 'the name of the license databases'),
      user: readText('EVERGRANT_DATABASE_USER', 'the role in the license databases'),
      password: readSecret('databasePassword'),
    },
    routers: reader.read(originsByName('EVERGRANT_ROUTERS', REGIONS)),
    regionAddresses: reader.read(originsByName('EVERGRANT_REGION_ADDRESSES', REGIONS)),
    edge: readOrigin('EVERGRANT_EDGE', 'the public address'),
    witness: readOrigin('EVERGRANT_WITNESS', 'the address of the witness'),
    worldApi: readOrigin('EVERGRANT_WORLD_API', 'the address of the control API'),
    adminToken: readSecret('adminToken'),
    alertsFile: readText('EVERGRANT_ALERTS_FILE', 'the path of the file that receives alerts'),
    failpoint: reader.read(optionalText('EVERGRANT_HALT_AT', { description: 'PHASE:before or PHASE:after' })),
  });
}

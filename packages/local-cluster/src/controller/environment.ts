import type { DatabaseAddress, DatabaseLogin } from '@evergrant/controller/probes/sql';
import type { Region } from '@evergrant/core/regions';
import { REGIONS } from '../layout';
import { PROFILES, type Profile } from '../profiles';
import { EnvironmentReader } from '../proxy/environment';

/** Everything the controller is told from outside. */
export interface ControllerEnvironment {
  readonly name: string;
  readonly profile: Profile;
  readonly authority: DatabaseAddress & DatabaseLogin;
  /** Each region's license database, by the way on which the controller reaches it. */
  readonly databases: Readonly<Record<Region, DatabaseAddress>>;
  readonly databaseLogin: DatabaseLogin;
  /** Each region's router, by the way on which the controller reaches it. */
  readonly routers: Readonly<Record<Region, string>>;
  /** Each region's router, by the way on which customers reach it. */
  readonly regionAddresses: Readonly<Record<Region, string>>;
  readonly edge: string;
  readonly witness: string;
  readonly worldApi: string;
  readonly adminToken: string;
  readonly alertsFile: string;
  /** For drills: where to stop for ever, for example `promote:before`; undefined: nowhere. */
  readonly failpoint: string | undefined;
}

/** Parses the environment as a whole. @throws EnvironmentError with every mistake. */
export function readControllerEnvironment(variables: NodeJS.ProcessEnv): ControllerEnvironment {
  const reader = new EnvironmentReader(variables);
  return reader.complete({
    name: reader.text('EVERGRANT_CONTROLLER_NAME'),
    profile: reader.oneOf<Profile>('EVERGRANT_PROFILE', PROFILES, 'default'),
    authority: {
      host: reader.text('EVERGRANT_AUTHORITY_HOST'),
      port: reader.port('EVERGRANT_AUTHORITY_PORT'),
      database: reader.text('EVERGRANT_AUTHORITY_NAME'),
      user: reader.text('EVERGRANT_AUTHORITY_USER'),
      password: reader.secret('EVERGRANT_SECRETS_FILE', 'authorityPassword'),
    },
    databases: reader.addressesByName('EVERGRANT_DATABASES', REGIONS),
    databaseLogin: {
      database: reader.text('EVERGRANT_DATABASE_NAME'),
      user: reader.text('EVERGRANT_DATABASE_USER'),
      password: reader.secret('EVERGRANT_SECRETS_FILE', 'databasePassword'),
    },
    routers: reader.urlsByName('EVERGRANT_ROUTERS', REGIONS),
    regionAddresses: reader.urlsByName('EVERGRANT_REGION_ADDRESSES', REGIONS),
    edge: reader.url('EVERGRANT_EDGE'),
    witness: reader.url('EVERGRANT_WITNESS'),
    worldApi: reader.url('EVERGRANT_WORLD_API'),
    adminToken: reader.secret('EVERGRANT_SECRETS_FILE', 'adminToken'),
    alertsFile: reader.text('EVERGRANT_ALERTS_FILE'),
    failpoint: variables.EVERGRANT_HALT_AT,
  });
}

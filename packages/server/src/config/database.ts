import type { EnvironmentReader } from '@evergrant/core/environment/environment-reader';
import { port, text } from '@evergrant/core/environment/variables';
import type { DatabaseAddress } from '../platform/postgres/connection';
import { readDatabaseCa } from './security';

/** The address of a PostgreSQL database, from the variables that start with `prefix`. */
export function readDatabase(reader: EnvironmentReader, prefix: string, password: string): DatabaseAddress {
  const { host, ...rest } = reader.readAll({
    host: text(`${prefix}_HOST`, { description: 'the host of the database' }),
    port: port(`${prefix}_PORT`, { description: 'the port of the database', min: 1 }),
    name: text(`${prefix}_NAME`, { description: 'the name of the database' }),
    user: text(`${prefix}_USER`, { description: 'the role to connect as' }),
  });
  const ca = readDatabaseCa(reader, { prefix, host });
  return { host, ...(ca === undefined ? {} : { ca }), ...rest, password };
}

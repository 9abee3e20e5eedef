import { X509Certificate } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer, ServerOptions } from 'node:https';
import type { Logger } from 'pino';
import { readTlsFiles, type TlsFiles, tlsError } from '../../config/security';
import { BackgroundJob } from '../background-job';
import type { Metrics } from '../metrics';

const TLS_MIN_VERSION = 'TLSv1.2';
const HANDSHAKE_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 5_000;
const REFUSALS_SAID_EVERY_MS = 10_000;

/** What the framework needs to listen with TLS. Throws when a file cannot be read. */
export function tlsOptions(files: TlsFiles): ServerOptions {
  return {
    ...readTlsFiles(files),
    minVersion: TLS_MIN_VERSION,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // Mutual TLS: without a certificate of the client authority no request is even read.
    ...(files.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
  };
}

/** Takes renewed certificates into use without a restart; what is not usable changes nothing and is said. */
export class CertificateWatch {
  readonly #job: BackgroundJob;
  #content: string;
  #said = '';

  constructor(options: { server: HttpsServer; files: TlsFiles; log: Logger; metrics: Metrics }) {
    this.#content = contentOf(readTlsFiles(options.files));
    this.#job = new BackgroundJob({
      name: 'tls_certificate',
      everyMs: LOOK_EVERY_MS,
      step: async () => this.#look(options),
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

  #look({
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
      this.#said = '';
      showExpiry(read.cert, metrics);
      log.info({ announce: 'a new TLS certificate is in use', until: new X509Certificate(read.cert).validTo });
    } catch (error) {
      // Certificate and key are seldom written at one stroke: said once, and looked at again.
      const reason = tlsError(error);
      if (reason === this.#said) return;
      this.#said = reason;
      log.error({ reason }, 'the new TLS certificate is not taken into use');
    }
  }
}

function contentOf(read: { cert: Buffer; key: Buffer; ca?: Buffer }): string {
  return Buffer.concat([read.cert, read.key, read.ca ?? Buffer.alloc(0)]).toString('base64');
}

function showExpiry(certificate: Buffer, metrics: Metrics): void {
  metrics.tlsCertificateExpiry.set(Date.parse(new X509Certificate(certificate).validTo) / 1_000);
}

/** Bounds how many connections there may be; those beyond are dropped, and that is said once in a while. */
export function limitConnections(
  server: HttpServer,
  { connectionsMax, log, metrics }: { connectionsMax: number; log: Logger; metrics: Metrics },
): void {
  let saidAtMs = Number.NEGATIVE_INFINITY;
  server.maxConnections = connectionsMax;
  server.on('drop', () => {
    metrics.connectionsDropped.inc();
    if (performance.now() - saidAtMs < REFUSALS_SAID_EVERY_MS) return;
    saidAtMs = performance.now();
    log.warn({ connectionsMax }, 'connections are dropped: there are as many as there may be');
  });
}

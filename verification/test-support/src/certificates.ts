import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface Certified {
  readonly cert: string;
  readonly key: string;
}

const EC = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** A certificate authority of a test's own. */
export async function createAuthority(name = 'Tests'): Promise<Certified> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert, key };
}

/** A certificate for a host, or for a client, that the authority signed. */
export async function issueTestCertificate(
  authority: Certified,
  { host, address }: { host?: string; address?: string } = { address: '127.0.0.1' },
): Promise<Certified> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: host ?? address ?? 'client' }], {
    ...EC,
    ca: authority,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...(host === undefined ? [] : [{ type: 2 as const, value: host }]),
          ...(address === undefined ? [] : [{ type: 7 as const, ip: address }]),
        ],
      },
    ],
  });
  return { cert, key };
}

/** Files in a folder of the test's own. */
export class CertificateFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'evergrant-certificates-'));

  /** Resolves to the path. */
  write(name: string, content: string): string {
    const path = join(this.path, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

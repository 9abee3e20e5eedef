import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerLog } from '@evergrant/cli/audit/server-log';
import { type VerificationOutcome, verifyServer } from '@evergrant/cli/audit/verify';
import { LicenseServerClient } from '@evergrant/cli/license-server-client';
import { createOutput } from '@evergrant/cli/output';
import { type RunningServer, TOKENS } from './test-world';

/** Runs `evergrant audit verify` against a server over HTTP, in this process. */
export async function verifiedAt(server: RunningServer): Promise<VerificationOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'evergrant-verify-'));
  const tokenFile = join(folder, 'reader.token');
  writeFileSync(tokenFile, TOKENS.reader);
  try {
    const log = new ServerLog(new LicenseServerClient({ url: server.address, token: TOKENS.reader }));
    return await verifyServer(log, undefined, createOutput(true));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** When every chain has a checkpoint of its newest event. */
export async function isCovered(server: RunningServer): Promise<boolean> {
  const { findings, summary } = await verifiedAt(server);
  return findings.length === 0 && summary.unproven.length === 0;
}

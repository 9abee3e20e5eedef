/**
 * `npm run test:client-runtimes`: the shipped client, `dist/client/index.js`, in every Node that it is made for, against
 * the license servers of a fresh world. Exits 0 only if all was well in each.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '@evergrant/local-cluster/world/files';
import { findFreeBasePort } from '@evergrant/local-cluster/world/ports';
import { World } from '@evergrant/local-cluster/world/world';
import pc from 'picocolors';
import { type NodeVersion, nodeVersions } from './node-versions';

/** A pool whose leases are short, so that heartbeats and grace come soon, and one that is soon full. */
const LICENSE = {
  licenseId: 'c1f4a3de-2f5b-4b62-9a35-7f0f3c1f8a11',
  customer: 'Runtimes',
  product: 'smoke',
  entitlements: [
    { feature: 'brief', seats: 20, leaseTtlSeconds: 2, escrow: 10 },
    { feature: 'few', seats: 2, leaseTtlSeconds: 60, escrow: 10 },
  ],
};
const SMOKE_LIMIT_MS = 180_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function startWorld(): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'evergrant-runtimes-'));
  const licenseFile = join(home, 'license.json');
  writeFileSync(licenseFile, JSON.stringify(LICENSE));
  const basePort = await findFreeBasePort();
  const world = new World({ home, basePort, profile: 'fast', keep: false, fresh: false, rooms: 0, licenseFile });
  try {
    await world.start();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

/** Resolves to what was wrong, or undefined. */
function smoke({ path }: NodeVersion, world: World): Promise<string | undefined> {
  const told = {
    client: join(projectRoot(), 'dist/client'),
    address: world.layout.url('edge'),
    token: world.tokens.client,
    licenseKey: world.licenses[0]?.licenseKey,
    product: LICENSE.product,
  };
  const argv = ['--unhandled-rejections=strict', join(projectRoot(), 'verification/client-node-matrix/src/smoke.js')];
  return new Promise((resolve) => {
    const child = execFile(path, argv, { timeout: SMOKE_LIMIT_MS }, (error, _stdout, stderr) => {
      if (error?.killed) resolve(`it did not end within ${SMOKE_LIMIT_MS / 1_000} s`);
      else resolve(error || stderr ? stderr.trim() || error?.message : undefined);
    });
    child.stdin?.end(JSON.stringify(told));
  });
}

async function main(): Promise<number> {
  const versions = await nodeVersions(say);
  const world = await startWorld();
  let failed = 0;
  try {
    for (const node of versions) {
      const wrong = await smoke(node, world);
      say(`Node ${node.version.padEnd(8)} ${wrong === undefined ? pc.green('all well') : pc.red(wrong)}`);
      if (wrong !== undefined) failed += 1;
    }
  } finally {
    await world.stop();
  }
  return failed > 0 ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  },
);

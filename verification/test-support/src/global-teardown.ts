import { rmSync } from 'node:fs';
import './global-setup';

export default async function globalTeardown(): Promise<void> {
  const postgres = globalThis.evergrantTestPostgres;
  if (!postgres) return;
  await postgres.instance.kill();
  for (const folder of postgres.folders) rmSync(folder, { recursive: true, force: true });
}

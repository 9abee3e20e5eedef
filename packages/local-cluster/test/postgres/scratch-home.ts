import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory for clusters that PostgreSQL's account can enter when the tests run as root. The caller removes it. */
export function scratchHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'evergrant-test-'));
  chmodSync(home, 0o755);
  return home;
}

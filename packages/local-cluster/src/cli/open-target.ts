import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OperatorTarget } from '@evergrant/cli/target';
import { openStores } from '../adapters/sql-stores';
import { Layout, LOOPBACK } from '../layout';
import type { WorldSecrets } from '../world/secrets';
import { WorldClient } from './world-client';

const TIME_OUT_MS = 5_000;

/** Opens the authority store of the running local cluster with the credentials in its folder. */
export async function openLocalTarget(): Promise<OperatorTarget> {
  const { home, file } = WorldClient.open();
  const { authorityPasswords } = JSON.parse(readFileSync(join(home, 'secrets/world.json'), 'utf8')) as WorldSecrets;
  const layout = new Layout(Number(new URL(file.edge).port));
  const stores = openStores({
    host: LOOPBACK,
    port: layout.port('ohio/db'),
    database: 'evergrant',
    user: 'evergrant_controller',
    password: authorityPasswords.evergrant_controller,
    timeoutMs: TIME_OUT_MS,
    applicationName: 'evergrant_operator',
  });
  return {
    ports: {
      control: stores.control,
      authority: stores.authority,
      clock: { nowMs: () => Date.now(), newId: randomUUID },
    },
    close: () => stores.close(),
  };
}

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type {
  CheckoutOutcome,
  CheckoutRequest,
  ClientNotice,
  LeaseState,
  LicenseClientOptions,
  LicenseEvent,
} from '@evergrant/client/license-client';
import { giveLicenseKey } from '@evergrant/test-support/server/control-rooms';
import { TestWorld } from '@evergrant/test-support/server/test-world';

const ROOT = join(__dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/client.md'), 'utf8');

// The records below name every member of their type: a new member does not compile until it is added here, and the test
// fails until the page explains it.
const OPTIONS: Readonly<Record<keyof LicenseClientOptions, true>> = {
  addresses: true,
  trustedAddresses: true,
  token: true,
  controlRoom: true,
  holder: true,
  identity: true,
  stateFile: true,
  shareStateFile: true,
  keys: true,
  sessions: true,
  keepUnclaimedMs: true,
  requestTimeoutMs: true,
  statusTimeoutMs: true,
  checkoutDeadlineMs: true,
  releaseDeadlineMs: true,
  backoffBaseMs: true,
  backoffCapMs: true,
  random: true,
  newLeaseId: true,
  clock: true,
  fetch: true,
  onEvent: true,
  onNotice: true,
  onResponse: true,
};

const REQUEST: Readonly<Record<keyof CheckoutRequest, true>> = {
  product: true,
  feature: true,
  seats: true,
  licenseId: true,
  holder: true,
  identity: true,
  queueMs: true,
  onPosition: true,
  borrowSeconds: true,
  signal: true,
};

const OUTCOMES: Readonly<Record<CheckoutOutcome['kind'], true>> = {
  granted: true,
  no_seat_available: true,
  refused: true,
  unavailable: true,
};

const STATES: Readonly<Record<LeaseState, true>> = {
  held: true,
  grace: true,
  fail_safe: true,
  suspended: true,
  lost: true,
  released: true,
};

const EVENTS: Readonly<Record<LicenseEvent['kind'], true>> = {
  granted: true,
  renewed: true,
  restored: true,
  queued: true,
  denied: true,
  grace: true,
  fail_safe: true,
  suspended: true,
  lost: true,
  released: true,
  unproven: true,
  distrusted: true,
};

const NOTICES: Readonly<Record<ClientNotice['kind'], true>> = {
  state: true,
  lease_dropped: true,
  registered: true,
  registration_refused: true,
  connection: true,
};

const PROBLEMS: Readonly<Record<Extract<ClientNotice, { kind: 'state' }>['problem'], true>> = {
  damaged: true,
  newer_version: true,
  in_use: true,
  not_readable: true,
  not_writable: true,
};

const section = (title: string): string => PAGE.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
/** Names in the first column of a section's tables. */
const rowsOf = (title: string): string[] =>
  [...section(title).matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );

describe('client page', () => {
  it.each([
    ['every option', 'Configuration', OPTIONS],
    ['every event', 'What becomes of a lease', EVENTS],
    ['every notice', 'Notices', NOTICES],
    ['every trouble with the state file', 'Restarts and the state file', PROBLEMS],
  ])('explains exactly the existing %s', (_what, title, all) => {
    expect(rowsOf(title).sort()).toEqual(Object.keys(all).sort());
  });

  it('explains every outcome and every option of a checkout', () => {
    const told = section('Checking out');
    for (const name of Object.keys({ ...REQUEST, ...OUTCOMES })) expect(told).toContain(`\`${name}\``);
  });

  it('shows every state of a lease', () => {
    const drawing = section('What becomes of a lease').split('```')[1] ?? '';
    for (const state of Object.keys(STATES)) expect(drawing).toMatch(new RegExp(`\\b${state}\\b`));
  });
});

/** The sample license of a local cluster, which the example uses. */
const SAMPLE = {
  licenseId: 'sample',
  customer: 'Acme',
  product: 'automation',
  entitlements: [{ feature: 'bot-creator', seats: 1 }],
};

test('client page: the first example prints the documented output', async () => {
  const example = /```js\n(.+?)```/s.exec(PAGE)?.[1] ?? '';
  const said = /node first\.js\n(.+?)```/s.exec(PAGE)?.[1];
  const host = mkdtempSync(join(tmpdir(), 'evergrant-host-'));
  const world = await TestWorld.create(SAMPLE);
  try {
    const server = await world.startGranting();
    const licenseKey = await giveLicenseKey(world, SAMPLE);
    mkdirSync(join(host, 'node_modules/@evergrant'), { recursive: true });
    symlinkSync(join(ROOT, 'dist/client'), join(host, 'node_modules/@evergrant/client'));
    writeFileSync(join(host, 'first.js'), example);
    const env = { ...process.env, LICENSE_ADDRESSES: server.address, LICENSE_KEY: licenseKey };
    const run = promisify(execFile)(process.execPath, ['--unhandled-rejections=strict', 'first.js'], {
      cwd: host,
      env,
    });
    expect(await run).toEqual({ stdout: said, stderr: '' });
  } finally {
    await world.close();
    rmSync(host, { recursive: true });
  }
});

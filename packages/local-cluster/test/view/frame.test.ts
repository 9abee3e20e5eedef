import { PROCESSES } from '../../src/layout';
import { oneLineState, renderFrame, type TerminalSize } from '../../src/view/frame';
import { plain, truncate, visibleWidth, wrap } from '../../src/view/layout';
import type { WorldEvent } from '../../src/world/events';
import type { WorldState } from '../../src/world/state';

const ALARM =
  'virginia/db is no longer started after 3 failed attempts: could not connect to the primary server: timeout expired';

const event = (n: number, level: WorldEvent['level'], text: string): WorldEvent => ({
  at: '2026-01-01T12:00:00.000Z',
  atMs: n,
  source: 'oregon/db-a',
  level,
  text,
});

function stateWith(change: Partial<WorldState> = {}): WorldState {
  const apps = PROCESSES.filter(({ kind }) => kind === 'app');
  return {
    profile: 'default',
    upMs: 75_000,
    edge: 'http://127.0.0.1:8080',
    edgeTarget: 'oregon',
    acl: { oregon: 'serve', virginia: 'fence' },
    processes: PROCESSES.map(({ name, kind, place }) => ({
      name,
      kind,
      place: place ?? null,
      pid: 4711,
      state: 'running',
      url: 'http://127.0.0.1:8081',
    })),
    servers: apps.map(({ name, place }) => ({
      name,
      answering: true,
      granting: place === 'oregon',
      epoch: 1,
      reason: place === 'oregon' ? undefined : 'database_read_only',
      triads: [],
    })),
    databases: [{ name: 'oregon/db-a', role: 'primary', healthy: true }],
    authority: { epoch: 1, region: 'oregon', open: true },
    controller: {
      verdict: 'healthy',
      why: 'a long explanation of the present phase of the operation that is in progress at the moment',
      automation: 'armed',
      operation: 'failover: drain',
      pendingFences: ['oregon'],
      lastCycleAgeMs: 100,
    },
    pools: ['bot-creator', 'citizen-developer', 'attended-runner', 'unattended-runner'].map((feature) => ({
      product: 'automation',
      feature,
      seats: 200,
      seatsTaken: 25,
      seatsHeldBack: 5,
      leases: 3,
    })),
    poolsAgeMs: 10,
    rooms: ['Lisbon', 'Osaka', 'Nairobi', 'Quito', 'Tromsø', 'Perth'].map((name) => ({
      name,
      seats: 45,
      trouble: name === 'Quito' ? 'grace' : undefined,
    })),
    cutLinks: ['virginia-oregon/replication', 'oregon-virginia/replication'],
    events: [...Array.from({ length: 50 }, (_, n) => event(n, 'info', `event ${n}`)), event(51, 'alarm', ALARM)],
    ...change,
  };
}

const linesOf = (state: WorldState, size: TerminalSize): string[] => renderFrame(state, size).split('\n');

const SIZES = [40, 46, 47, 60, 80, 96, 97, 120, 200].flatMap((columns) =>
  [5, 12, 16, 20, 24, 27, 28, 40, 60].map((rows) => ({ columns, rows })),
);

describe('live view', () => {
  it.each(SIZES)('fits a terminal of $columns columns and $rows rows', (size) => {
    for (const state of [stateWith(), stateWith({ servers: [], pools: [], authority: undefined })]) {
      const lines = linesOf(state, size);
      expect(lines.length).toBeLessThan(Math.max(2, size.rows));
      expect(lines.filter((line) => visibleWidth(line) > size.columns)).toEqual([]);
    }
  });

  it('shows both regions, their databases and an event at 80x24', () => {
    const text = plain(renderFrame(stateWith(), { columns: 80, rows: 24 }));
    for (const part of [
      'OREGON grants',
      'VIRGINIA does not grant',
      'db-a',
      'failover: drain',
      'pending fence: oregon',
    ]) {
      expect(text).toContain(part);
    }
    expect(text.replaceAll(/\s+/g, ' ')).toContain('is no longer started');
  });

  it('shows the boxes below each other in fewer than 97 columns, else side by side', () => {
    const isSideBySide = (columns: number) =>
      linesOf(stateWith(), { columns, rows: 60 }).some((line) => /OREGON.*VIRGINIA/.test(plain(line)));
    expect([96, 97].map(isSideBySide)).toEqual([false, true]);
  });

  it('shows fewer events in a lower terminal', () => {
    const eventsOf = (rows: number) =>
      linesOf(stateWith(), { columns: 120, rows }).filter((line) => /event \d+/.test(plain(line))).length;
    expect(eventsOf(24)).toBeLessThan(eventsOf(40));
  });

  it('wraps long alarms instead of cutting them', () => {
    const text = plain(renderFrame(stateWith(), { columns: 80, rows: 60 }));
    expect(text.replaceAll(/\s+/g, ' ')).toContain(ALARM);
  });

  it('shows one line in a terminal that is too small', () => {
    expect(linesOf(stateWith(), { columns: 40, rows: 5 })).toEqual([expect.stringContaining('OREGON GRANTS')]);
  });

  it('shows NO REGION GRANTS when no region grants', () => {
    const state = stateWith({ servers: [] });
    expect(plain(renderFrame(state, { columns: 80, rows: 24 }))).toContain('NO REGION GRANTS');
    expect(oneLineState(state)).toContain('NO REGION GRANTS');
  });
});

describe('layout', () => {
  it('truncates colored text to its visible width', () => {
    const red = '\u001b[31mdoes not answer\u001b[39m';
    expect(plain(truncate(red, 8))).toBe('does no…');
    expect(truncate(red, 15)).toBe(red);
  });

  it('wraps at spaces and cuts a word that is wider than the line', () => {
    expect(wrap('one two three', 8, '  ')).toEqual(['one two', '  three']);
    expect(wrap('abcdefghij', 5)).toEqual(['abcd…']);
  });
});

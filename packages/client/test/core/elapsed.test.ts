import fc from 'fast-check';
import { addElapsed, type LastContact, recordContact, serverTimeAtLeastMs } from '../../src/core/elapsed';

const SERVER_MS = Date.parse('2026-11-22T10:00:00Z');
const WALL_MS = SERVER_MS + 37_000;
const CONTACT: LastContact = { serverTimeMs: SERVER_MS, wallMs: WALL_MS, ranMs: 0 };
const HOUR_MS = 3_600_000;

describe('the time that has passed since a server was heard', () => {
  it('is what the wall clock says, counted from what it said then', () => {
    expect(serverTimeAtLeastMs(CONTACT, WALL_MS + 5 * HOUR_MS)).toBe(SERVER_MS + 5 * HOUR_MS);
  });

  it('is at least what the installation has run since, when the clock was turned back', () => {
    const ran = addElapsed(addElapsed(CONTACT, 2 * HOUR_MS), HOUR_MS);
    expect(serverTimeAtLeastMs(ran, WALL_MS - 100 * HOUR_MS)).toBe(SERVER_MS + 3 * HOUR_MS);
  });

  it('never makes the servers’ time go back', () => {
    expect(serverTimeAtLeastMs(CONTACT, 0)).toBe(SERVER_MS);
    expect(recordContact(CONTACT, SERVER_MS - HOUR_MS, WALL_MS).serverTimeMs).toBe(SERVER_MS);
  });

  it('begins anew when a server is heard, so a clock that was wrong for a while does no lasting harm', () => {
    const wrong = WALL_MS + 1_000_000 * HOUR_MS;
    const contact = recordContact(addElapsed(CONTACT, HOUR_MS), SERVER_MS + HOUR_MS, wrong);
    expect(contact).toEqual({ serverTimeMs: SERVER_MS + HOUR_MS, wallMs: wrong, ranMs: 0 });
  });
});

describe('however the clock is turned between restarts', () => {
  const lives = fc.array(fc.record({ wallMs: fc.integer({ min: 0, max: 2 * WALL_MS }), ranMs: fc.nat(HOUR_MS) }), {
    maxLength: 50,
  });

  it('an installation that hears nobody gets no more grace than it would have by running on', () => {
    fc.assert(
      fc.property(lives, (all) => {
        let contact = CONTACT;
        let ranMs = 0;
        for (const life of all) {
          expect(serverTimeAtLeastMs(contact, life.wallMs)).toBeGreaterThanOrEqual(SERVER_MS + ranMs);
          contact = addElapsed(contact, life.ranMs);
          ranMs += life.ranMs;
        }
      }),
    );
  });
});

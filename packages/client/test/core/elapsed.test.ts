import fc from 'fast-check';
import { addElapsed, type LastContact, recordContact, serverTimeAtLeastMs } from '../../src/core/elapsed';

const SERVER_MS = Date.parse('2026-11-22T10:00:00Z');
const WALL_MS = SERVER_MS + 37_000;
const CONTACT: LastContact = { serverTimeMs: SERVER_MS, wallMs: WALL_MS, ranMs: 0 };
const HOUR_MS = 3_600_000;

describe('elapsed time since the last contact', () => {
  it('is the difference of the wall clock', () => {
    expect(serverTimeAtLeastMs(CONTACT, WALL_MS + 5 * HOUR_MS)).toBe(SERVER_MS + 5 * HOUR_MS);
  });

  it('is at least the running time of the installation when the clock was set back', () => {
    const ran = addElapsed(addElapsed(CONTACT, 2 * HOUR_MS), HOUR_MS);
    expect(serverTimeAtLeastMs(ran, WALL_MS - 100 * HOUR_MS)).toBe(SERVER_MS + 3 * HOUR_MS);
  });

  it('never lets the server time go back', () => {
    expect(serverTimeAtLeastMs(CONTACT, 0)).toBe(SERVER_MS);
    expect(recordContact(CONTACT, SERVER_MS - HOUR_MS, WALL_MS).serverTimeMs).toBe(SERVER_MS);
  });

  it('restarts at each contact, so a temporarily wrong clock has no lasting effect', () => {
    const wrong = WALL_MS + 1_000_000 * HOUR_MS;
    const contact = recordContact(addElapsed(CONTACT, HOUR_MS), SERVER_MS + HOUR_MS, wrong);
    expect(contact).toEqual({ serverTimeMs: SERVER_MS + HOUR_MS, wallMs: wrong, ranMs: 0 });
  });
});

describe('any change of the clock between restarts', () => {
  const lives = fc.array(fc.record({ wallMs: fc.integer({ min: 0, max: 2 * WALL_MS }), ranMs: fc.nat(HOUR_MS) }), {
    maxLength: 50,
  });

  it('gives an isolated installation no longer grace than running on would', () => {
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

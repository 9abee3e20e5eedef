import fc from 'fast-check';
import { type ClientState, readState, writeState } from '../../src/state/schema';

const KEY = { kid: 'k1', kty: 'OKP', crv: 'Ed25519', x: 'abc' };
const STATE: ClientState = {
  identity: 'kyoto',
  room: { guid: '3f2b1d6e-0000-4000-8000-000000000001', token: 'secret', licenseId: 'lic-1' },
  keys: [KEY],
  contact: { serverTimeMs: 1_795_000_000_000, wallMs: 1_795_000_000_500, ranMs: 7 },
  leases: [
    {
      leaseId: '3f2b1d6e-0000-4000-8000-000000000002',
      licenseId: 'lic-1',
      product: 'studio',
      feature: 'runner',
      seats: 2,
      holder: 'Müller',
      identity: 'kyoto',
      borrowed: false,
      epoch: 3,
      servedBy: 'oregon/app-1',
      token: 'a.b.c',
    },
  ],
};

describe('state schema', () => {
  it('reads what it wrote', () => {
    expect(readState(writeState(STATE))).toEqual({ kind: 'read', state: STATE });
    const least = { identity: 'i', room: undefined, keys: [], contact: undefined, leases: [] };
    expect(readState(writeState(least))).toEqual({ kind: 'read', state: least });
  });

  it('reports any truncated or changed content as damaged', () => {
    const text = writeState(STATE).trim();
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom('cut', 'x', '9', '"', '{'), (at, how) => {
        const changed = how === 'cut' ? text.slice(0, at) : `${text.slice(0, at)}${how}${text.slice(at + 1)}`;
        if (changed === text) return;
        const { kind } = readState(changed);
        expect(kind === 'damaged' || (kind === 'newer_version' && at < 30)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(['', 'null', '[]', '{}', '7', '{"version":1}', '{"version":"1","checksum":"","state":{}}'])(
    '%s is damaged',
    (text) => {
      expect(readState(text).kind).toBe('damaged');
    },
  );

  it('rejects the version of a later release', () => {
    expect(readState('{"version":2,"whatever":"it says"}')).toEqual({ kind: 'newer_version', version: 2 });
  });

  it('never contains the private part of a key', () => {
    const text = writeState({ ...STATE, keys: [{ ...KEY, d: 'private' } as never] });
    const reading = readState(text);
    expect(reading.kind === 'read' && reading.state.keys).toEqual([KEY]);
  });
});

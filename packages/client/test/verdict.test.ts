import type { HttpResponseVerdict } from '../src/core/verdict';
import type { TransportResult } from '../src/transport/call';
import { responseVerdict } from '../src/transport/verdict';

const NOW_MS = Date.parse('2026-11-22T10:00:00Z');

const answer = (status: number, body: Record<string, unknown> = {}, serverDateMs?: number): TransportResult => {
  return { kind: 'response', status, body, retryAfterMs: undefined, serverDateMs, sentAtMs: 0 };
};

const lease = {
  token: 't',
  epoch: 3,
  servedBy: 'oregon/app-1',
  expiresAt: '2026-11-22T10:10:00.000Z',
  heartbeatAfter: 200,
};

describe('response classification', () => {
  const rows: readonly [number, string | undefined, HttpResponseVerdict['kind']][] = [
    [204, undefined, 'done'],
    [409, 'no_seat_available', 'no_seat_available'],
    [409, 'lease_conflict', 'refused'],
    [410, 'lease_expired', 'ended'],
    [410, 'lease_released', 'ended'],
    [404, 'lease_not_found', 'ended'],
    [404, 'not_found', 'refused'],
    [404, 'entitlement_not_found', 'refused'],
    [404, undefined, 'refused'],
    [400, 'malformed_body', 'refused'],
    [401, 'unauthenticated', 'refused'],
    [403, 'forbidden', 'refused'],
    [422, 'invalid_request', 'refused'],
    [307, undefined, 'refused'],
    [408, undefined, 'unavailable'],
    [421, 'license_wrong_server', 'not_granting'],
    [429, 'too_many_requests', 'busy'],
    [500, 'internal_error', 'unavailable'],
    [502, 'region_unreachable', 'unavailable'],
    [503, 'not_granting', 'not_granting'],
    [503, 'no_server_available', 'unavailable'],
    [503, 'outcome_unknown', 'unavailable'],
    [504, 'server_timeout', 'unavailable'],
    [200, undefined, 'unavailable'],
  ];

  for (const [status, code, kind] of rows) {
    it(`${status} ${code ?? 'without a code'} is ${kind}`, () => {
      expect(responseVerdict(answer(status, code ? { code } : {}), NOW_MS).kind).toBe(kind);
    });
  }

  it('a failed request is unavailable', () => {
    expect(responseVerdict({ kind: 'no_response', reason: 'timeout' }, NOW_MS)).toMatchObject({ kind: 'unavailable' });
  });

  it('a grant is converted to durations', () => {
    expect(responseVerdict(answer(201, lease), NOW_MS)).toMatchObject({
      kind: 'done',
      grant: { token: 't', epoch: 3, servedBy: 'oregon/app-1', expiresInMs: 600_000, heartbeatInMs: 200_000 },
    });
  });

  it('a grant uses the server time of the response, whatever the clocks', () => {
    const said = { ...lease, serverTime: '2026-11-22T10:05:00.000Z' };
    expect(responseVerdict(answer(200, said, NOW_MS + 7_000), NOW_MS + 3_600_000)).toMatchObject({
      grant: { expiresInMs: 300_000, serverTimeMs: NOW_MS + 300_000 },
    });
  });

  it('a queue entry has a position and a retry delay', () => {
    const entry = { leaseId: 'l', position: 3, token: 'p', retryAfter: 1.2 };
    expect(responseVerdict(answer(202, entry), NOW_MS)).toEqual({
      kind: 'queued',
      entry: { position: 3, token: 'p', retryInMs: 1_200 },
    });
    expect(responseVerdict(answer(202, {}), NOW_MS).kind).toBe('unavailable');
  });

  it('a client with a wrong clock uses the server time', () => {
    const verdict = responseVerdict(answer(200, lease, NOW_MS), NOW_MS + 3_600_000);
    expect(verdict).toMatchObject({ grant: { expiresInMs: 600_000 } });
  });

  it('a missing heartbeat time defaults to a third of the remaining time', () => {
    const { heartbeatAfter: _left, ...rest } = lease;
    expect(responseVerdict(answer(200, rest), NOW_MS)).toMatchObject({ grant: { heartbeatInMs: 200_000 } });
  });
});

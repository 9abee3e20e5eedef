import type { NotGrantingReason } from '../../src/epochs/core/role';
import { disconnectVerdict } from '../../src/sessions/core/disconnect-policy';

const PATIENCE_MS = 5_000;

const eventAfter = (reason: NotGrantingReason, sinceMs: number): string => {
  const verdict = disconnectVerdict({ verdict: { kind: 'not_granting', reason }, sinceMs }, PATIENCE_MS);
  return verdict.kind === 'leave' ? verdict.event : verdict.kind;
};

describe('sessions stay', () => {
  it('while their server grants', () => {
    const verdict = { kind: 'granting', epoch: 1 } as const;
    expect(disconnectVerdict({ verdict, sinceMs: 10 * PATIENCE_MS }, PATIENCE_MS)).toEqual({ kind: 'stay' });
  });

  const BLIND = [
    'starting',
    'database_unreachable',
    'database_read_only',
    'schema_outdated',
    'authority_unproven',
    'epoch_not_open',
  ] as const;

  it.each(BLIND)('while it may be blind for a moment only: %s', (reason) => {
    expect(eventAfter(reason, PATIENCE_MS - 1)).toBe('stay');
  });

  it.each(BLIND)('but not indefinitely: %s', (reason) => {
    expect(eventAfter(reason, PATIENCE_MS)).toBe('not_granting');
  });
});

describe('sessions are sent away at once', () => {
  it.each(['authority_elsewhere', 'epoch_closed'] as const)('when somebody else is to grant: %s', (reason) => {
    expect(eventAfter(reason, 0)).toBe('not_granting');
  });

  it('when their server drains', () => {
    expect(eventAfter('draining', 0)).toBe('draining');
  });
});

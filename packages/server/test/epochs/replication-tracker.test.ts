import pino from 'pino';
import { ReplicationTracker } from '../../src/epochs/replication-tracker';
import { Metrics } from '../../src/platform/metrics';

describe('ReplicationTracker', () => {
  it('reports a follower as too late while its acknowledgements take longer than an answer may wait', () => {
    let lagMs = 70;
    const tracker = new ReplicationTracker({
      replication: { readAcknowledged: async () => '0/1' },
      followerExpected: true,
      clock: { nowMs: () => 0 },
      metrics: new Metrics(),
      log: pino({ enabled: false }),
      followerLagMs: () => lagMs,
    });
    expect(tracker.snapshot(1, 1)).toEqual({ ackedSeq: 0, answersInTime: true });
    lagMs = 9_000;
    expect(tracker.snapshot(1, 1)).toEqual({ ackedSeq: 0, answersInTime: false });
  });

  it('knows after a refresh that the follower does not stream', async () => {
    const tracker = new ReplicationTracker({
      replication: { readAcknowledged: async () => undefined },
      followerExpected: true,
      clock: { nowMs: () => 0 },
      metrics: new Metrics(),
      log: pino({ enabled: false }),
    });
    await tracker.refresh();
    expect(tracker.snapshot(1, 1).answersInTime).toBe(false);
  });
});

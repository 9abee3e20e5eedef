import type { HealthCheckObservation, HealthCheckRegion } from '@aws-sdk/client-route-53';
import { judgeObservations } from '../src/aws/health-check-witness';

const NOW_MS = 1_000_000;

function observation(region: HealthCheckRegion, isHealthy: boolean, ageMs = 0): HealthCheckObservation {
  const status = isHealthy ? 'Success: HTTP Status Code 200, OK' : 'Failure: The endpoint did not respond in time';
  return { Region: region, StatusReport: { Status: status, CheckedTime: new Date(NOW_MS - ageMs) } };
}

function twoOf(region: HealthCheckRegion, isHealthy: boolean): HealthCheckObservation[] {
  return [observation(region, isHealthy), observation(region, isHealthy)];
}

const ELSEWHERE_DOWN = [...twoOf('eu-west-1', false), ...twoOf('sa-east-1', false), ...twoOf('ap-northeast-1', false)];

describe('health check witness', () => {
  it('is down when only checkers inside the watched region reach it', () => {
    const seen = [...ELSEWHERE_DOWN, ...twoOf('us-west-2', true)];
    expect(judgeObservations(seen, NOW_MS)).toEqual({
      reading: 'down',
      reason: 'the witness: 0 of 6 checkers reach it',
    });
  });

  it('ignores the checkers of the standby region too', () => {
    expect(judgeObservations([...ELSEWHERE_DOWN, ...twoOf('us-east-1', true)], NOW_MS)).toMatchObject({
      reading: 'down',
    });
  });

  it('is unknown when only the two regions of the deployment report', () => {
    const seen = [...twoOf('us-west-2', false), ...twoOf('us-east-1', false)];
    expect(judgeObservations(seen, NOW_MS)).toMatchObject({ reading: 'unknown' });
  });

  it('is unknown when checkers outside disagree', () => {
    const seen = [...ELSEWHERE_DOWN, observation('us-west-1', true)];
    expect(judgeObservations(seen, NOW_MS)).toMatchObject({ reading: 'unknown' });
  });

  it('is up when checkers outside reach it', () => {
    expect(judgeObservations([...ELSEWHERE_DOWN, ...twoOf('us-west-1', true)], NOW_MS)).toMatchObject({
      reading: 'up',
    });
  });
});

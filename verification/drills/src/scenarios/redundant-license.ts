import type { Drill, DrillScenario } from '../drill';
import { DRILL_LICENSE } from '../license';
import { awaitLeases, injectFault, serversOf } from './common';

const SERVERS = serversOf('oregon');

/** Calls sent before the kill may still be answered. */
const IN_FLIGHT_MS = 200;
/** Longer than a presence lasts: a renewal after it would happen without a quorum. */
const QUORUM_LOST_AFTER_MS = 4_500;

interface TriadStatus {
  readonly quorum: string;
  readonly inControl: string | null;
  readonly term: number;
}

async function triadAt(drill: Drill, server: string): Promise<TriadStatus | undefined> {
  const answer = await fetch(`${drill.world.layout.url(server)}/v1/status`, { signal: AbortSignal.timeout(1_000) });
  const { triads = [] } = (await answer.json()) as { triads?: TriadStatus[] };
  return triads[0];
}

/** The server that is in control, as one of `among` sees it, in a later term than `afterTerm`. */
async function awaitControl(drill: Drill, among: readonly string[], afterTerm: number) {
  return drill.eventually(`one of ${among.join(', ')} is in control`, 30_000, async () => {
    for (const server of among) {
      const triad = await triadAt(drill, server).catch(() => undefined);
      const inControl = triad?.inControl;
      if (triad && inControl && triad.term > afterTerm && among.includes(inControl))
        return { inControl, term: triad.term };
    }
    return undefined;
  });
}

export const redundantLicense: DrillScenario = {
  name: 'redundant-license',
  summary: 'one of three named servers grants; after its death another takes control; without a quorum none grants',
  license: { ...DRILL_LICENSE, licenseId: '7c5a8a6e-9a55-4a0a-8c39-3a1b0d6e1f02', kind: 'redundant', servers: SERVERS },
  reach: 'servers of Oregon',
  async run(drill) {
    await awaitLeases(drill);
    const first = await awaitControl(drill, SERVERS, 0);
    injectFault(drill, `SIGKILL of ${first.inControl}, which is in control`);
    const [faultAtMs, fromMs] = [Date.now(), performance.now()];
    drill.signal('SIGKILL', [first.inControl]);
    const left = SERVERS.filter((server) => server !== first.inControl);
    const second = await awaitControl(drill, left, first.term);
    drill.mark(`${second.inControl} is in control, term ${second.term}`);
    const servedMs = await drill.eventually('something is granted again', 20_000, () =>
      drill.traffic.firstGrantAfter(fromMs + IN_FLIGHT_MS),
    );
    drill.recoveredAt(faultAtMs + (servedMs - fromMs));
    const tookMs = servedMs - fromMs;
    drill.check('another server takes control in seconds', tookMs < 15_000, `${Math.round(tookMs)} ms`);

    drill.signal('SIGKILL', [second.inControl]);
    drill.mark(`SIGKILL of ${second.inControl} too`);
    await drill.pass(QUORUM_LOST_AFTER_MS);
    const sinceMs = performance.now();
    const broken = await drill.steadily(4_000, () =>
      drill.traffic.grantsSince(sinceMs) > 0 ? 'something was granted' : undefined,
    );
    drill.check('without a quorum nothing is granted or renewed', broken === undefined, broken ?? '');

    await drill.start([first.inControl]);
    drill.mark(`${first.inControl} is started again`);
    const third = await awaitControl(
      drill,
      SERVERS.filter((server) => server !== second.inControl),
      second.term,
    );
    drill.mark(`${third.inControl} is in control, term ${third.term}`);
    await drill.eventually('calls are served', 20_000, () => drill.traffic.grantsSince(performance.now() - 1_000) > 5);
    drill.check('with a quorum granting continues', true);
    await drill.start([second.inControl]);
    const { epoch } = await drill.authority();
    drill.check('authority has not moved', epoch === 1, `epoch ${epoch}`);
  },
};

import type { DrillScenario } from '../drill';
import { awaitLeases, checkNoFailover, injectFault } from './common';

export const databaseDown: DrillScenario = {
  name: 'database-down',
  summary: 'the primary database dies: the in-region standby takes over, nothing is lost, no failover',
  async run(drill) {
    const role = (name: string): string => drill.databaseRole(name);
    await awaitLeases(drill);
    await drill.eventually('the standby is in sync', 20_000, () => role('oregon/db-b').includes('in sync'));
    injectFault(drill, 'SIGKILL of oregon/db-a');
    const [faultAtMs, fromMs] = [Date.now(), performance.now()];
    drill.signal('SIGKILL', ['oregon/db-a']);
    await drill.eventually('oregon/db-b is the primary', 20_000, () => role('oregon/db-b').startsWith('primary'));
    drill.mark('oregon/db-b is the primary, behind the same endpoint');
    // Calls in flight when the database died may still be answered; only later ones count.
    const servedMs = await drill.eventually('a call is served again', 20_000, () =>
      drill.traffic.firstSuccessAfter(fromMs, 100),
    );
    drill.mark('first call served', faultAtMs + (servedMs - fromMs));
    drill.recoveredAt(faultAtMs + (servedMs - fromMs));
    await checkNoFailover(drill, 6_000);
    await drill.eventually('virginia/db follows', 30_000, () => role('virginia/db').includes('streaming'));
    drill.check("Virginia's follower keeps streaming", true, role('virginia/db'));

    await drill.start(['oregon/db-a']);
    await drill.eventually('oregon/db-a is in sync', 40_000, () => role('oregon/db-a').includes('in sync'));
    drill.mark('oregon/db-a started again: the new in-region standby, in sync');
    drill.check('the old primary rejoins as the standby', true);
  },
};

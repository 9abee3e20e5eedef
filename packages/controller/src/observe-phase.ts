import type { AuthorityView } from './core/authority';
import { classify } from './core/classify';
import type { Finding } from './core/finding';
import type { Operation, Phase } from './core/operations';
import type { PhaseViews } from './core/phase-views';
import type { Policy } from './core/policy';
import type { Ports } from './ports';

type Looks = {
  readonly [P in Phase]: (ports: Ports, operation: Operation, authority: AuthorityView) => Promise<PhaseViews[P]>;
};

/** Where each phase looks before it does anything. */
const LOOKS: Looks = {
  latch: async (_ports, _operation, authority) => ({ authority }),
  fence: async ({ routers }, { fromRegion }) => ({ originAcl: await routers.acl(fromRegion) }),
  drain: bothDatabases,
  promote: async ({ databases }, { toRegion }) => ({ target: await databases.view(toRegion) }),
  verify: async ({ databases }, { toRegion }) => ({ write: await databases.verifyWrite(toRegion) }),
  open: async (_ports, _operation, authority) => ({ authority }),
  switch: async ({ routers, edge }, { toRegion }) => {
    const [targetAcl, target, outside] = await Promise.all([routers.acl(toRegion), edge.target(), edge.outside()]);
    return { targetAcl, edge: target, outside };
  },
  complete: async () => ({}),
  confirm_fence: async ({ routers }, { toRegion }) => ({ targetAcl: await routers.acl(toRegion) }),
  archive_database: async (ports, operation) => {
    const service = await ports.databaseService.view(operation.toRegion);
    return { service, databases: service.kind === 'following' ? await bothDatabases(ports, operation) : null };
  },
  build_follower: async ({ databaseService }, { toRegion }) => ({ service: await databaseService.view(toRegion) }),
  catch_up: bothDatabases,
  preflight: async (ports, operation) => {
    const [databases, targetApp, edge] = await Promise.all([
      bothDatabases(ports, operation),
      ports.apps.probe(operation.toRegion),
      ports.edge.target(),
    ]);
    return { ...databases, targetApp, edge };
  },
};

/** Looks, and names what the present phase has found. */
export async function find<P extends Phase>(
  phase: P,
  seeing: { ports: Ports; operation: Operation; authority: AuthorityView; policy: Policy },
): Promise<Finding> {
  const { ports, operation, authority, policy } = seeing;
  const sight = await LOOKS[phase](ports, operation, authority);
  return classify(phase, sight, { operation, policy, nowMs: ports.clock.nowMs() });
}

async function bothDatabases({ databases }: Ports, { fromRegion, toRegion }: Operation): Promise<PhaseViews['drain']> {
  const [origin, target] = await Promise.all([databases.view(fromRegion), databases.view(toRegion)]);
  return { origin, target };
}

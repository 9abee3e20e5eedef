import type { DatabaseView } from '../core/database-view';
import type { Operation } from '../core/operations';
import type { Ports } from '../ports';

/** The databases of both regions. `origin` gives the authority away, `target` receives it. */
export interface DatabasesView {
  readonly origin: DatabaseView;
  readonly target: DatabaseView;
}

export async function observeDatabases(
  { databases }: Pick<Ports, 'databases'>,
  { fromRegion, toRegion }: Operation,
): Promise<DatabasesView> {
  const [origin, target] = await Promise.all([databases.view(fromRegion), databases.view(toRegion)]);
  return { origin, target };
}

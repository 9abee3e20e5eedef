import type { PoolClient } from 'pg';
import { claimOn, TRIAD_POLICY, type TriadClaims, type TriadRefusal, triadName, triadVerdict } from '../core/triad';
import { triadsIn } from './read-triads';

/** Returns why this server may not serve the licenses of a triad now; undefined when it is in control. */
export type TriadsInTransaction = (servers: readonly string[]) => TriadRefusal | undefined;

/**
 * Reads the triads inside a granting transaction. That transaction shares the lock under which control changes, so the
 * verdicts hold until its commit. A triad that is not recorded yet has no quorum.
 */
export async function triadRefusals(client: PoolClient, claims: TriadClaims | undefined): Promise<TriadsInTransaction> {
  const known = new Map((await triadsIn(client)).map((facts) => [triadName(facts.servers), facts]));
  return (servers) => {
    const facts = known.get(triadName(servers));
    if (!facts || !claims) return { kind: 'no_quorum', quorum: 'pending', present: [], servers };
    const verdict = triadVerdict(facts, claimOn(claims, servers), TRIAD_POLICY);
    return verdict.kind === 'in_control' ? undefined : verdict;
  };
}

/** Returns the ids of licenses that this server may not serve now. It grants, renews and ends none of their leases. */
export async function licensesRefused(client: PoolClient, claims: TriadClaims | undefined): Promise<string[]> {
  const licenses = await client.query<{ id: string; servers: string[] }>({
    name: 'redundant-licenses',
    text: `select id, servers from license where kind = 'redundant'`,
  });
  if (licenses.rows.length === 0) return [];
  const refusalOf = await triadRefusals(client, claims);
  return licenses.rows.filter(({ servers }) => refusalOf(servers) !== undefined).map(({ id }) => id);
}

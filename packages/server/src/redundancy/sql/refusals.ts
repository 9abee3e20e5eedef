import type { PoolClient } from 'pg';
import { claimOn, TRIAD_POLICY, type TriadClaims, type TriadRefusal, triadName, triadVerdict } from '../core/triad';
import { triadsIn } from './read-triads';

/** Why this server may not serve the licenses of these servers now; undefined when it is in control of them. */
export type TriadsInTransaction = (servers: readonly string[]) => TriadRefusal | undefined;

/**
 * To be asked inside a granting transaction, which shares the lock that control changes hands under: what is found here
 * stays so until the commit. A triad that was not there a moment ago has no quorum yet.
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

/** The licenses that this server may not serve now: nothing of theirs is granted, renewed or ended here. */
export async function licensesRefused(client: PoolClient, claims: TriadClaims | undefined): Promise<string[]> {
  const licenses = await client.query<{ id: string; servers: string[] }>({
    name: 'redundant-licenses',
    text: `select id, servers from license where kind = 'redundant'`,
  });
  if (licenses.rows.length === 0) return [];
  const refusalOf = await triadRefusals(client, claims);
  return licenses.rows.filter(({ servers }) => refusalOf(servers) !== undefined).map(({ id }) => id);
}

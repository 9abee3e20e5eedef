const PAGE = 500;

/** Counts the live leases that the serving region has adopted, page by page. */
export async function countAdopted(address: string, adminToken: string): Promise<number> {
  let adopted = 0;
  let after = '';
  for (;;) {
    const response = await fetch(`${address}/v1/leases?limit=${PAGE}${after}`, {
      headers: { authorization: `Bearer ${adminToken}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) throw new Error(`${address}/v1/leases answered ${response.status}`);
    const page = (await response.json()) as {
      leases: { adoptedFromEpoch: number | null }[];
      nextCursor: string | null;
    };
    adopted += page.leases.filter(({ adoptedFromEpoch }) => adoptedFromEpoch !== null).length;
    if (page.nextCursor === null) return adopted;
    after = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
}

/** The evidence that causes a hold: it is missing, or it contradicts the rest. */
export type HoldCause =
  | 'application_unknown'
  | 'database_unknown'
  | 'witness_disagrees'
  | 'witness_unknown'
  | 'follower_hears_primary'
  | 'follower_unknown'
  | 'authority_renewed'
  | 'renewal_unknown';

/** The decision on the facts. `reason` is the evidence, for people. Only `fail_over` leads to an action. */
export type Verdict =
  | { readonly kind: 'healthy'; readonly reason: string; readonly standby: 'ready' | 'not_ready' }
  | { readonly kind: 'application_down'; readonly reason: string }
  | { readonly kind: 'database_down'; readonly reason: string }
  | { readonly kind: 'confirming'; readonly reason: string; readonly count: number; readonly needed: number }
  | { readonly kind: 'hold'; readonly reason: string; readonly cause: HoldCause }
  | { readonly kind: 'standby_not_ready'; readonly reason: string }
  | { readonly kind: 'withheld'; readonly reason: string; readonly automation: 'paused' | 'disarmed' }
  | { readonly kind: 'fail_over'; readonly reason: string }
  | { readonly kind: 'not_rejoined'; readonly reason: string; readonly watch: ActiveRegionWatch }
  | { readonly kind: 'operating'; readonly reason: string };

/** The state of a region that serves alone, because the other one has not rejoined. It raises alerts only. */
export type ActiveRegionWatch = 'well' | 'application_down' | 'database_down' | 'both_down' | 'unknown';

export type VerdictKind = Verdict['kind'];

/** Verdicts with the same key are the same state. Only a change of the key is recorded in the history. */
export function verdictKey(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'healthy':
      return verdict.standby === 'ready' ? 'healthy' : 'healthy/standby_not_ready';
    case 'hold':
      return `hold/${verdict.cause}`;
    case 'withheld':
      return `withheld/${verdict.automation}`;
    case 'not_rejoined':
      return `not_rejoined/${verdict.watch}`;
    default:
      return verdict.kind;
  }
}

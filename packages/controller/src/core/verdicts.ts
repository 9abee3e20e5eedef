/** Why a hold holds: the evidence that is missing, or that contradicts the rest. */
export type HoldCause =
  | 'application_unknown'
  | 'database_unknown'
  | 'witness_disagrees'
  | 'witness_unknown'
  | 'follower_hears_primary'
  | 'follower_unknown'
  | 'authority_renewed'
  | 'renewal_unknown';

/** What the facts mean. `because` is the evidence, for people; only `fail-over` leads to an action. */
export type Verdict =
  | { readonly kind: 'healthy'; readonly reason: string; readonly standby: 'ready' | 'not_ready' }
  | { readonly kind: 'application_down'; readonly reason: string }
  | { readonly kind: 'database_down'; readonly reason: string }
  | { readonly kind: 'confirming'; readonly reason: string; readonly count: number; readonly needed: number }
  | { readonly kind: 'hold'; readonly reason: string; readonly cause: HoldCause }
  | { readonly kind: 'standby_not_ready'; readonly reason: string }
  | { readonly kind: 'withheld'; readonly reason: string; readonly automation: 'paused' | 'disarmed' }
  | { readonly kind: 'fail_over'; readonly reason: string }
  | { readonly kind: 'serving_from_standby'; readonly reason: string; readonly watch: StandbyWatch }
  | { readonly kind: 'operating'; readonly reason: string };

/** After a failover the standby region is watched, and people are told; nothing fails over by itself any more. */
export type StandbyWatch = 'well' | 'application_down' | 'database_down' | 'both_down' | 'unknown';

export type VerdictKind = Verdict['kind'];

/** Two verdicts with one key are the same state of affairs: only a change of key is told. */
export function verdictKey(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'healthy':
      return verdict.standby === 'ready' ? 'healthy' : 'healthy/standby_not_ready';
    case 'hold':
      return `hold/${verdict.cause}`;
    case 'withheld':
      return `withheld/${verdict.automation}`;
    case 'serving_from_standby':
      return `serving_from_standby/${verdict.watch}`;
    default:
      return verdict.kind;
  }
}

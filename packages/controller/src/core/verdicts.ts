/** Why a hold holds: the evidence that is missing, or that contradicts the rest. */
export type HoldCause =
  | 'application-unknown'
  | 'database-unknown'
  | 'witness-disagrees'
  | 'witness-unknown'
  | 'follower-hears-primary'
  | 'follower-unknown'
  | 'authority-renewed'
  | 'renewal-unknown';

/** What the facts mean. `because` is the evidence, for people; only `fail-over` leads to an action. */
export type Verdict =
  | { readonly kind: 'healthy'; readonly because: string; readonly standby: 'ready' | 'not-ready' }
  | { readonly kind: 'application-down'; readonly because: string }
  | { readonly kind: 'database-down'; readonly because: string }
  | { readonly kind: 'confirming'; readonly because: string; readonly count: number; readonly needed: number }
  | { readonly kind: 'hold'; readonly because: string; readonly cause: HoldCause }
  | { readonly kind: 'standby-not-ready'; readonly because: string }
  | { readonly kind: 'withheld'; readonly because: string; readonly automation: 'paused' | 'disarmed' }
  | { readonly kind: 'fail-over'; readonly because: string }
  | { readonly kind: 'serving-from-standby'; readonly because: string; readonly watch: StandbyWatch }
  | { readonly kind: 'operating'; readonly because: string };

/** After a failover the standby region is watched, and people are told; nothing fails over by itself any more. */
export type StandbyWatch = 'well' | 'application-down' | 'database-down' | 'both-down' | 'unknown';

export type VerdictKind = Verdict['kind'];

/** Two verdicts with one key are the same state of affairs: only a change of key is told. */
export function verdictKey(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'healthy':
      return verdict.standby === 'ready' ? 'healthy' : 'healthy/unprotected';
    case 'hold':
      return `hold/${verdict.cause}`;
    case 'withheld':
      return `withheld/${verdict.automation}`;
    case 'serving-from-standby':
      return `serving-from-standby/${verdict.watch}`;
    default:
      return verdict.kind;
  }
}

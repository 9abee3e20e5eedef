import type { Region } from '@evergrant/core/regions';
import type { Alert } from './alerts';
import type { OperationReport, Phase } from './operations';
import type { AnsweredRequest } from './requests';

/** The entries of the history. Durations and times are milliseconds. The audit log copies entries, so kinds are stable. */
export type HistoryEntry =
  | { readonly kind: 'verdict'; readonly detail: { from: string | undefined; to: string; reason: string } }
  | {
      readonly kind: 'operation-started';
      readonly detail: { operationId: string; operation: string; by: string; reason: string };
    }
  | {
      readonly kind: 'phase';
      readonly detail: { operationId: string; operation: string; phase: Phase; tookMs: number; reason: string };
    }
  | { readonly kind: 'operation-ended'; readonly detail: OperationReport }
  | { readonly kind: 'operator'; readonly detail: { command: string; by: string; reason: string } }
  | { readonly kind: 'request-answered'; readonly detail: AnsweredRequest }
  | {
      readonly kind: 'pending-fence';
      readonly detail: { region: Region; change: 'deferred' | 'applied' | 'obsolete'; reason: string };
    }
  | { readonly kind: 'alert'; readonly detail: Alert };

/** An entry as it is read back; `atMs` is the store's clock. */
export type RecordedEntry = HistoryEntry & { readonly id: number; readonly atMs: number };

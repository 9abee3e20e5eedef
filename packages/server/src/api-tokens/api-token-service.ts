import type { Attribution } from '../audit/attribution';
import { acknowledgedVerdict } from '../epochs/acknowledged-change';
import type { EpochTransactions, Refusal } from '../epochs/epoch-transactions';
import type { ApiTokenVerifier } from './api-token-verifier';
import type { ApiTokenCreation, ApiTokenRevocation, ApiTokenStore, NewApiToken } from './store';

export interface ApiTokenServiceOptions {
  readonly store: Pick<ApiTokenStore, 'create' | 'revoke'>;
  readonly transactions: EpochTransactions;
  readonly tokenVerifier: ApiTokenVerifier;
}

/** Creates and revokes API tokens. Only a granting server does so: a change outside its epoch would be lost. */
export class ApiTokenService {
  readonly #options: ApiTokenServiceOptions;

  constructor(options: ApiTokenServiceOptions) {
    this.#options = options;
  }

  create(token: NewApiToken, attribution: Attribution): Promise<ApiTokenCreation | Refusal> {
    const { store, transactions, tokenVerifier } = this.#options;
    return acknowledgedVerdict(transactions, {
      verb: 'registry',
      transact: (expected) => store.create(token, attribution, expected),
      onCommit: () => tokenVerifier.forget(token.tokenSha256),
    });
  }

  revoke(name: string, attribution: Attribution): Promise<ApiTokenRevocation | Refusal> {
    const { store, transactions, tokenVerifier } = this.#options;
    return acknowledgedVerdict(transactions, {
      verb: 'registry',
      transact: (expected) => store.revoke(name, attribution, expected),
      // The hash of the revoked token is unknown here.
      onCommit: () => tokenVerifier.forget(),
    });
  }
}

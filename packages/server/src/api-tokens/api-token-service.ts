import type { Attribution } from '../audit/attribution';
import type { AcknowledgementGate, GatedVerdict } from '../epochs/acknowledgement-gate';
import type { ApiTokenVerifier } from './api-token-verifier';
import type { ApiTokenCreation, ApiTokenRevocation, ApiTokenStore, NewApiToken } from './store';

export interface ApiTokenServiceOptions {
  readonly store: Pick<ApiTokenStore, 'create' | 'revoke'>;
  readonly gate: AcknowledgementGate;
  readonly tokenVerifier: ApiTokenVerifier;
}

/** Creates and revokes API tokens. Only a granting server does so: a change outside its epoch would be lost. */
export class ApiTokenService {
  readonly #options: ApiTokenServiceOptions;

  constructor(options: ApiTokenServiceOptions) {
    this.#options = options;
  }

  create(token: NewApiToken, attribution: Attribution): Promise<GatedVerdict<ApiTokenCreation, 'created' | 'known'>> {
    const { store, gate, tokenVerifier } = this.#options;
    return gate.change({
      verb: 'registry',
      covers: 'replicated',
      changes: ['created', 'known'],
      transact: (expected) => store.create(token, attribution, expected),
      onCommit: () => tokenVerifier.forget(token.tokenSha256),
    });
  }

  revoke(
    name: string,
    attribution: Attribution,
  ): Promise<GatedVerdict<ApiTokenRevocation, 'revoked' | 'already_revoked'>> {
    const { store, gate, tokenVerifier } = this.#options;
    return gate.change({
      verb: 'registry',
      covers: 'restriction',
      changes: ['revoked', 'already_revoked'],
      transact: (expected) => store.revoke(name, attribution, expected),
      // The hash of the revoked token is unknown here.
      onCommit: () => tokenVerifier.forget(),
    });
  }
}

/** The granting rules that can be disabled, to show that each is needed. docs/safety.md describes them. */
export interface Rules {
  /** S2: at most `escrow` answered grants that the follower has not acknowledged. */
  readonly escrow: boolean;
  /** S3: a valid token of the earlier epoch is adopted if the database does not know its lease. */
  readonly adoption: boolean;
  /** S3: a token is adopted even into a full pool, up to the awaited seats. */
  readonly adoptionIntoFullPool: boolean;
  /** S4: the opening extends every live lease. */
  readonly extension: boolean;
  /** S4: a lease that may have ended in Oregon is renewed or adopted only with a newer token. */
  readonly doubt: boolean;
  /** S4: the opening holds back free seats. */
  readonly holdBack: boolean;
  /** S5: Oregon answers only while its proof is fresh at the moment of the answer. */
  readonly proofToAnswer: boolean;
  /** S5: the new epoch opens only after every proof of the old one has expired. */
  readonly openingWaits: boolean;
  /** S6: unprotected grants are recorded in the authority store before the first of them. */
  readonly unprotectedIsRecorded: boolean;
  /** S6: an epoch after an unprotected one awaits as many unknown grants as the pool has seats. */
  readonly unprotectedHoldsBackAll: boolean;
  /** S3: a seat that was taken back is sold again only when the follower has the release, or the lease has expired. */
  readonly takeBackWaits: boolean;
}

export const ALL_RULES: Rules = {
  escrow: true,
  adoption: true,
  adoptionIntoFullPool: true,
  extension: true,
  doubt: true,
  holdBack: true,
  proofToAnswer: true,
  openingWaits: true,
  unprotectedIsRecorded: true,
  unprotectedHoldsBackAll: true,
  takeBackWaits: true,
};

/** The granting rules that can be switched off, to see that each is needed. What each says is in docs/safety.md. */
export interface Rules {
  /** S2: no more than `escrow` grants that the follower has not acknowledged. */
  readonly escrow: boolean;
  /** S3: a valid token of the earlier epoch is taken for a lease that the database does not know. */
  readonly adoption: boolean;
  /** S3: it is taken up to the awaited seats even into a full pool. */
  readonly adoptionIntoFullPool: boolean;
  /** S4: the opening extends every lease that is not over. */
  readonly extension: boolean;
  /** S4: what may have ended in Oregon while it could still decide is renewed or adopted only with a newer proof. */
  readonly doubt: boolean;
  /** S4: the opening holds back free seats. */
  readonly holdBack: boolean;
  /** S5: Oregon answers only while its proof is fresh, whenever it decided. */
  readonly proofToAnswer: boolean;
  /** S5: the new epoch opens only after every proof of the old one has lapsed. */
  readonly openingWaits: boolean;
  /** S6: unprotected grants are recorded in the authority store before the first of them. */
  readonly unprotectedIsRecorded: boolean;
  /** S6: an epoch after an unprotected one waits for as many unknown grants as the pool has seats. */
  readonly unprotectedHoldsBackAll: boolean;
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
};

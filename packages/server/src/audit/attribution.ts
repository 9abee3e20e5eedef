/** Who makes a change, and why. The database records both in the audit log. */
export interface Attribution {
  /** The name of an API token. */
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** The unbroken row of samples in which application and database were both down. Times are milliseconds since 1970. */
export interface Confirmation {
  readonly count: number;
  readonly sinceMs: number;
  readonly lastSampleAtMs: number;
}

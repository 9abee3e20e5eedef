/** A clock that never goes back and keeps counting while the process is stopped. */
export interface MonotonicClock {
  nowMs(): number;
}

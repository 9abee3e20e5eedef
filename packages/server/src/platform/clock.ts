/** A clock that never goes back and counts while the process is stopped. */
export interface MonotonicClock {
  nowMs(): number;
}

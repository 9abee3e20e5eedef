/** A location. `field`: customers anywhere; `near-oregon`: customers behind Oregon's network. */
export type SimulatedPlace = 'oregon' | 'virginia' | 'ohio' | 'edge' | 'field' | 'near-oregon';

export const PLACES: readonly SimulatedPlace[] = ['oregon', 'virginia', 'ohio', 'edge', 'field', 'near-oregon'];

/** A location. `field`: customers anywhere; `near-oregon`: customers behind Oregon's network. */
export type Place = 'oregon' | 'virginia' | 'ohio' | 'edge' | 'field' | 'near-oregon';

export const PLACES: readonly Place[] = ['oregon', 'virginia', 'ohio', 'edge', 'field', 'near-oregon'];

type Excuses = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Required resource types that no statement names: action, type, and why the call does not touch one. */
export const RESOURCE_TYPES_EXCUSED: Excuses = {};

/** Dependent actions that are not granted: action, dependent action, and why the call does not need it. */
export const DEPENDENT_ACTIONS_EXCUSED: Excuses = {};

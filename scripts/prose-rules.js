/**
 * The words that `npm run lint:prose` rejects, each with its replacement. A word is matched as a whole, without regard
 * to case. `except` lists the contexts in which the word is correct.
 */

/** Rejected in prose: Markdown text, comments, and string literals that contain a space. */
const PROSE = [
  { find: /\bwhoever\b/i, use: 'the subject by name (the caller, the operator, the client)' },
  { find: /\bwhomever\b/i, use: 'the subject by name' },
  { find: /(^|[.:;!?]\s+)(nobody|everybody)\b/i, use: 'a named subject, active voice' },
  { find: /\banew\b/i, use: 'again, or a new one' },
  { find: /\bfor ?ever\b/i, use: 'indefinitely, permanently' },
  { find: /\bin (time of )?peace\b/i, use: 'during normal operation' },
  { find: /\bmend(s|ed|ing)?\b/i, use: 'fix, repair' },
  {
    find: /\b(is|are|was|were|be|been|being|not|never|has|have|had) told\b/i,
    use: 'receives, is alerted, is notified',
  },
  { find: /\btells\b/i, use: 'returns, logs, alerts, shows' },
  { find: /\btold of\b/i, use: 'reported, logged' },
  { find: /\b(by|of) (itself|themselves|its own accord|their own accord)\b/i, use: 'automatically, alone' },
  { find: /\bnone but\b/i, use: 'only' },
  { find: /\bnothing but\b/i, use: 'only' },
  { find: /\blest\b/i, use: 'so that ... does not' },
  { find: /\bsave for\b/i, use: 'except' },
  { find: /\bas it were\b/i, use: '(delete)' },
  { find: /\bmeanwhile\b/i, use: 'while X, during X' },
  { find: /\bheretofore|hitherto|thereupon|whence|thence|hence\b/i, use: 'so, therefore, from' },
  { find: /\bof its own\b(?! (region|AWS|VPC))/i, use: 'its own X, a separate X' },
  { find: /\ba fault of its own\b/i, use: 'internal error' },
  { find: /\bthat nobody\b/i, use: 'the passive or a named subject' },
  { find: /\bis to be believed\b|\bbelieves nobody\b/i, use: 'is valid, is verified' },
  { find: /\ball the same\b/i, use: 'still, nevertheless' },
  { find: /\bon its way back\b/i, use: 'being released' },
  { find: /\btwofold|threefold\b/i, use: 'twice, three times' },
  { find: /\bmay not have (one|any)\b/i, use: 'must not' },
  { find: /\b(license|lease|registry|offline) desks?\b/i, use: 'service (lease service, license import service)' },
  { find: /\bfence debts?\b/i, use: 'pending fence' },
  // `handover` in one word is the number of a lease's holder.
  { find: /\bhand[- ]over\b/i, use: 'switchover' },
  { find: /\bhand(s|ed|ing)? back the fence\b/i, use: 'confirm the fence' },
  { find: /\bcouriers?\b/i, use: 'retrying requester' },
  { find: /\bswitchboards?\b/i, use: 'transport selector' },
  { find: /\bfarewells?\b/i, use: 'pending release, disconnect' },
  { find: /\bclockworks?\b/i, use: 'virtual clock' },
  { find: /\btelegrams?\b/i, use: 'alert' },
  { find: /\bconveyors?\b/i, use: 'delayed pipe' },
  { find: /\btethers?\b/i, use: 'parent watchdog' },
  { find: /\blulls?\b/i, use: 'idle time, fast-forward' },
  { find: /\barmour(ed)?\b/i, use: 'armor (PEM)' },
  { find: /\bintroductions?\b/i, use: 'region resource registry, publish region resources' },
  { find: /\bmaster|slave\b/i, use: 'primary, replica' },
];

/** Rejected in identifiers and in file names: old names, with the name that replaced them. */
const NAMES = [
  { find: /desk(?!top)/i, use: 'service' },
  { find: /dut(y|ies)(?![a-z])/i, use: 'service, job, monitor' },
  { find: /courier/i, use: 'RetryingRequester' },
  { find: /switchboard/i, use: 'TransportSelector' },
  { find: /farewell/i, use: 'pending release, disconnect' },
  { find: /clockwork/i, use: 'VirtualClock' },
  { find: /telegram|Telling\b/, use: 'AlertSpec' },
  { find: /conveyor/i, use: 'DelayedPipe' },
  { find: /tether/i, use: 'parentWatchdog' },
  { find: /\blull|Lull/, use: 'FastForward' },
  { find: /fenceDebt|FenceDebt/, use: 'PendingFence' },
  { find: /handBack|HandBack/, use: 'switchover, confirmFence' },
  { find: /lookAgain/i, use: 'refresh' },
  { find: /carryOut/, use: 'runOperation' },
  { find: /patiently/i, use: 'withRetry' },
  { find: /RegionRooms|VirginiaEnd|OregonEnd/, use: 'RegionResources, PeeringRequester, PeeringAccepter' },
  { find: /Introduc(e|tion)/, use: 'RegionResources' },
  { find: /brokenPromise|BrokenPromise/, use: 'InvariantViolation' },
  { find: /armour/i, use: 'armor' },
  { find: /^(Told|Wanted|Said|Heard)$|#told\b/, use: 'a noun for the thing' },
];

/** Findings that stay: published names that need a migration, and texts that quote a rejected word. */
const EXCEPTIONS = [
  // The rules themselves, and their test.
  { file: /^scripts\/prose-rules\.js$/ },
  { file: /^test\/scripts\/lint-prose\.test\.ts$/ },
  // Names of earlier releases that stored records contain, and a record with them.
  { file: /^packages\/controller\/src\/core\/legacy-names\.ts$/ },
  { file: /^packages\/controller\/test\/core\/stored-json\.test\.ts$/ },
  // Migrations that have run are never edited.
  { file: /^packages\/server\/migrations\// },
];

module.exports = { PROSE, NAMES, EXCEPTIONS };

const { availableParallelism } = require('node:os');

/** Settings of every project. Tests run on the sources, compiled by swc. */
const shared = {
  rootDir: __dirname,
  testEnvironment: 'node',
  roots: ['<rootDir>/packages', '<rootDir>/test', '<rootDir>/verification'],
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // jose is published as ES modules only, which Jest's CommonJS loader cannot read.
  transformIgnorePatterns: ['/node_modules/(?!jose/)'],
};

/** *.test.ts: needs neither PostgreSQL nor the bundles in dist/. Runs without a global setup. */
const unit = {
  ...shared,
  displayName: 'unit',
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '\\.integration\\.test\\.ts$'],
};

/** *.integration.test.ts: uses the PostgreSQL and the bundles that the global setup starts and builds. */
const integration = {
  ...shared,
  displayName: 'integration',
  testMatch: ['**/*.integration.test.ts'],
  globalSetup: '<rootDir>/verification/test-support/src/global-setup.ts',
  globalTeardown: '<rootDir>/verification/test-support/src/global-teardown.ts',
};

module.exports = {
  projects: [unit, integration],
  // Jest ignores this setting inside a project.
  testTimeout: 30_000,
  // Integration tests mostly wait for processes and databases, so more workers than processors are useful.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
};

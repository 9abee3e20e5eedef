const { availableParallelism } = require('node:os');

/** Tests run on the sources through swc. Drills and tests of whole processes run the bundles in dist/. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/packages', '<rootDir>/test', '<rootDir>/verification'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // jose is published as ES modules only, which Jest's CommonJS loader cannot read as they are.
  transformIgnorePatterns: ['/node_modules/(?!jose/)'],
  globalSetup: '<rootDir>/verification/test-support/src/global-setup.ts',
  globalTeardown: '<rootDir>/verification/test-support/src/global-teardown.ts',
  testTimeout: 30_000,
  // Most of a test's time is waiting for real processes and real databases.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
};

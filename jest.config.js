const { availableParallelism } = require('node:os');

/** Tests run on the sources through swc; the drills in test/ run the built world in dist/. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // jose is published as ES modules only, which Jest's CommonJS loader cannot read as they are.
  transformIgnorePatterns: ['/node_modules/(?!jose/)'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  testTimeout: 30_000,
  // Most of a test's time is waiting for real processes and real databases.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
};

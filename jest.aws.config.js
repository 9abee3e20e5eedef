const { projects, maxWorkers } = require('./jest.config.js');

const integration = projects.find(({ displayName }) => displayName === 'integration');

/** npm run test:aws: *.emulated.ts runs against emulators, so it shows our model of AWS and not AWS itself. */
module.exports = {
  ...integration,
  displayName: 'aws',
  maxWorkers,
  testMatch: ['**/*.emulated.ts'],
  testTimeout: 180_000,
};

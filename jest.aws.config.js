/** What runs against emulators: npm run test:aws. The names of these tests say that they show our model of AWS. */
module.exports = {
  ...require('./jest.config.js'),
  testMatch: ['**/*.emulated.ts'],
  testTimeout: 180_000,
};

#!/usr/bin/env node
// What `npx evergrant` runs: the bundled command that `npm ci` (and `npm run build`) leaves in dist/.
require('../../dist/cli/main.js');

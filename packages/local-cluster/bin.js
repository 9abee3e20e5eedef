#!/usr/bin/env node
// `npx evergrant` in this repository: the command with the local cluster's target and commands.
require('../../dist/local-cluster/evergrant.js');

#!/usr/bin/env node
// The published command, without the local cluster.
require('../../dist/cli/main.js');

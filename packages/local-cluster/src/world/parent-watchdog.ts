/**
 * Preloaded into every Node child. When the main process ends, even by SIGKILL, the child exits, so that no server keeps a
 * port after a crash.
 */
process.channel?.unref();
process.on('disconnect', () => process.exit(0));

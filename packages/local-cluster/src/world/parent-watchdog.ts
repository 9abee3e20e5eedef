/**
 * Preloaded into every Node child of the world: when the main process is gone (even by SIGKILL), the child goes too,
 * so that a crash leaves no servers behind that hold ports.
 */
process.channel?.unref();
process.on('disconnect', () => process.exit(0));

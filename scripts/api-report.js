/**
 * The public API of @evergrant/client: one .d.ts file for the published package, and the report
 * packages/client/api/client.api.md.
 *
 *   npm run api-report              updates the report
 *   npm run api-report -- --check   fails when the report differs from the sources
 */
const { execFileSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, rmSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const project = join(root, 'packages/client');

/** Compiles the declarations of the client to a separate folder and returns the entry file. */
function emitDeclarations(folder) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const settings = ['-p', join(project, 'tsconfig.build.json'), '--outDir', folder];
  execFileSync(process.execPath, [tsc, ...settings], { stdio: 'inherit' });
  return join(folder, 'client/src/license-client.d.ts');
}

/**
 * Writes the public declarations to `rollup`, one file without imports of other workspaces, or compares them with the
 * report.
 *
 * @param {{ rollup?: string, report?: 'update' | 'check' }} tasks
 * @returns {boolean} false when `check` finds that the report differs from the sources
 */
function extractApi({ rollup, report }) {
  // Below the project folder, where API Extractor resolves node_modules.
  const folder = mkdtempSync(join(root, 'dist/client-types-'));
  try {
    const { Extractor, ExtractorConfig } = require('@microsoft/api-extractor');
    const entry = emitDeclarations(folder);
    mkdirSync(join(project, 'api'), { recursive: true });
    const config = ExtractorConfig.prepare({
      configObject: {
        projectFolder: project,
        mainEntryPointFilePath: entry,
        bundledPackages: ['@evergrant/formats'],
        newlineKind: 'lf',
        compiler: {
          overrideTsconfig: {
            compilerOptions: {
              module: 'nodenext',
              moduleResolution: 'nodenext',
              target: 'es2022',
              types: ['node'],
              strict: true,
            },
            files: [entry],
          },
        },
        apiReport: {
          enabled: report !== undefined,
          reportFileName: 'client.api.md',
          reportFolder: join(project, 'api'),
          reportTempFolder: join(folder, 'report'),
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: rollup !== undefined, untrimmedFilePath: rollup ?? '' },
        tsdocMetadata: { enabled: false },
        messages: {
          extractorMessageReporting: {
            default: { logLevel: 'warning' },
            'ae-missing-release-tag': { logLevel: 'none' },
            'ae-undocumented': { logLevel: 'none' },
          },
          tsdocMessageReporting: { default: { logLevel: 'none' } },
        },
      },
      configObjectFullPath: undefined,
      packageJsonFullPath: join(project, 'package.json'),
    });
    const result = Extractor.invoke(config, {
      localBuild: report === 'update',
      messageCallback: (message) => {
        const isNote = message.logLevel === 'info' || message.logLevel === 'verbose' || message.logLevel === 'none';
        const isReportDrift = message.messageId.startsWith('console-api-report');
        message.handled = isNote || isReportDrift || message.messageId === 'console-compiler-version-notice';
      },
    });
    if (!result.succeeded && !result.apiReportChanged) throw new Error('API Extractor reported errors');
    return report !== 'check' || !result.apiReportChanged;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { extractApi };

if (require.main === module) {
  const check = process.argv.includes('--check');
  mkdirSync(join(root, 'dist'), { recursive: true });
  if (!extractApi({ report: check ? 'check' : 'update' })) {
    process.stderr.write(
      'packages/client/api/client.api.md differs from the sources. Update it with: npm run api-report\n',
    );
    process.exitCode = 1;
  }
}

import { armor, type Block } from '../armor';
import type { Authentic, AuthenticityContext } from '../authenticate';
import { readCompact } from '../compact';
import { encryptedFor, encryptToDeployment, openEnvelope } from '../envelope';
import { parseAs } from '../parse';
import { describeErrors, type FileRefusal, refused } from '../refusal-codes';
import { type Container, contentOf, isEncrypted, readContainer, signerOf } from './container';
import { mapKeygenLicense } from './mapping';
import { KeygenDocument } from './resources';

interface KeygenFile {
  readonly file: string;
  /** In a stored file: its license key, encrypted to the deployment that stores it. */
  readonly others: readonly Block[];
  readonly context: AuthenticityContext;
}

/** Converts a Keygen license file to an Evergrant license. The signature is verified before the content is parsed. */
export async function authenticateKeygen({ file, others, context }: KeygenFile): Promise<Authentic | FileRefusal> {
  const read = readContainer(file);
  if (read.kind === 'refused') return read;
  const publicKey = genuineSigner(read.container, context);
  if (typeof publicKey !== 'string') return publicKey;
  const licenseKey = await licenseKeyFor(others, context);
  if (typeof licenseKey === 'object') return licenseKey;
  const content = contentOf(read.container, licenseKey);
  if (!content) return notOpened(licenseKey);
  const document = documentOf(content.json);
  if (document.kind === 'refused') return document;
  const stored = await storedFile({ file, container: read.container, licenseKey, context });
  if (typeof stored !== 'string') return stored;
  return { ...document, kind: 'authentic', file: stored, signer: { kind: 'keygen', publicKey } };
}

function genuineSigner(container: Container, { trust }: AuthenticityContext): string | FileRefusal {
  if (trust.keygenPublicKeys.length === 0) {
    return refused(
      'license_unknown_key',
      'it is a Keygen license file, but no Keygen public key is trusted here (keygenPublicKeys in the trust file)',
    );
  }
  return (
    signerOf(container, trust.keygenPublicKeys) ??
    refused('license_tampered', 'no trusted Keygen account signed it, or it was changed afterwards')
  );
}

/** The license key is given by the caller, or was sealed beside the file at an earlier import. */
async function licenseKeyFor(
  others: readonly Block[],
  context: AuthenticityContext,
): Promise<string | undefined | FileRefusal> {
  const [sealed, ...more] = others;
  if (!sealed) return context.licenseKey;
  if (sealed.label !== 'EVERGRANT SEALED KEY' || more.length > 0) {
    return refused('license_unreadable', 'it contains more than one license; import one license at a time');
  }
  const compact = readCompact(sealed.body);
  const recipient = compact.kind === 'jwe' ? encryptedFor(compact.header) : undefined;
  if (!recipient) return refused('license_unreadable', 'the sealed license key beside it cannot be read');
  const opened = await openEnvelope(sealed.body, recipient, context);
  return opened.kind === 'opened' ? opened.content : opened;
}

function notOpened(licenseKey: string | undefined): FileRefusal {
  const why =
    licenseKey === undefined
      ? 'which was not given (npx evergrant license import --license-key FILE)'
      : 'and the given key does not decrypt it';
  return refused('license_not_for_this_deployment', `it is encrypted with its license key, ${why}`);
}

function documentOf(json: unknown): (Pick<Authentic, 'document' | 'dropped'> & { kind: 'mapped' }) | FileRefusal {
  const source = parseAs(KeygenDocument, json);
  if (source.kind === 'invalid') {
    return refused('license_unreadable', `it is not a Keygen license: ${describeErrors(source.errors)}`, source.errors);
  }
  const { status, suspended } = source.value.data.attributes;
  if (suspended === true || status === 'SUSPENDED' || status === 'BANNED') {
    return refused(
      'license_suspended',
      `it was ${(status ?? 'suspended').toLowerCase()} when its file was checked out of Keygen`,
    );
  }
  const { document, dropped } = mapKeygenLicense(source.value);
  if (document.kind === 'invalid') {
    const what = describeErrors(document.errors);
    return refused('license_unreadable', `its license cannot be converted: ${what}`, document.errors);
  }
  return { kind: 'mapped', document: document.value, dropped };
}

interface FileToStore {
  readonly file: string;
  readonly container: Container;
  readonly licenseKey: string | undefined;
  readonly context: AuthenticityContext;
}

/** An encrypted file is stored with its license key, sealed to the deployment, because servers decrypt it again later. */
async function storedFile({ file, container, licenseKey, context }: FileToStore): Promise<string | FileRefusal> {
  const itself = armor('LICENSE FILE', file);
  if (!isEncrypted(container) || licenseKey === undefined) return itself;
  const [deployment] = context.deploymentKeys ?? [];
  if (!deployment) {
    return refused(
      'license_not_for_this_deployment',
      'only a deployment with a deployment key (deploymentKeys) can store an encrypted Keygen file; alternatively check the license out of Keygen without encryption',
    );
  }
  return itself + armor('EVERGRANT SEALED KEY', await encryptToDeployment(licenseKey, deployment));
}

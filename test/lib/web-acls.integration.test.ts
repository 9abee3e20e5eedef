import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PROCESS_CLOCK } from '@evergrant/client/time/clock';
import { WebSocketSession } from '@evergrant/client/transport/websocket-session';
import { call } from '@evergrant/controller/probes/http-call';
import { PASSES_THE_FENCE } from '../../lib/edge/web-acls';
import { type AclRule, letsIn } from '../aws/support/web-acl-model';
import { ofType, type Synthesized, synthesize, type Template } from './support/synthesized';

const POLITE = { 'user-agent': 'somebody' };
let app: Synthesized;
let server: Server;
let address = '';
/** The last received request. */
let heard: { path: string; headers: IncomingHttpHeaders };

beforeAll(async () => {
  app = synthesize();
  server = createServer((incoming, outgoing) => {
    heard = { path: incoming.url ?? '', headers: incoming.headers };
    outgoing.writeHead(401, { 'content-type': 'application/problem+json' }).end('{"code":"unauthorized"}');
  });
  server.on('upgrade', (incoming, socket) => {
    heard = { path: incoming.url ?? '', headers: incoming.headers };
    socket.end('HTTP/1.1 501 Not Implemented\r\nconnection: close\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}, 120_000);

afterAll(() => server.close());

const serveRules = (template: Template): readonly AclRule[] => {
  const serve = ofType(template, 'AWS::WAFv2::WebACL').find(
    ([, { Properties }]) => Properties.Name === 'evergrant-serve',
  );
  return serve![1].Properties.Rules as AclRule[];
};
const regions = () => [app.templates.oregon, app.templates.virginia].map(serveRules);

/** Our model of the AWS managed rules, not AWS. */
describe('serving web ACL, in our model of AWS', () => {
  it('blocks requests without a user agent', () => {
    for (const rules of regions()) {
      expect(letsIn(rules, { path: '/v1/pools', headers: {} })).toBe(false);
      expect(letsIn(rules, { path: '/v1/pools', headers: POLITE })).toBe(true);
    }
  });

  it.each(PASSES_THE_FENCE)('never blocks a probe of the controller at %s', (path) => {
    for (const rules of regions()) expect(letsIn(rules, { path, headers: {} })).toBe(true);
  });

  it('applies the rate limit before every other rule', () => {
    for (const rules of regions()) {
      const [first] = [...rules].sort((left, right) => left.Priority - right.Priority);
      expect(first).toMatchObject({ Name: 'rate-limit', Action: { Block: {} } });
    }
  });

  it('allows the fence check of the controller', async () => {
    await call({ method: 'GET', url: `${address}/v1/pools`, timeoutMs: 5_000 });
    expect(heard.headers['user-agent']).toBe('evergrant-controller');
    for (const rules of regions()) expect(letsIn(rules, heard)).toBe(true);
  });

  it('allows the WebSocket session of a client', async () => {
    const options = { address, token: 'token', timeoutMs: 5_000, clock: PROCESS_CLOCK };
    const stop = new AbortController().signal;
    const listeners = { onQueueUpdate: () => undefined, onEnd: () => undefined };
    await WebSocketSession.open({ ...options, ...listeners }, { timeoutMs: 5_000, stop, background: false });
    expect(heard).toMatchObject({ path: '/v1/session', headers: { 'user-agent': 'evergrant-client' } });
    for (const rules of regions()) expect(letsIn(rules, heard)).toBe(true);
  });

  it('allows HTTP requests of a client, which have the user agent of the platform', async () => {
    await fetch(`${address}/v1/pools`);
    for (const rules of regions()) expect(letsIn(rules, heard)).toBe(true);
  });

  it('only counts the core rules that free text and armored files would trigger', () => {
    for (const rules of regions()) {
      const core = rules.find(({ Name }) => Name === 'AWSManagedRulesCommonRuleSet');
      const { RuleActionOverrides: overrides = [] } = core?.Statement.ManagedRuleGroupStatement ?? {};
      expect(overrides.map(({ Name }) => Name).sort()).toEqual([
        'CrossSiteScripting_BODY',
        'EC2MetaDataSSRF_BODY',
        'GenericLFI_BODY',
        'GenericRFI_BODY',
        'RestrictedExtensions_QUERYARGUMENTS',
        'SizeRestrictions_BODY',
      ]);
      for (const { ActionToUse } of overrides) expect(ActionToUse).toEqual({ Count: {} });
    }
  });
});

describe('the web ACLs: logs and samples', () => {
  it('log blocked requests only', () => {
    for (const template of [app.templates.oregon, app.templates.virginia]) {
      const logging = ofType(template, 'AWS::WAFv2::LoggingConfiguration');
      expect(logging).toHaveLength(2);
      for (const [, { Properties }] of logging) {
        expect(Properties.LoggingFilter).toMatchObject({
          DefaultBehavior: 'DROP',
          Filters: [{ Behavior: 'KEEP', Conditions: [{ ActionCondition: { Action: 'BLOCK' } }] }],
        });
      }
    }
  });

  it('replace the header that carries tokens', () => {
    for (const template of [app.templates.oregon, app.templates.virginia]) {
      for (const [, { Properties }] of ofType(template, 'AWS::WAFv2::WebACL')) {
        expect(Properties.DataProtectionConfig).toEqual({
          DataProtections: [
            { Action: 'SUBSTITUTION', Field: { FieldType: 'SINGLE_HEADER', FieldKeys: ['authorization'] } },
          ],
        });
      }
    }
  });
});

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Attribute = Readonly<{ S?: string; N?: string }>;
export type StoredItem = Readonly<Record<string, Attribute>>;

interface WriteRequest {
  readonly Key?: StoredItem;
  readonly Item?: StoredItem;
  readonly UpdateExpression?: string;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues?: StoredItem;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

/**
 * One DynamoDB table over HTTP: GetItem, PutItem and UpdateItem with the expressions that the stores use. A copy of a
 * request can be kept back and executed later, as a network that heals or a kernel that drains its queue does.
 */
export class DynamoTable {
  readonly #items = new Map<string, StoredItem>();
  readonly #server: Server;
  #duplicates: (() => Answer)[] = [];
  #duplicating = false;
  /** What the response header `date` is ahead of this machine's clock. */
  clockAheadMs = 0;
  /** The operations and the conditional writes, in order. */
  readonly requests: string[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (part) => {
        body += part;
      });
      request.on('end', () => {
        const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
        const execute = () => this.#execute(operation, JSON.parse(body));
        if (this.#duplicating && operation !== 'GetItem') this.#duplicates.push(execute);
        this.requests.push(operation);
        const answer = execute();
        response.writeHead(answer.status, {
          'content-type': 'application/x-amz-json-1.0',
          date: new Date(Date.now() + this.clockAheadMs).toUTCString(),
        });
        response.end(JSON.stringify(answer.body));
      });
    });
  }

  static async listen(): Promise<DynamoTable> {
    const table = new DynamoTable();
    await new Promise<void>((done) => table.#server.listen(0, '127.0.0.1', done));
    return table;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Runs `call`. A duplicate of each of its writes is executed by the next `deliverDuplicates`. */
  async duplicating<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#duplicating = true;
    try {
      return await call();
    } finally {
      this.#duplicating = false;
    }
  }

  /** Executes the duplicates. Returns how many of them the table accepted. */
  deliverDuplicates(): number {
    const duplicates = this.#duplicates;
    this.#duplicates = [];
    return duplicates.filter((execute) => execute().status === 200).length;
  }

  item(pk: string, sk: string): StoredItem | undefined {
    return this.#items.get(`${pk}/${sk}`);
  }

  put(item: StoredItem): void {
    this.#items.set(keyOf(item), item);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #execute(operation: string, request: WriteRequest): Answer {
    const key = keyOf(request.Key ?? request.Item ?? {});
    const found = this.#items.get(key);
    if (operation === 'GetItem') return { status: 200, body: found ? { Item: found } : {} };
    if (!isMet(request, found ?? {})) {
      const type = 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException';
      return { status: 400, body: { __type: type, message: 'The conditional request failed', Item: found } };
    }
    const item = request.Item ?? updated(request, found ?? { ...request.Key });
    this.#items.set(key, item);
    return { status: 200, body: { Attributes: item } };
  }
}

function keyOf(item: StoredItem): string {
  return `${item.pk?.S}/${item.sk?.S}`;
}

function nameOf(token: string, { ExpressionAttributeNames: names = {} }: WriteRequest): string {
  return names[token] ?? token;
}

/** Conditions as the stores write them: disjunctions of comparisons, joined by AND. */
function isMet(request: WriteRequest, item: StoredItem): boolean {
  const { ConditionExpression: condition } = request;
  if (condition === undefined) return true;
  return condition.split(/\s+AND\s+/).every((clause) =>
    clause
      .replace(/^\((.*)\)$/, '$1')
      .split(/\s+OR\s+/)
      .some((term) => isTrue(term.trim(), request, item)),
  );
}

function isTrue(term: string, request: WriteRequest, item: StoredItem): boolean {
  const existence = /^attribute_(not_)?exists\((\S+)\)$/.exec(term);
  if (existence) return (item[nameOf(existence[2] ?? '', request)] === undefined) === (existence[1] !== undefined);
  const [left = '', operator, right = ''] = term.split(/\s+/);
  const stored = item[nameOf(left, request)];
  const given = request.ExpressionAttributeValues?.[right];
  // A comparison with an attribute that does not exist is false.
  if (stored === undefined || given === undefined) return false;
  const order = stored.N !== undefined ? Number(stored.N) - Number(given.N) : stored.S === given.S ? 0 : Number.NaN;
  if (operator === '=') return order === 0;
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  throw new Error(`the table does not know the condition ${term}`);
}

function updated(request: WriteRequest, item: StoredItem): StoredItem {
  const next: Record<string, Attribute> = { ...item };
  const [sets = '', removals = ''] = (request.UpdateExpression ?? '').split(/\s*REMOVE\s+/);
  for (const assignment of sets.replace(/^SET\s+/, '').split(/\s*,\s*/)) {
    const [name = '', value = ''] = assignment.split(/\s*=\s*/);
    const given = request.ExpressionAttributeValues?.[value];
    if (given !== undefined) next[nameOf(name, request)] = given;
  }
  for (const name of removals.split(/\s*,\s*/).filter((each) => each !== '')) delete next[nameOf(name, request)];
  return next;
}

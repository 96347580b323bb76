// A real iroh endpoint under remote control, for the interoperability tests.
// Reads one JSON request a line on stdin: {"id", "op", ...arguments}; writes one JSON reply a line on stdout:
// {"id", "result"} or {"id", "error"}. Requests run concurrently. Endpoints, connections and streams are named by numbers.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Endpoint, EndpointId, EndpointTicket, RelayMap, RelayMode, SecretKey, presetMinimal } from '@number0/iroh';

const CHUNK = 64 * 1024;
const objects = new Map();
let nextName = 1;
const keep = (object) => { const name = nextName++; objects.set(name, object); return name; };
const get = (name) => { const object = objects.get(name); if (!object) throw new Error(`no object ${name}`); return object; };
const bytes = (text) => Array.from(Buffer.from(text, 'utf8'));
const hexBytes = (hex) => Array.from(Buffer.from(hex, 'hex'));
const hex = (array) => Buffer.from(array).toString('hex');

// The test pattern that both sides can compute: byte i of a stream is (i * 31 + seed + (i >> 8)) mod 256.
const pattern = (offset, length, seed) => {
  const out = new Array(length);
  for (let i = 0; i < length; i++) { const at = offset + i; out[i] = (at * 31 + seed + Math.floor(at / 256)) & 255; }
  return out;
};

// Accepts for as long as the endpoint lives: a handshake goes on only once it is accepted, also one that is to fail.
// With retry, a client has to show first that it receives at its address (RFC 9000 §8.1.2).
const acceptAll = async (endpoint, queue, retry) => {
  for (;;) {
    const incoming = await endpoint.acceptNext();
    if (!incoming) return;
    if (retry && !await incoming.remoteAddrValidated()) {
      await incoming.retry();
      continue;
    }
    (async () => queue.put(await (await incoming.accept()).connect()))().catch(() => {});
  }
};
class Queue {
  items = [];
  waiting = [];
  put(item) { const next = this.waiting.shift(); if (next) next(item); else this.items.push(item); }
  take() { return this.items.length > 0 ? this.items.shift() : new Promise((resolve) => this.waiting.push(resolve)); }
}
const accepted = new Map();

const streamPair = (bi) => keep({ send: bi.send, recv: bi.recv });

const ops = {
  // relays: [{url, authToken, quicPort}], without quicPort no QUIC address discovery; see online.
  async bind({ seed, alpns, address, retry, relays }) {
    const builder = Endpoint.builder();
    presetMinimal(builder);
    const map = RelayMap.empty();
    for (const relay of relays ?? []) map.insert(relay);
    builder.relayMode(map.isEmpty() ? RelayMode.disabled() : RelayMode.custom(map));
    if (seed) builder.secretKey(hexBytes(seed));
    builder.alpns((alpns ?? []).map(bytes));
    builder.bindAddr(address ?? '127.0.0.1:0');
    const endpoint = await builder.bind();
    const addr = endpoint.addr();
    const name = keep(endpoint);
    accepted.set(name, new Queue());
    acceptAll(endpoint, accepted.get(name), retry ?? false).catch(() => {});
    return {
      endpoint: name,
      endpointId: endpoint.id().toString(),
      ticket: EndpointTicket.fromAddr(addr).toString(),
      directAddresses: addr.directAddresses(),
    };
  },
  // Waits for the home relay; the ticket names it from then on.
  async online({ endpoint }) {
    await get(endpoint).online();
    const addr = get(endpoint).addr();
    return { relayUrl: addr.relayUrl(), ticket: EndpointTicket.fromAddr(addr).toString() };
  },
  async directAddresses({ endpoint }) { return { directAddresses: get(endpoint).addr().directAddresses() }; },
  async parseTicket({ ticket }) {
    const addr = EndpointTicket.fromString(ticket).endpointAddr();
    return { endpointId: addr.id().toString(), directAddresses: addr.directAddresses(), relayUrl: addr.relayUrl(), again: EndpointTicket.fromAddr(addr).toString() };
  },
  async sign({ seed, message }) { return { signature: SecretKey.fromBytes(hexBytes(seed)).sign(hexBytes(message)).toString() }; },
  async endpointId({ text }) { return { endpointId: EndpointId.fromString(text).toString() }; },
  async connect({ endpoint, ticket, alpn }) {
    const addr = EndpointTicket.fromString(ticket).endpointAddr();
    const connection = await get(endpoint).connect(addr, bytes(alpn));
    return { connection: keep(connection), remoteId: connection.remoteId().toString() };
  },
  async accept({ endpoint }) {
    const connection = await accepted.get(endpoint).take();
    return { connection: keep(connection), remoteId: connection.remoteId().toString(), alpn: Buffer.from(connection.alpn()).toString() };
  },
  async openBi({ connection }) { return { stream: streamPair(await get(connection).openBi()) }; },
  async acceptBi({ connection }) { return { stream: streamPair(await get(connection).acceptBi()) }; },
  async openUni({ connection }) { return { stream: keep({ send: await get(connection).openUni() }) }; },
  async acceptUni({ connection }) { return { stream: keep({ recv: await get(connection).acceptUni() }) }; },
  async writePattern({ stream, length, seed }) {
    const { send } = get(stream);
    for (let offset = 0; offset < length; offset += CHUNK) await send.writeAll(pattern(offset, Math.min(CHUNK, length - offset), seed));
    return {};
  },
  async write({ stream, data }) { await get(stream).send.writeAll(hexBytes(data)); return {}; },
  async finish({ stream }) { await get(stream).send.finish(); return {}; },
  async reset({ stream, code }) { await get(stream).send.reset(BigInt(code)); return {}; },
  async stop({ stream, code }) { await get(stream).recv.stop(BigInt(code)); return {}; },
  async stopped({ stream }) { return { code: await get(stream).send.stopped() }; },
  async receivedReset({ stream }) { return { code: await get(stream).recv.receivedReset() }; },
  async read({ stream, limit }) { return { data: hex(await get(stream).recv.read(limit)) }; },
  async readAll({ stream }) {
    const { recv } = get(stream);
    const hash = createHash('sha256');
    let length = 0;
    for (;;) {
      const chunk = await recv.read(CHUNK);
      if (!chunk || chunk.length === 0) break;
      hash.update(Buffer.from(chunk));
      length += chunk.length;
    }
    return { length, sha256: hash.digest('hex') };
  },
  // Echoes every stream and datagram of a connection until it closes.
  async echo({ connection }) {
    const conn = get(connection);
    const copy = async (recv, send) => {
      for (;;) {
        const chunk = await recv.read(CHUNK);
        if (!chunk || chunk.length === 0) break;
        await send.writeAll(chunk);
      }
      await send.finish();
    };
    const forever = async (step) => { try { for (;;) await step(); } catch { /* the connection closed */ } };
    const guard = (promise) => promise.catch(() => {});
    await Promise.all([
      forever(async () => { const bi = await conn.acceptBi(); guard(copy(bi.recv, bi.send)); }),
      forever(async () => { const recv = await conn.acceptUni(); guard((async () => copy(recv, await conn.openUni()))()); }),
      forever(async () => { conn.sendDatagram(await conn.readDatagram()); }),
    ]);
    return { reason: conn.closeReason() };
  },
  async sendDatagram({ connection, data }) { get(connection).sendDatagram(hexBytes(data)); return {}; },
  async readDatagram({ connection }) { return { data: hex(await get(connection).readDatagram()) }; },
  async maxDatagramSize({ connection }) { return { size: get(connection).maxDatagramSize() }; },
  async close({ connection, code, reason }) { get(connection).close(BigInt(code), bytes(reason)); return {}; },
  async closed({ connection }) { return { reason: await get(connection).closed() }; },
  async closeReason({ connection }) { return { reason: get(connection).closeReason() }; },
  async stats({ connection }) { return get(connection).stats(); },
  async paths({ connection }) { return { paths: get(connection).paths() }; },
  async closeEndpoint({ endpoint }) { await get(endpoint).close(); return {}; },
};

// Closing a connection rejects promises that nobody waits for any more; that is no reason to end the process.
process.on('unhandledRejection', () => {});
// The whole chain of causes on one line: the outermost alone rarely says what happened.
const describe = (error) => String(error?.message ?? error).split('Stack backtrace')[0].split('\n').map((line) => line.trim()).filter(Boolean).join(' / ');
const reply = (message) => process.stdout.write(JSON.stringify(message, (_, value) => typeof value === 'bigint' ? Number(value) : value) + '\n');
createInterface({ input: process.stdin }).on('line', async (line) => {
  const request = JSON.parse(line);
  try {
    reply({ id: request.id, result: await ops[request.op](request) });
  } catch (error) {
    reply({ id: request.id, error: describe(error) });
  }
}).on('close', () => process.exit(0));

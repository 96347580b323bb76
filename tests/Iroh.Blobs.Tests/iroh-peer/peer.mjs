// A real iroh-blobs node (Rust, 0.35: the last npm package that holds blobs) under remote control, for the interoperability tests.
// Reads one JSON request a line on stdin: {"id", "op", ...arguments}; writes one JSON reply a line on stdout:
// {"id", "result"} or {"id", "error"}. Requests run concurrently. Nodes are named by numbers, hashes are hexadecimal.
import { createInterface } from 'node:readline';
import iroh from '@number0/iroh';
import { docsOps } from './docs.mjs';

const { BlobDownloadOptions, BlobTicket, Collection, Hash, Iroh, SetTagOption } = iroh;
const nodes = new Map();
let nextName = 1;
const node = (name) => { const found = nodes.get(name); if (!found) throw new Error(`no node ${name}`); return found; };
const hex = (hash) => Hash.fromString(hash).toString('hex');
const formats = { raw: 'Raw', sequence: 'HashSeq' };
const loopback = (addresses) => addresses.filter((address) => address.startsWith('127.'));

// The package reports the end of long work through a callback, errors either there or by rejection.
const until = (start, isEnd) => new Promise((resolve, reject) => {
  start((error, progress) => {
    if (error) reject(error);
    else if (isEnd(progress)) resolve(progress);
  }).catch(reject);
});

const ops = {
  ...docsOps(node),
  // path: where the node keeps its store; without one in memory. docs: whether it has documents, too.
  async start({ path, docs }) {
    const options = { ipv4Addr: '127.0.0.1:0', ipv6Addr: '[::1]:0', nodeDiscovery: 'None', enableDocs: docs ?? false };
    const started = path ? await Iroh.persistent(path, options) : await Iroh.memory(options);
    const name = nextName++;
    nodes.set(name, started);
    return { node: name, nodeId: started.node.endpoint().nodeId(), addresses: loopback((await started.node.status()).listenAddrs) };
  },
  // 0.35 drops packets from addresses that it has not learned: a caller has to be made known first.
  async know({ node: name, nodeId, addresses }) { await node(name).net.addNodeAddr({ nodeId, addresses }); return {}; },
  async addBytes({ node: name, data }) {
    const added = await node(name).blobs.addBytes(Array.from(Buffer.from(data, 'hex')));
    return { hash: hex(added.hash), size: added.size };
  },
  async addFile({ node: name, path, inPlace }) {
    const done = await until(
      (progress) => node(name).blobs.addFromPath(path, inPlace ?? false, SetTagOption.auto(), { wrap: false }, progress),
      (progress) => progress.allDone);
    return { hash: hex(done.allDone.hash) };
  },
  // entries: [{name, hash}]
  async addCollection({ node: name, entries }) {
    const collection = new Collection();
    for (const entry of entries) collection.push(entry.name, entry.hash);
    return { hash: hex((await node(name).blobs.createCollection(collection, SetTagOption.auto(), [])).hash) };
  },
  async readCollection({ node: name, hash }) {
    return { entries: (await node(name).blobs.getCollection(hash)).blobs().map((link) => ({ name: link.name, hash: hex(link.link) })) };
  },
  async download({ node: name, hash, format, nodeId, addresses }) {
    const options = new BlobDownloadOptions(formats[format], [{ nodeId, addresses }], SetTagOption.auto());
    const done = await until((progress) => node(name).blobs.download(hash, options, progress), (progress) => progress.allDone);
    return { bytesRead: done.allDone.bytesRead, milliseconds: done.allDone.elapsed };
  },
  async downloadTicket({ node: name, ticket }) {
    const parsed = BlobTicket.fromString(ticket);
    const done = await until((progress) => node(name).blobs.download(parsed.hash, parsed.asDownloadOptions(), progress), (progress) => progress.allDone);
    return { hash: hex(parsed.hash), bytesRead: done.allDone.bytesRead };
  },
  async has({ node: name, hash }) { return { has: await node(name).blobs.has(hash) }; },
  async readBytes({ node: name, hash }) { return { data: Buffer.from(await node(name).blobs.readToBytes(hash)).toString('hex') }; },
  async writeFile({ node: name, hash, path }) { await node(name).blobs.writeToPath(hash, path); return {}; },
  // Moves the store's own file where it can.
  async moveOut({ node: name, hash, path }) { await node(name).blobs.export(hash, path, 'Blob', 'TryReference'); return {}; },
  async ticket({ node: name, hash, format }) {
    const status = await node(name).node.status();
    const address = { nodeId: node(name).node.endpoint().nodeId(), addresses: loopback(status.listenAddrs) };
    return { ticket: new BlobTicket(address, hash, formats[format]).toString() };
  },
  async parseTicket({ ticket }) {
    const parsed = BlobTicket.fromString(ticket);
    return {
      hash: hex(parsed.hash), recursive: parsed.recursive(), nodeId: parsed.nodeAddr.nodeId,
      addresses: parsed.nodeAddr.addresses ?? [], again: parsed.toString(),
    };
  },
  async stop({ node: name }) { await node(name).node.shutdown(); nodes.delete(name); return {}; },
};

// A node that is shut down rejects promises that nobody waits for any more; that is no reason to end the process.
process.on('unhandledRejection', () => {});
// The native part appends a backtrace to its messages.
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

// The gRPC project's own JavaScript library as a peer.
//   node peer.js call SCENARIO HOST:PORT SERVER_CERT.pem [CLIENT_CERT.pem CLIENT_KEY.pem]   prints one JSON object
//   node peer.js serve CERT.pem KEY.pem                                                     prints {"port"}, runs until stdin ends
'use strict';
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const probe = grpc.loadPackageDefinition(
  loader.loadSync(path.join(__dirname, '..', 'protos', 'probe.proto'), { keepCase: true, longs: Number, defaults: true })
).blixard.probe.v1.Probe;

function failure(error) {
  const details = error.metadata ? error.metadata.get('blixard-error-details-bin') : [];
  return { code: error.code, message: error.details, detailsHex: details.length ? details[0].toString('hex') : '' };
}

const unary = (client, method, request, metadata, options) =>
  new Promise((resolve) => client[method](request, metadata || new grpc.Metadata(), options || {},
    (error, answer) => resolve(error ? failure(error) : { answer })));

const collect = (call) => new Promise((resolve) => {
  const messages = [];
  call.on('data', (message) => messages.push(message));
  call.on('error', (error) => resolve({ count: messages.length, ...failure(error) }));
  // The order of these two is not promised.
  const ended = new Promise((done) => call.on('end', done));
  call.on('status', (status) => ended.then(() =>
    resolve({ count: messages.length, code: status.code, messages: messages.slice(0, 20) })));
});

const scenarios = {
  unary: (client) => {
    const metadata = new grpc.Metadata();
    metadata.set('tag', 'green');
    metadata.set('tag-bin', Buffer.from([0, 255, 10]));
    return unary(client, 'Echo', { text: 'grüße' }, metadata).then((result) => {
      if (result.answer) result.answer.tag_bin = result.answer.tag_bin.toString('hex');
      return result;
    });
  },
  empty: (client) => unary(client, 'Echo', {}),
  large: async (client) => {
    const result = await unary(client, 'Echo', { text: 'x'.repeat(3000000) });
    return result.answer ? { length: result.answer.text.length } : result;
  },
  status: (client) => unary(client, 'Fail', { code: 9, message: 'nöt 100% now\n', details: Buffer.from([1, 2, 3]) }),
  fault: (client) => unary(client, 'Fail', { code: 99 }),
  stream: (client) => collect(client.Count({ count: 1000, size: 100 })),
  streamFails: (client) => collect(client.Count({ count: 5, fail_code: 10 })),
  streamEmpty: (client) => collect(client.Count({ count: 0 })),
  // The connection is made first, so that the time is the call's alone.
  deadline: (client) => unary(client, 'Echo', {}).then(() => unary(client, 'Hang', {}, null, { deadline: Date.now() + 2000 })),
  cancel: (client) => new Promise((resolve) => {
    const call = client.Count({ count: 1000000, size: 1000 });
    call.once('data', () => call.cancel());
    call.on('data', () => {});
    call.on('error', (error) => resolve(failure(error)));
  }),
  duplex: (client) => {
    const call = client.Shout();
    const result = collect(call);
    ['one', 'two', 'three'].forEach((text) => call.write({ text }));
    call.end();
    return result;
  },
  unknownMethod: (client) => new Promise((resolve) => client.makeUnaryRequest(
    '/blixard.probe.v1.Probe/Nothing', (x) => x, (x) => x, Buffer.alloc(0), (error) => resolve(failure(error)))),
  unknownService: (client) => new Promise((resolve) => client.makeUnaryRequest(
    '/no.such.Service/Nothing', (x) => x, (x) => x, Buffer.alloc(0), (error) => resolve(failure(error)))),
  compressed: (client, address, credentials, options) => {
    const squeezed = new probe(address, credentials, { ...options, 'grpc.default_compression_algorithm': 2 });
    return unary(squeezed, 'Echo', { text: 'x'.repeat(1000) }).finally(() => squeezed.close());
  },
};

async function call(scenario, address, serverCertificate, clientCertificate, clientKey) {
  const read = (file) => (file ? fs.readFileSync(file) : null);
  const credentials = grpc.credentials.createSsl(read(serverCertificate), read(clientKey), read(clientCertificate));
  const options = { 'grpc.ssl_target_name_override': 'node.blixard', 'grpc.enable_retries': 0 };
  const client = new probe(address, credentials, options);
  console.log(JSON.stringify(await scenarios[scenario](client, address, credentials, options)));
  client.close();
}

function serve(certificate, key) {
  const server = new grpc.Server();
  server.addService(probe.service, {
    Echo: (call, done) => done(null, {
      text: call.request.text,
      tag: (call.metadata.get('tag')[0] || '').toString(),
      tag_bin: call.metadata.get('tag-bin')[0] || Buffer.alloc(0),
      has_deadline: call.getDeadline() !== Infinity,
    }),
    Fail: (call, done) => {
      const metadata = new grpc.Metadata();
      if (call.request.details.length) metadata.set('blixard-error-details-bin', call.request.details);
      done({ code: call.request.code, details: call.request.message, metadata });
    },
    Hang: (call) => {
      console.log(JSON.stringify({ event: 'hanging' }));
      call.on('cancelled', () => console.log(JSON.stringify({ event: 'cancelled' })));
    },
    Count: (call) => {
      call.on('cancelled', () => console.log(JSON.stringify({ event: 'cancelled' })));
      const filling = Buffer.alloc(call.request.size);
      let number = 0;
      // Each message waits until the one before is written: an error would overtake what is still queued.
      const go = () => {
        if (number < call.request.count) call.write({ number: number++, filling }, go);
        else if (call.request.fail_code) call.emit('error', { code: call.request.fail_code, details: 'after the last' });
        else call.end();
      };
      go();
    },
    Shout: (call) => {
      call.on('data', (message) => call.write({ text: message.text.toUpperCase() }));
      call.on('end', () => call.end());
    },
  });
  const credentials = grpc.ServerCredentials.createSsl(
    null, [{ cert_chain: fs.readFileSync(certificate), private_key: fs.readFileSync(key) }], false);
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error) throw error;
    console.log(JSON.stringify({ port }));
  });
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'serve') serve(...rest);
else call(...rest).catch((error) => { console.error(error); process.exit(1); });

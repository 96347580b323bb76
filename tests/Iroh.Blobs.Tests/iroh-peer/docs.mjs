// The operations on documents of the peer (peer.mjs): real iroh-docs 0.35. Documents are named by their ids, keys and contents are hexadecimal.
import iroh from '@number0/iroh';

const { AuthorId, DocTicket, Hash, Query } = iroh;
const documents = new Map();
const document = (id) => { const found = documents.get(id); if (!found) throw new Error(`no document ${id}`); return found; };
const keep = (doc) => { documents.set(doc.id(), doc); return { document: doc.id() }; };
const bytes = (text) => Array.from(Buffer.from(text, 'hex'));

export const docsOps = (node) => ({
  async docAuthor({ node: name }) { return { author: (await node(name).authors.default()).toString() }; },
  async docCreate({ node: name }) { return keep(await node(name).docs.create()); },
  // A ticket in the layout of 0.35; begins to sync with its nodes.
  async docJoin({ node: name, ticket }) { return keep(await node(name).docs.join(DocTicket.fromString(ticket))); },
  async docTicket({ document: id, mode }) { return { ticket: (await document(id).share(mode, 'Id')).toString() }; },
  async docSync({ document: id, nodeId, addresses }) { await document(id).startSync([{ nodeId, addresses }]); return {}; },
  async docLeave({ document: id }) { await document(id).leave(); return {}; },
  async docSet({ document: id, author, key, data }) {
    return { hash: (await document(id).setBytes(AuthorId.fromString(author), bytes(key), bytes(data))).toString('hex') };
  },
  async docDelete({ document: id, author, prefix }) { return { removed: await document(id).delete(AuthorId.fromString(author), bytes(prefix)) }; },
  async docList({ document: id }) {
    return {
      entries: (await document(id).getMany(Query.all())).map((entry) => ({
        author: entry.author, key: Buffer.from(entry.key).toString('hex'), length: entry.len, hash: Hash.fromString(entry.hash).toString('hex'),
      })),
    };
  },
});

// A SQLite database is read page by page: the rows of one table, in the order
// of their ids, with what its write-ahead log adds. Nothing of it is executed.
// The file format: sqlite.org/fileformat2.html, by section.
//
// This is no library's because sql.js 1.16.0, SQLite itself in WebAssembly, takes
// 336 kB in gzip where this takes 3, holds the whole file in memory, and offers no
// way to lay a -wal file beside it.
import { Collector } from './envelope.js';
import { Rows, float } from './cells.js';

const block = 1 << 20; // what is read of a file at once
const blocksHeld = 16;
const maxPayload = 40 << 20; // bytes of a row; a blob of more than 16 MiB counts as corrupt
const batchRows = 4096;
const be32 = (b, at) => (b[at] << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3]) >>> 0;

// Ahead reads stretches of a file and holds the blocks used last.
class Ahead {
  constructor(file) { Object.assign(this, { file, held: new Map() }); }
  async read(from, n) {
    if (from + n > this.file.size) throw new Error(`byte ${from}: the file ends at ${this.file.size}`);
    const first = Math.floor(from / block), last = Math.floor((from + n - 1) / block);
    if (first !== last) return new Uint8Array(await this.file.slice(from, from + n).arrayBuffer());
    let b = this.held.get(first);
    if (!b) {
      b = new Uint8Array(await this.file.slice(first * block, (first + 1) * block).arrayBuffer());
      if (this.held.size >= blocksHeld) this.held.delete(this.held.keys().next().value);
      this.held.set(first, b);
    }
    return b.subarray(from - first * block, from - first * block + n);
  }
}

// walPages returns where in a write-ahead log the newest committed version of
// each page lies: section 4. A frame whose salt or checksum does not fit ends it.
async function walPages(log, pageSize) {
  const pages = new Map();
  if (!log || log.file.size < 32) return { pages, size: 0 };
  const head = await log.read(0, 32), magic = be32(head, 0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) throw new Error('the -wal file is no write-ahead log');
  if (be32(head, 8) !== pageSize) throw new Error(`the -wal file has pages of ${be32(head, 8)} bytes, the database of ${pageSize}: it belongs to another`);
  let a = 0, b = 0, size = 0;
  const sum = (bytes) => {
    const v = new DataView(bytes.buffer, bytes.byteOffset), little = magic === 0x377f0682;
    for (let i = 0; i < bytes.length; i += 8) {
      a = a + v.getUint32(i, little) + b >>> 0;
      b = b + v.getUint32(i + 4, little) + a >>> 0;
    }
  };
  sum(head.subarray(0, 24));
  if (a !== be32(head, 24) || b !== be32(head, 28)) return { pages, size }; // as SQLite does: no log
  const salt = [be32(head, 16), be32(head, 20)];
  let open = [];
  for (let at = 32; at + 24 + pageSize <= log.file.size; at += 24 + pageSize) {
    const f = await log.read(at, 24 + pageSize);
    if (be32(f, 8) !== salt[0] || be32(f, 12) !== salt[1]) break;
    sum(f.subarray(0, 8));
    sum(f.subarray(24));
    if (a !== be32(f, 16) || b !== be32(f, 20)) break;
    open.push([be32(f, 0), at + 24]);
    if (be32(f, 4)) { // a commit
      size = be32(f, 4);
      for (const [page, where] of open) pages.set(page, where);
      open = [];
    }
  }
  return { pages, size };
}

class Database {
  // open reads the header: section 1.3.
  async open(file, log) {
    this.main = new Ahead(file);
    this.log = log && new Ahead(log);
    const h = await this.main.read(0, 100);
    const size = h[16] << 8 | h[17];
    this.pageSize = size === 1 ? 65536 : size;
    if (this.pageSize < 512 || this.pageSize & this.pageSize - 1) throw new Error(`pages of ${this.pageSize} bytes`);
    this.usable = this.pageSize - h[20];
    if (this.usable < 480) throw new Error(`${h[20]} bytes of each page are reserved`);
    this.inWAL = h[19] === 2;
    const { pages, size: after } = await walPages(this.log, this.pageSize);
    this.moved = pages;
    this.pages = after || Math.floor(file.size / this.pageSize);
    const first = await this.page(1);
    this.text = new TextDecoder(['utf-8', 'utf-8', 'utf-16le', 'utf-16be'][be32(first, 56)] || 'utf-8');
    return this;
  }

  async page(n) {
    if (!(n >= 1 && n <= this.pages)) throw new Error(`page ${n} of ${this.pages}: database disk image is malformed`);
    const at = this.moved.get(n);
    return at ? this.log.read(at, this.pageSize) : this.main.read((n - 1) * this.pageSize, this.pageSize);
  }

  // rows yields the records of a table's b-tree in order: section 1.6.
  async* rows(root, depth = 0, seen = { n: 0 }) {
    if (depth > 20 || seen.n++ > this.pages) throw new Error(`page ${root}: a tree of pages that has no end`);
    const bad = (what) => { throw new Error(`page ${root}: ${what}`); };
    const p = (await this.page(root)).slice(), at = root === 1 ? 100 : 0;
    const kind = p[at], cells = p[at + 3] << 8 | p[at + 4], list = at + (kind === 5 ? 12 : 8);
    if (kind !== 5 && kind !== 13) bad(kind === 2 || kind === 10 ? 'a table without row ids' : 'database disk image is malformed');
    if (list + 2 * cells > this.usable) bad(`${cells} cells`);
    for (let i = 0; i < cells; i++) {
      const cell = p[list + 2 * i] << 8 | p[list + 2 * i + 1];
      if (cell + 4 > this.usable) bad(`a cell at ${cell}`);
      if (kind === 5) {
        yield* this.rows(be32(p, cell), depth + 1, seen);
        continue;
      }
      const r = { b: p, at: cell };
      const size = Number(varint(r)), id = BigInt.asIntN(64, varint(r));
      yield { id, payload: size > maxPayload ? null : await this.payload(p, r.at, size) };
    }
    if (kind === 5) yield* this.rows(be32(p, at + 8), depth + 1, seen);
  }

  // payload joins what lies in the page and on overflow pages: section 1.6.
  async payload(p, at, size) {
    const u = this.usable, most = u - 35, least = Math.floor((u - 12) * 32 / 255) - 23;
    const k = least + (size - least) % (u - 4);
    const local = size <= most ? size : k <= most ? k : least;
    if (at + local + (local < size ? 4 : 0) > u) throw new Error('a row that leaves its page: database disk image is malformed');
    if (local === size) return p.subarray(at, at + size);
    const out = new Uint8Array(size);
    out.set(p.subarray(at, at + local));
    let next = be32(p, at + local);
    for (let n = local; n < size;) {
      const more = await this.page(next), take = Math.min(u - 4, size - n);
      out.set(more.subarray(4, 4 + take), n);
      n += take;
      next = be32(more, 0);
    }
    return out;
  }

  // record returns the columns of a record: section 2.1. Texts stay bytes.
  record(b) {
    const r = { b, at: 0 }, end = Number(varint(r)), out = [];
    if (end > b.length) throw new Error('a row without values');
    for (let at = end; r.at < end;) {
      const type = Number(varint(r));
      const n = type >= 12 ? Math.floor((type - 12) / 2) : [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, NaN, NaN][type];
      if (!(at + n <= b.length)) throw new Error('a value that leaves its row');
      const v = b.subarray(at, at + n);
      at += n;
      if (type >= 12) out.push({ bytes: v, isText: type % 2 === 1 });
      else if (type === 7) out.push({ number: new DataView(v.buffer, v.byteOffset, 8).getFloat64(0) });
      else if (type === 0) out.push(null);
      else out.push({ integer: type > 7 ? BigInt(type - 8) : v.reduce((n, x) => n << 8n | BigInt(x), v[0] & 128 ? -1n : 0n) });
    }
    return out;
  }

  string(v) {
    if (!v) throw new Error('a text is missing');
    return v.bytes ? this.text.decode(v.bytes) : String(v.integer ?? float(v.number));
  }
}

// varint reads up to nine bytes, the most significant first: section 1.6.
function varint(r) {
  let v = 0n;
  for (let i = 0; i < 9; i++) {
    if (r.at >= r.b.length) throw new Error('a row that leaves its page: database disk image is malformed');
    const b = r.b[r.at++];
    if (i === 8) return v << 8n | BigInt(b);
    v = v << 7n | BigInt(b & 127);
    if (b < 128) break;
  }
  return v;
}

// columnsOf returns the names of the columns of a CREATE TABLE statement, and
// whether id is the row's own.
function columnsOf(sql) {
  const body = sql.slice(sql.indexOf('(') + 1, sql.lastIndexOf(')'));
  const parts = [''];
  let depth = 0;
  for (const [token] of body.matchAll(/"[^"]*"|'[^']*'|`[^`]*`|\[[^\]]*\]|--.*|\/\*[^]*?\*\/|[^]/g)) {
    if (token.length > 1 && /^(--|\/\*)/.test(token)) continue;
    depth += token === '(' ? 1 : token === ')' ? -1 : 0;
    if (token === ',' && !depth) parts.push('');
    else parts[parts.length - 1] += token;
  }
  const defined = parts.map((p) => p.trim()).filter((p) => !/^(constraint|primary|unique|check|foreign)\b/i.test(p));
  const names = defined.map((p) => /^(?:"([^"]*)"|\[([^\]]*)\]|`([^`]*)`|'([^']*)'|(\S+))/.exec(p)?.slice(1).find((n) => n !== undefined)?.toLowerCase());
  return { names, byRow: /\binteger\s+primary\s+key\b/i.test(defined[names.indexOf('id')] || '') };
}

// openDatabase reads the telemetry of a database into a table: what
// cloister/builder/internal/telemetry/wal reads, in its words. metrics are the
// known names in their order, counters those that add up.
export async function openDatabase(file, log, metrics, counters) {
  const db = await new Database().open(file, log);
  const tables = {};
  for await (const { payload } of db.rows(1)) {
    if (!payload) continue;
    const [type, name, , root, sql] = db.record(payload);
    if (db.string(type) !== 'table') continue;
    const called = db.string(name);
    if (called === 'wal' || called === 'events') tables[called] = { root: Number(root.integer), ...columnsOf(db.string(sql)) };
  }
  let called = null;
  for (const name of ['wal', 'events']) {
    if (!tables[name]) continue;
    called ??= name;
    if (!(await db.rows(tables[name].root).next()).done) { called = name; break; }
  }
  if (!called) throw new Error('no table wal or events: not a telemetry database, or its -wal file was left behind when it was copied');
  const { root, names, byRow } = tables[called];
  const at = ['id', 'idem', 'ts_ns', 'bytes', 'checksum'].map((n) => names.indexOf(n));
  const lost = ['idem', 'ts_ns', 'bytes', 'checksum'].find((_, i) => at[i + 1] < 0);
  if (lost || at[0] < 0) throw new Error(`the table ${called} has no column ${lost || 'id'}`);
  const c = new Collector(called, counters);
  let list = db.rows(root);
  if (!byRow) { // then the order of the ids is another than that of the tree
    const all = [];
    for await (const row of list) all.push([db.record(row.payload || new Uint8Array(1))[at[0]], row]);
    list = all.sort(([a], [b]) => Number((a?.integer ?? 0n) - (b?.integer ?? 0n))).map(([, row]) => row);
  }
  try {
    for await (const { payload } of list) {
      if (!payload) { c.oversized(); continue; }
      const row = db.record(payload), [, idem, nanos, bytes, sum] = at.map((i) => row[i]);
      c.row(db.string(idem), nanos?.integer ?? BigInt(db.string(nanos)), bytes?.bytes || new Uint8Array(0), sum?.bytes || new Uint8Array(0));
    }
  } catch (e) {
    throw new Error(`after ${c.count.rows} rows: ${e.message}`);
  }
  const alone = db.inWAL && !log;
  return new Samples(c, metrics, alone ? 'the database is in WAL mode and came without its -wal file: if its agent was still running when it was copied, the newest rows are missing; choose both files together' : '');
}

// Samples is the table of what was collected.
class Samples {
  constructor(collected, metrics, note) {
    if (!collected.samples.length) throw new Error(`nothing usable: ${collected.nothing()}`);
    const order = collected.order(metrics);
    Object.assign(this, { collected, order, note, rows: collected.samples.length, kind: `SQLite, ${collected.report()}` });
    this.header = ['timestamp', 'device_id', ...order.map((i) => collected.header[i]), 'simulated'];
  }

  read(from) {
    const out = new Rows(), end = Math.min(this.rows, from + batchRows);
    let i = from;
    for (; i < end && !out.full; i++) {
      const s = this.collected.samples[i];
      out.cell(new Date(s.millis).toISOString());
      out.cell(s.device);
      for (const k of this.order) {
        const v = s.values[k];
        out.cell(v === undefined || v !== v ? null : float(v));
      }
      out.cell(s.synthetic ? '1' : '0');
    }
    return { bytes: out.bytes(), rows: i - from };
  }
}

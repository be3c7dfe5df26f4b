// Envelopes of agents: protobuf messages with metrics, as the .proto files of
// cloister/builder/internal/telemetry/pb have them, and what they add up to.
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { blake2b } from '@noble/hashes/blake2.js';

const maxBlob = 16 << 20;
const maxColumns = 512; // that of cloister/shared/telemetry
const maxCells = 48 << 20; // samples by metrics

// Messages by number of field: name and kind. A kind that is a message is its
// own table; "[]" before it is a list.
const pair = { 1: ['key', 'string'], 2: ['value', 'string'] };
const flow = {
  1: ['a', 'string'], 2: ['b', 'string'], 3: ['c', 'varint'], 4: ['d', 'varint'], 5: ['e', 'string'], 6: ['f', 'varint'], 7: ['g', 'varint'],
  8: ['h', 'varint'], 9: ['i', 'varint'], 10: ['j', 'varint'], 11: ['k', 'varint'], 12: ['l', 'varint'], 13: ['m', 'string'], 14: ['n', 'varint'],
};
const process = {
  1: ['a', 'varint'], 2: ['b', 'varint'], 3: ['c', 'string'], 4: ['d', 'string'], 5: ['e', 'varint'], 6: ['f', 'varint'], 7: ['g', 'varint'],
  8: ['h', 'string'], 9: ['i', 'string'],
};
const metric = {
  1: ['name', 'string'], 2: ['type', 'string'], 3: ['number', 'double'], 4: ['string', 'string'], 5: ['bool', 'varint'], 6: ['binary', 'bytes'],
  7: ['unit', 'string'], 8: ['labels', pair], 9: ['min', 'double'], 10: ['max', 'double'], 11: ['avg', 'double'], 12: ['count', 'varint'],
};
const event = {
  1: ['id', 'string'], 2: ['type', 'string'], 3: ['severity', 'string'], 4: ['time', 'varint'], 5: ['metric', metric], 11: ['tags', 'string'],
  12: ['attributes', pair], 13: ['source', 'string'], 14: ['confidence', 'double'], 15: ['synthetic', 'varint'],
};
const device = {
  1: ['id', 'string'], 2: ['type', 'string'], 3: ['protocol', 'string'], 5: ['events', event, '[]'], 7: ['time', 'varint'], 8: ['agent', 'string'],
  9: ['version', 'string'], 10: ['packed', 'varint'], 11: ['algorithm', 'string'], 12: ['batch', 'varint'], 13: ['interval', 'varint'],
};
const batch = { 1: ['id', 'string'], 2: ['devices', device, '[]'] };
const universal = {
  1: ['version', 'string'], 2: ['time', 'varint'], 3: ['key', 'string'], 4: ['flow', flow], 5: ['process', process], 6: ['device', device],
  7: ['batch', batch], 8: ['sig', 'bytes'], 9: ['before', 'bytes'], 10: ['algorithm', 'string'],
};
const envelope = {
  1: ['version', 'string'], 2: ['time', 'varint'], 3: ['key', 'string'], 4: ['flow', flow], 5: ['sig', 'bytes'], 6: ['before', 'bytes'], 7: ['payload', 'bytes'],
};

// decode reads a message into out, or throws. A field of another wire type than
// its own is unknown, a message that comes twice is merged.
function decode(fields, b, out = {}, depth = 0) {
  if (depth > 100) throw new Error('nested too deeply');
  const r = new BinaryReader(b);
  while (r.pos < r.len) {
    const [number, wire] = r.tag();
    const [name, kind, list] = fields[number] || [];
    if (!kind || wire !== ({ varint: 0, double: 1 }[kind] ?? 2)) r.skip(wire, number);
    else if (kind === 'varint') out[name] = r.uint64();
    else if (kind === 'double') out[name] = r.double();
    else if (kind === 'bytes') out[name] = r.bytes();
    else if (kind === 'string') out[name] = r.string(true);
    else if (list) (out[name] ||= []).push(decode(kind, r.bytes(), {}, depth + 1));
    else out[name] = decode(kind, r.bytes(), kind === pair ? {} : out[name], depth + 1);
  }
  return out;
}

const attempt = (fields, b) => { try { return decode(fields, b); } catch { return null; } };

const devicesOf = (u) => [...u.device ? [u.device] : [], ...u.batch?.devices || []];
const some = (devices) => devices.some((d) => d.events?.some((e) => e.metric));

// open finds the metrics of a row: in the payload of an envelope, or in a
// universal envelope as it is.
function open(blob) {
  const outer = attempt(envelope, blob);
  if (outer?.payload?.length) {
    const inner = attempt(universal, outer.payload);
    let devices = inner ? devicesOf(inner) : [];
    if (!some(devices)) {
      const one = attempt(device, outer.payload);
      if (one?.id) devices = [one];
    }
    if (some(devices)) return { devices, flow: Boolean(outer.flow) };
  }
  const whole = attempt(universal, blob);
  if (whole) return { devices: devicesOf(whole), flow: Boolean(outer?.flow || whole.flow) };
  return outer && { devices: [], flow: Boolean(outer.flow) };
}

// Names of SNMP objects by the metrics they are, with what to multiply by.
const objects = {
  sysuptime: ['sys_uptime_sec', 0.01], hrmemorysize: ['memory_total_kb', 1], ifinoctets: ['net_bytes_in', 1],
  ifoutoctets: ['net_bytes_out', 1], ifinerrors: ['net_errors_in', 1], ifouterrors: ['net_errors_out', 1],
};

// number returns that of a metric, undefined for none: one whose value is not
// set at all is the 0 that the format leaves out.
function number(m) {
  if (!m?.name) return undefined;
  if (m.number !== undefined) return Number.isFinite(m.number) ? m.number : undefined;
  if (m.bool !== undefined) return m.bool ? 1 : 0;
  return m.string !== undefined || m.binary !== undefined ? undefined : 0;
}

const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

// Collector gathers samples from rows, and counts what they were.
export class Collector {
  constructor(table, counters) {
    Object.assign(this, { table, counters: new Set(counters), header: [], index: new Map(), samples: [] });
    this.count = { rows: 0, decodable: 0, withMetrics: 0, stubs: 0, empty: 0, corrupt: 0, undecodable: 0 };
  }

  oversized() { this.count.rows++; this.count.corrupt++; }

  row(idem, nanos, blob, sum) {
    const c = this.count;
    c.rows++;
    if (blob.length > maxBlob || !same(sum, blake2b(blob, { dkLen: 32 })) && !same(sum, blob)) { c.corrupt++; return; }
    const found = open(blob);
    if (!found) { c.undecodable++; return; }
    c.decodable++;
    const before = this.samples.length;
    for (const d of found.devices) this.device(d, idem, nanos);
    if (this.samples.length > before) c.withMetrics++;
    else if (found.flow) c.stubs++;
    else c.empty++;
    if (this.samples.length * this.header.length > maxCells) throw new Error(`more than ${maxCells} values: split the database or export it with cloister telemetry ingest`);
  }

  // device adds one sample for each time that the events of a message name. A
  // counter that occurs several times at one time adds up, anything else
  // becomes the mean.
  device(d, idem, nanos) {
    const name = (d.id || '').trim() || idem.split('_')[0];
    const groups = new Map();
    for (const e of d.events || []) {
      let v = number(e.metric);
      if (v === undefined) continue;
      let at = nanos;
      for (const t of [d.time, e.time]) if (t > 0n && t < 0x7fffffffffffffffn) at = t;
      let key = e.metric.name.trim().toLowerCase().replace(/[ -]/g, '_');
      if (Object.hasOwn(objects, key)) {
        v *= objects[key][1];
        key = objects[key][0];
      }
      let i = this.index.get(key);
      if (i === undefined) {
        if (!key || this.header.length === maxColumns) continue;
        i = this.header.push(key) - 1;
        this.index.set(key, i);
      }
      const time = Number(at / 1000000n);
      let g = groups.get(time);
      if (!g) groups.set(time, g = { cells: new Map(), synthetic: false });
      const [total, n] = g.cells.get(i) || [0, 0];
      g.cells.set(i, [total + v, n + 1]);
      g.synthetic ||= Boolean(e.synthetic);
    }
    for (const millis of [...groups.keys()].sort((a, b) => a - b)) {
      const g = groups.get(millis), values = new Float64Array(this.header.length).fill(NaN);
      for (const [i, [total, n]] of g.cells) values[i] = this.counters.has(this.header[i]) ? total : total / n;
      this.samples.push({ device: name, millis, synthetic: g.synthetic, values });
    }
  }

  // order returns the columns: known metrics in their order, then the others.
  order(known) {
    const rank = new Map(known.map((n, i) => [n, i]));
    return this.header.map((_, i) => i).sort((i, j) => {
      const a = this.header[i], b = this.header[j], x = rank.get(a) ?? Infinity, y = rank.get(b) ?? Infinity;
      return x === y ? (a < b ? -1 : 1) : x - y;
    });
  }

  report() {
    const c = this.count;
    return `table ${this.table}: ${c.rows} rows, ${c.decodable} decodable, ${c.withMetrics} with metrics, ${c.stubs} flow stubs, ${c.empty} empty, ${c.corrupt} corrupt, ${c.undecodable} undecodable`;
  }

  // nothing says why there is no sample.
  nothing() {
    const c = this.count;
    const why = !c.rows ? 'the table is empty'
      : c.stubs === c.rows ? 'every row is a flow record that stands for telemetry which the agent did not store'
        : c.corrupt === c.rows ? 'no checksum fits' : 'no row has a metric';
    return `${why} (${this.report()})`;
  }
}

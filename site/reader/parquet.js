// A Parquet file is read page by page, all flat columns side by side, so that
// memory is bounded by pages, not by row groups. Footer, plain and delta values
// and codecs are those of hyparquet; levels and runs are decoded here, with the
// bounds that a hostile file needs.
import { decompressBrotli } from 'hyparquet-compressors/src/brotli.js';
import { gunzip } from 'hyparquet-compressors/src/gzip.js';
import { decompressLz4, decompressLz4Raw } from 'hyparquet-compressors/src/lz4.js';
import { parquetHeader } from 'hyparquet/src/column.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { byteStreamSplit } from 'hyparquet/src/encoding.js';
import { parquetMetadataAsync } from 'hyparquet/src/metadata.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { snappyUncompressor } from 'hysnappy';
import { Rows, bigEndian, decimal, float, floorDiv, micros } from './cells.js';
import { unzip } from './zstd.js';

const maxColumns = 10_000; // that of cloister/builder/internal/parquet
const maxFooter = 64 << 20; // bytes
const maxPage = 128 << 20; // bytes, unpacked
const maxHeld = 512 << 20; // bytes of pages, of all columns, values as they are kept
const maxValues = 64 << 20; // of one page
const aheadBytes = 256 << 10; // what is read of a column at once
const batchRows = 4096;

// Each takes packed bytes and how many there are unpacked.
const codecs = {
  SNAPPY: snappyUncompressor(), GZIP: (packed, n) => gunzip(packed, new Uint8Array(n)), BROTLI: decompressBrotli,
  LZ4: decompressLz4, LZ4_RAW: decompressLz4Raw, ZSTD: unzip,
};
const read = async (file, from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer());

// openParquet reads the footer of a file and returns a table.
export async function openParquet(file) {
  const end = new DataView((await read(file, Math.max(0, file.size - 8), file.size)).buffer);
  if (end.byteLength < 8 || end.getUint32(4, true) !== 0x31524150) throw new Error('no PAR1 at the end: the file was cut short');
  const footer = end.getUint32(0, true);
  if (footer > maxFooter || footer > file.size - 12) throw new Error(`a footer of ${footer} bytes in a file of ${file.size}`);
  const whole = { byteLength: file.size, slice: (from, to) => file.slice(from, to).arrayBuffer() };
  const raw = new Proxy({}, { get: () => (v) => v }); // statistics stay as they are
  const meta = await parquetMetadataAsync(whole, { parsers: raw, geoparquet: false });
  return new Table(file, meta);
}

// flat returns the elements of the columns that hold plain values, each with
// the number of its leaf.
function flat(schema) {
  const out = [];
  let leaf = 0;
  const leaves = (at) => { // of the element there; returns the next element
    const e = schema[at];
    if (!e) throw new Error('the schema ends early');
    if (!e.num_children) { leaf++; return at + 1; }
    let next = at + 1;
    for (let i = 0; i < e.num_children; i++) next = leaves(next);
    return next;
  };
  for (let at = 1, i = 0; i < (schema[0]?.num_children || 0); i++) {
    const e = schema[at];
    if (e && !e.num_children && e.repetition_type !== 'REPEATED') out.push({ ...e, leaf });
    at = leaves(at);
  }
  if (out.length > maxColumns) throw new Error(`${out.length} columns, more than ${maxColumns}`);
  return out;
}

class Table {
  constructor(file, meta) {
    this.file = file;
    this.elements = flat(meta.schema);
    this.header = this.elements.map((e) => e.name);
    this.groups = meta.row_groups;
    this.ends = [];
    this.rows = 0;
    for (const [i, g] of this.groups.entries()) {
      const n = Number(g.num_rows);
      if (!(n >= 0 && this.rows + n <= Number.MAX_SAFE_INTEGER)) throw new Error(`row group ${i} has ${g.num_rows} rows`);
      this.ends.push(this.rows += n);
    }
    this.kind = 'Parquet';
    this.note = '';
    this.group = -1;
    this.columns = [];
    this.row = 0; // the next one
  }

  // read returns rows from `from` on, of one row group.
  async read(from) {
    const group = this.ends.findIndex((end) => end > from);
    if (group < 0) throw new Error(`row ${from} of ${this.rows}`);
    if (group !== this.group || from < this.row) {
      const chunks = this.groups[group].columns;
      this.columns = this.elements.map((e) => new Column(this.file, e, chunks[e.leaf], this));
      this.group = group;
      this.row = group ? this.ends[group - 1] : 0;
      this.held = 0;
    }
    const end = Math.min(this.ends[group], from + batchRows);
    const out = new Rows();
    for (; this.row < end && !out.full; this.row++) {
      for (const c of this.columns) {
        if (c.i === c.n) await c.fill();
        const cell = c.next();
        if (this.row >= from) out.cell(cell);
      }
    }
    return { bytes: out.bytes(), rows: this.row - from };
  }
}

// Column is where decoding stands in a column of a row group.
class Column {
  constructor(file, element, chunk, table) {
    const m = chunk?.meta_data;
    if (!m) throw new Error(`column ${element.name.slice(0, 64)} has no data`);
    if (chunk.file_path) throw new Error('the data lie in another file');
    if (m.type !== element.type) throw new Error(`column ${element.name.slice(0, 64)} is ${m.type}, the schema says ${element.type}`);
    Object.assign(this, { file, element, table, codec: m.codec, text: textOf(element) });
    const dictionary = Number(m.dictionary_page_offset || 0n), data = Number(m.data_page_offset);
    this.at = dictionary > 0 && dictionary < data ? dictionary : data;
    this.end = this.at + Number(m.total_compressed_size);
    if (!(this.at >= 4 && this.end >= this.at && this.end <= file.size)) throw new Error(`column ${element.name.slice(0, 64)} lies at ${this.at} to ${this.end} of ${file.size}`);
    this.ahead = new Uint8Array(0); // bytes of the file from at on
    this.dictionary = null;
    this.n = this.i = this.v = 0; // of the page: values, the next one, the next one that is not null
    this.held = this.words = 0; // bytes, of the page and of the dictionary
  }

  fail(what) { throw new Error(`column ${this.element.name.slice(0, 64)}, byte ${this.at}: ${what}`); }

  // need reads until n bytes from at on are there, if the column has them.
  async need(n) {
    if (this.ahead.length >= n) return;
    this.ahead = await read(this.file, this.at, Math.min(this.end, this.at + Math.max(n, aheadBytes)));
  }

  next() {
    const i = this.i++;
    if (this.levels && !this.levels[i]) return null;
    const v = this.v++;
    return this.indices ? this.dictionary[this.indices[v]] : this.text(this.values[v]);
  }

  // fill decodes pages up to the next one with values.
  async fill() {
    do {
      if (this.at >= this.end) this.fail('unexpected end of the column');
      let header, reader;
      for (let size = 16 << 10; ; size *= 8) {
        await this.need(size);
        reader = { view: new DataView(this.ahead.buffer, this.ahead.byteOffset, this.ahead.length), offset: 0 };
        try {
          header = parquetHeader(reader);
          break;
        } catch (e) {
          if (size > this.end - this.at || size > 16 << 20) this.fail(e.message);
        }
      }
      const packed = header.compressed_page_size, unpacked = header.uncompressed_page_size;
      if (!(packed >= 0 && unpacked >= 0 && unpacked <= maxPage && this.at + reader.offset + packed <= this.end)) this.fail(`a page of ${packed} bytes, ${unpacked} unpacked, at most ${maxPage}`);
      await this.need(reader.offset + packed);
      const body = this.ahead.subarray(reader.offset, reader.offset + packed);
      this.account(header);
      try {
        this.page(header, body);
      } catch (e) {
        if (e.message.startsWith('column ')) throw e;
        this.fail(e.message);
      }
      this.ahead = this.ahead.subarray(reader.offset + packed);
      this.at += reader.offset + packed;
    } while (this.i === this.n);
  }

  // account refuses pages whose values would not fit with those of the others.
  account({ uncompressed_page_size: size, dictionary_page_header: words, data_page_header: one, data_page_header_v2: two }) {
    const { num_values: n, encoding } = words || one || two || { num_values: 0 };
    if (!(n >= 0 && n <= maxValues)) this.fail(`a page of ${n} values, at most ${maxValues}`);
    const each = this.element.type.endsWith('BYTE_ARRAY') && !encoding?.endsWith('RLE_DICTIONARY') ? 100 : 9;
    const takes = size + n * each, was = words ? this.words : this.held;
    if (words) this.words = takes;
    else this.held = takes;
    this.table.held += takes - was;
    if (this.table.held > maxHeld) this.fail(`the pages of all columns take more than ${maxHeld} bytes`);
  }

  unpack(bytes, n) {
    if (this.codec === 'UNCOMPRESSED') return bytes;
    const codec = codecs[this.codec];
    if (!codec) this.fail(`codec ${this.codec}`);
    const out = codec(bytes, n);
    if (out.length !== n) this.fail(`${out.length} bytes unpacked, the header says ${n}`);
    return out;
  }

  page(header, body) {
    const size = header.uncompressed_page_size, optional = this.element.repetition_type !== 'REQUIRED';
    const { data_page_header: one, data_page_header_v2: two, dictionary_page_header: words } = header;
    this.i = this.n = this.v = 0;
    if (header.type === 'DICTIONARY_PAGE') {
      if (!words) this.fail('a dictionary without a header');
      const reader = view(this.unpack(body, size));
      const values = this.plain(reader, words.num_values);
      this.dictionary = Array.from(values, (v) => this.text(v));
      return;
    }
    if (header.type === 'DATA_PAGE' && one) {
      const reader = view(this.unpack(body, size));
      this.levels = null;
      if (optional) {
        if (one.definition_level_encoding !== 'RLE') this.fail(`levels in ${one.definition_level_encoding}`);
        const length = reader.view.getUint32(reader.offset, true);
        this.levels = runs(section(reader, 4, length), 1, one.num_values);
      }
      this.decode(reader, one.encoding, one.num_values);
      return;
    }
    if (header.type === 'DATA_PAGE_V2' && two) {
      const repeated = two.repetition_levels_byte_length, defined = two.definition_levels_byte_length;
      if (!(repeated >= 0 && defined >= 0 && repeated + defined <= body.length)) this.fail('levels longer than the page');
      this.levels = optional && defined ? runs(view(body.subarray(repeated, repeated + defined)), 1, two.num_values) : null;
      const rest = body.subarray(repeated + defined);
      this.decode(view(two.is_compressed ? this.unpack(rest, size - repeated - defined) : rest), two.encoding, two.num_values);
      return;
    }
    if (header.type !== 'INDEX_PAGE') this.fail(`a page of kind ${header.type}`);
  }

  // decode reads the values of a page of n, nulls included.
  decode(reader, encoding, n) {
    let some = n;
    if (this.levels) {
      some = 0;
      for (let i = 0; i < n; i++) some += this.levels[i];
    }
    this.indices = this.values = null;
    const { type } = this.element;
    switch (encoding) {
      case 'PLAIN':
        this.values = this.plain(reader, some);
        break;
      case 'PLAIN_DICTIONARY':
      case 'RLE_DICTIONARY': {
        if (!this.dictionary) this.fail('no dictionary');
        const width = some ? reader.view.getUint8(reader.offset++) : 0;
        if (width > 32) this.fail(`${width} bits for a word of the dictionary`);
        this.indices = runs(reader, width, some);
        for (const i of this.indices) if (i >= this.dictionary.length) this.fail(`word ${i} of a dictionary of ${this.dictionary.length}`);
        break;
      }
      case 'RLE':
        if (type !== 'BOOLEAN') this.fail(`${type} in RLE`);
        this.values = runs(section(reader, 4, reader.view.getUint32(reader.offset, true)), 1, some);
        break;
      case 'BYTE_STREAM_SPLIT':
        if (some * (this.element.type_length || 4) > reader.view.byteLength - reader.offset) this.fail('fewer values than the header says');
        this.values = byteStreamSplit(reader, some, type, this.element.type_length);
        break;
      case 'DELTA_BINARY_PACKED':
        this.values = type === 'INT32' ? new Int32Array(some) : new BigInt64Array(some);
        if (some) deltaBinaryUnpack(reader, some, this.values);
        break;
      case 'DELTA_LENGTH_BYTE_ARRAY':
        this.values = slices(reader, lengths(reader, some));
        break;
      case 'DELTA_BYTE_ARRAY': {
        const same = lengths(reader, some);
        this.values = shared(same, slices(reader, lengths(reader, some)));
        break;
      }
      default:
        this.fail(`encoding ${encoding}`);
    }
    this.n = n;
  }

  plain(reader, n) {
    const { type, type_length: length } = this.element;
    const least = { BOOLEAN: 1 / 8, INT32: 4, INT64: 8, INT96: 12, FLOAT: 4, DOUBLE: 8, BYTE_ARRAY: 4, FIXED_LEN_BYTE_ARRAY: length }[type];
    if (n * least > reader.view.byteLength - reader.offset) this.fail('fewer values than the header says');
    return readPlain(reader, type, n, length);
  }
}

const view = (b) => ({ view: new DataView(b.buffer, b.byteOffset, b.length), offset: 0 });

// section takes the next length bytes, which come after skip others.
function section(reader, skip, length) {
  const { view: v, offset } = reader;
  if (offset + skip + length > v.byteLength) throw new Error('levels longer than the page');
  reader.offset += skip + length;
  return { view: new DataView(v.buffer, v.byteOffset + offset + skip, length), offset: 0 };
}

// runs decodes n values of some bits: the hybrid of run lengths and bit packing
// of the format's Encodings.md.
function runs({ view: v, offset: at }, bits, n) {
  const out = bits > 1 ? new Uint32Array(n) : new Uint8Array(n);
  if (!bits) return out;
  const width = bits + 7 >> 3;
  for (let i = 0; i < n;) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      const b = v.getUint8(at++);
      head += (b & 127) * 2 ** shift;
      if (b < 128) break;
      if (shift > 28) throw new Error('a run without an end');
    }
    if (head % 2) {
      let left = Math.min((head - 1) / 2 * 8, n - i);
      const start = at;
      for (let bit = 0; left > 0; left--, bit += bits) {
        let value = 0;
        for (let got = 0; got < bits;) {
          const from = bit + got, take = Math.min(8 - from % 8, bits - got);
          value += (v.getUint8(start + Math.floor(from / 8)) >> from % 8 & (1 << take) - 1) * 2 ** got;
          got += take;
        }
        out[i++] = value;
      }
      at = start + (head - 1) / 2 * bits;
    } else {
      let value = 0;
      for (let k = 0; k < width; k++) value += v.getUint8(at++) * 2 ** (8 * k);
      const end = Math.min(n, i + head / 2);
      out.fill(value, i, end);
      i = end;
    }
  }
  return out;
}

function lengths(reader, n) {
  const out = new Int32Array(n);
  if (n) deltaBinaryUnpack(reader, n, out);
  return out;
}

// slices takes byte strings of these lengths, one after the other.
function slices(reader, list) {
  const { view: v } = reader, out = new Array(list.length);
  for (let i = 0; i < list.length; i++) {
    if (list[i] < 0 || reader.offset + list[i] > v.byteLength) throw new Error(`a text of ${list[i]} bytes`);
    out[i] = new Uint8Array(v.buffer, v.byteOffset + reader.offset, list[i]);
    reader.offset += list[i];
  }
  return out;
}

// shared puts before each byte string what it has in common with the one before.
function shared(same, rest) {
  let before = new Uint8Array(0), total = 0;
  return rest.map((own, i) => {
    if (same[i] < 0 || same[i] > before.length) throw new Error(`${same[i]} bytes in common with a text of ${before.length}`);
    total += same[i];
    if (total > maxPage) throw new Error(`texts of more than ${maxPage} bytes`);
    if (same[i]) {
      const both = new Uint8Array(same[i] + own.length);
      both.set(before.subarray(0, same[i]));
      both.set(own, same[i]);
      own = both;
    }
    return before = own;
  });
}

// textOf returns how values of a column are written.
function textOf({ type, converted_type: converted, logical_type: logical, scale, type_length: length }) {
  const kind = logical?.type, unit = logical?.unit;
  const time = { MILLIS: 3, MICROS: 6, NANOS: 9 };
  const stamp = { MILLIS: (v) => micros(BigInt(v) * 1000n), MICROS: (v) => micros(v), NANOS: (v) => micros(floorDiv(BigInt(v), 1000n)) };
  const number = (v) => typeof v === 'bigint' || typeof v === 'number' ? BigInt(v) : bigEndian(v);
  if (converted === 'DECIMAL' || kind === 'DECIMAL') return (v) => decimal(number(v), logical?.scale ?? scale ?? 0);
  switch (type) {
    case 'BOOLEAN':
      return (v) => v ? 'true' : 'false';
    case 'FLOAT':
    case 'DOUBLE':
      return float;
    case 'INT96': // days since 4713 BC above, nanoseconds of the day below
      return (v) => stamp.NANOS(((v >> 64n) - 2440588n) * 86400000000000n + (v & 0xffffffffffffffffn));
    case 'INT32':
    case 'INT64':
      break;
    case 'FIXED_LEN_BYTE_ARRAY':
      if (kind === 'FLOAT16') return (v) => float(half(v));
      if (kind === 'UUID') return uuid;
      return (v) => btoa(String.fromCharCode(...v));
    default:
      return (v) => v;
  }
  if (kind === 'TIMESTAMP' && unit) return stamp[unit];
  if (converted?.startsWith('TIMESTAMP_')) return stamp[converted.slice(10)];
  if (kind === 'DATE' || converted === 'DATE') return (v) => String(BigInt(v) * 86400000n);
  if (kind === 'TIME' && unit || converted?.startsWith('TIME_')) return (v) => clock(BigInt(v), time[unit || converted.slice(5)]);
  const bits = logical?.bitWidth || Number(/^U?INT_(\d+)$/.exec(converted)?.[1] || length || 64);
  const signed = kind === 'INTEGER' ? logical.isSigned : !converted?.startsWith('U');
  if (bits >= (type === 'INT32' ? 32 : 64) && signed) return String;
  return (v) => String((signed ? BigInt.asIntN : BigInt.asUintN)(bits, BigInt(v)));
}

// clock returns a time of day with so many digits of the second's fraction.
function clock(v, digits) {
  const unit = 10n ** BigInt(digits), two = (n) => String(n).padStart(2, '0');
  const s = v / unit;
  return `${two(s / 3600n)}:${two(s / 60n % 60n)}:${two(s % 60n)}.${String(v % unit).padStart(digits, '0')}`;
}

const hex = Array.from({ length: 256 }, (_, b) => b.toString(16).padStart(2, '0'));
const uuid = (v) => Array.from(v, (b) => hex[b]).join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

function half([low, high]) {
  const bits = high << 8 | low, e = bits >> 10 & 31, f = bits & 1023, sign = bits >> 15 ? -1 : 1;
  if (e === 31) return f ? NaN : sign * Infinity;
  return sign * (e ? 2 ** (e - 15) * (1 + f / 1024) : f * 2 ** -24);
}

// Cells are texts as cloister/shared/ingest wants them from a table that
// somebody else decodes. What is written here is written there by Go's strconv,
// to the same bytes.

const text = new TextEncoder();

// float returns the shortest decimal that reads back to v, as 'g' of strconv.
export function float(v) {
  if (v !== v) return 'NaN';
  if (v === Infinity) return '+Inf';
  if (v === -Infinity) return '-Inf';
  if (v === 0) return Object.is(v, -0) ? '-0' : '0';
  const size = Math.abs(v);
  if (size >= 1e-4 && size < 1e6) return plain(v);
  const [digits, exponent] = v.toExponential().split('e');
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

// plain returns the same without an exponent, for |v| in [1e-6, 1e21) or 0.
export const plain = (v) => String(v);

// micros returns a time in microseconds since 1970 in milliseconds.
export const micros = (v) => plain(Number(v) / 1000);

export const floorDiv = (a, b) => (a - ((a % b) + b) % b) / b;

// decimal returns an integer with its point moved left by scale digits.
export function decimal(v, scale) {
  if (scale <= 0) return String(v * 10n ** BigInt(-scale));
  const digits = String(v < 0n ? -v : v).padStart(scale + 1, '0');
  return `${v < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

// bigEndian returns the two's complement number of some bytes.
export function bigEndian(bytes) {
  let v = 0n;
  for (const b of bytes) v = v << 8n | BigInt(b);
  return BigInt.asIntN(8 * bytes.length, v);
}

// Rows collects the cells of rows in the form of an answer.
export class Rows {
  constructor() {
    this.buffer = new Uint8Array(1 << 20);
    this.n = 0;
  }

  // cell adds a text, bytes, or null.
  cell(v) {
    if (v === null || v === undefined) return this.length(0);
    if (typeof v !== 'string') {
      this.length(v.length + 1);
      this.room(v.length);
      this.buffer.set(v, this.n);
      this.n += v.length;
      return;
    }
    this.room(v.length + 1);
    if (v.length < 127) {
      let i = 0;
      for (; i < v.length; i++) {
        const c = v.charCodeAt(i);
        if (c > 126) break;
        this.buffer[this.n + 1 + i] = c;
      }
      if (i === v.length) {
        this.buffer[this.n] = i + 1;
        this.n += i + 1;
        return;
      }
    }
    this.cell(text.encode(v));
  }

  length(v) {
    this.room(8);
    for (; v > 127; v = Math.floor(v / 128)) this.buffer[this.n++] = v & 127 | 128;
    this.buffer[this.n++] = v;
  }

  room(n) {
    if (this.n + n <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.buffer.length, this.n + n));
    larger.set(this.buffer);
    this.buffer = larger;
  }

  get full() { return this.n >= 1 << 19; }

  // bytes returns what was collected, which the collector then has no more.
  bytes() { return this.buffer.subarray(0, this.n).slice(); }
}

// Unpacker unpacks zstd block by block: RFC 8878. Frames and their limits are
// read here; what is in them, checksums too, is for zstddec, the reference
// decoder in WebAssembly, which refuses all damage that can be seen.
import { ZSTDDecoder } from 'zstddec/stream';

const maxWindow = 128 << 20; // what the zstd command allows without --long
const maxBlock = 128 << 10; // section 3.1.1.2.3
const answerBytes = 1 << 20;

const decoder = new ZSTDDecoder();
// Where nothing can be fetched it takes its program from what Node has.
const lent = !self.Buffer;
if (lent) self.Buffer = { from: (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)) };
// ready is to be awaited before anything is unpacked.
export const ready = decoder.init();
if (lent) delete self.Buffer;

const le = (b, at, n) => { let v = 0; for (let i = n - 1; i >= 0; i--) v = v * 256 + b[at + i]; return v; };

// Content unpacks one frame, given in pieces. After an error the decoder gives
// nothing, as often as it is asked, and keeps what it holds: whoever asked for
// the file ends this realm (wasm/internal/unpack).
class Content {
  constructor() {
    const waiting = this.waiting = [];
    const next = () => (waiting.length ? { value: waiting.shift() } : { done: true });
    this.pieces = decoder.decodeStreaming({ [Symbol.iterator]: () => ({ next }) });
  }

  // push takes the next bytes, the frame's last ones if so said, and calls emit
  // with what they hold, or, before the last ones, with what those before did.
  push(bytes, last, emit) {
    this.waiting.push(bytes);
    for (let idle = 0; this.waiting.length || last;) {
      const had = this.waiting.length, { value, done } = this.pieces.next();
      if (done) return;
      if (value.length) emit(value);
      idle = value.length || this.waiting.length < had ? 0 : idle + 1;
      if (idle > 2) throw new Error('data corruption detected');
    }
  }

  // free gives back what the decoder holds for a frame that is not read on.
  free() {
    try {
      this.push(new Uint8Array(0), true, () => {});
    } catch { /* the frame is not whole */ }
  }
}

export class Unpacker {
  constructor() {
    this.held = new Uint8Array(0); // packed bytes not used yet
    this.at = 0; // where the next one lies in the file
    this.skip = 0; // bytes of a skippable frame to come
    this.frame = null;
  }

  fail(what) { throw new Error(`packed byte ${this.at}: ${what}`); }

  // read takes more packed bytes and returns at least answerBytes of unpacked
  // ones, or as many as there are: {bytes, hungry, done}.
  read(bytes, last) {
    if (bytes?.length) this.held = this.held.length ? joined([this.held, bytes], this.held.length + bytes.length) : bytes;
    const out = [];
    let n = 0, hungry = false;
    while (n < answerBytes && !(hungry = !this.step((piece) => { out.push(piece); n += piece.length; })));
    const done = hungry && last && !this.frame && !this.skip && !this.held.length;
    if (hungry && last && !done) this.fail('unexpected EOF');
    return { bytes: joined(out, n), hungry: hungry && !last, done };
  }

  use(n) {
    this.held = this.held.subarray(n);
    this.at += n;
  }

  // step reads one header or block, and returns false if it is not all there.
  step(emit) {
    if (this.skip) {
      const n = Math.min(this.skip, this.held.length);
      this.use(n);
      this.skip -= n;
      return n > 0;
    }
    return this.frame ? this.block(emit) : this.header();
  }

  // header reads that of a frame: section 3.1.1.1.
  header() {
    const b = this.held;
    if (b.length < 8) return false; // the shortest frame has more
    const magic = le(b, 0, 4);
    if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) {
      this.skip = le(b, 4, 4);
      this.use(8);
      return true;
    }
    if (magic !== 0xfd2fb528) this.fail('magic number mismatch');
    const flags = b[4], single = flags >> 5 & 1;
    const idBytes = [0, 1, 2, 4][flags & 3], sizeBytes = [single, 2, 4, 8][flags >> 6];
    const length = 6 - single + idBytes + sizeBytes;
    if (b.length < length) return false;
    if (flags & 8) this.fail('reserved bit set on frame header');
    if (le(b, 6 - single, idBytes)) this.fail('unknown dictionary');
    const size = sizeBytes ? le(b, 6 - single + idBytes, sizeBytes) + (sizeBytes === 2 ? 256 : 0) : -1;
    const window = single ? size : 2 ** (10 + (b[5] >> 3)) * (1 + (b[5] & 7) / 8);
    if (window > maxWindow) this.fail(`window size exceeded: ${window} bytes, at most ${maxWindow}`);
    this.frame = { size, most: Math.min(maxBlock, Math.max(window, 1024)), tail: flags & 4, n: 0, content: new Content() };
    this.frame.content.push(b.slice(0, length), false);
    this.use(length);
    return true;
  }

  // block reads one block, and the checksum after the last: section 3.1.1.2.
  block(emit) {
    const f = this.frame, b = this.held;
    if (b.length < 3) return false;
    const head = le(b, 0, 3), last = Boolean(head & 1), type = head >> 1 & 3, size = head >> 3;
    if (type === 3) this.fail('reserved block type encountered');
    if (size > f.most) this.fail(`block of ${size} bytes`);
    const length = 3 + (type === 1 ? 1 : size) + (last ? f.tail : 0);
    if (b.length < length) return false;
    try {
      f.content.push(b.slice(0, length), last, (piece) => {
        f.n += piece.length;
        if (f.size >= 0 && f.n > f.size) throw new Error(`more content than the ${f.size} bytes of the header`);
        emit(piece);
      });
    } catch (e) {
      this.fail(e.message);
    }
    if (last) {
      if (f.size >= 0 && f.n !== f.size) this.fail(`${f.n} bytes of content, the header has ${f.size}`);
      this.frame = null;
    }
    this.use(length);
    return true;
  }

  // free gives back what a file takes up that is not read to its end.
  free() { this.frame?.content.free(); }
}

// joined returns pieces of n bytes in all as one that is no part of another.
export function joined(pieces, n) {
  const out = new Uint8Array(n);
  let at = 0;
  for (const p of pieces) { out.set(p, at); at += p.length; }
  return out;
}

// unzip unpacks what must give n bytes.
export function unzip(packed, n) {
  const u = new Unpacker(), out = [];
  let got = 0;
  for (let a = u.read(packed, true); ; a = u.read(null, true)) {
    out.push(a.bytes);
    got += a.bytes.length;
    if (got > n) throw new Error(`more than ${n} bytes`);
    if (a.done) return joined(out, got);
  }
}

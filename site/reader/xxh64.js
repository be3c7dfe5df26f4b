// XXH64 is the checksum of zstd frames, with seed 0: XXH64 of the xxHash
// specification 0.1.1, section 3. 64-bit numbers are two 32-bit halves, since
// BigInt is an order of magnitude slower.
const P1 = [0x9e3779b1, 0x85ebca87], P2 = [0xc2b2ae3d, 0x27d4eb4f], P3 = [0x165667b1, 0x9e3779f9];
const P4 = [0x85ebca77, 0xc2b2ae63], P5 = [0x27d4eb2f, 0x165667c5];

// A number is {h, l}; these change it in place.
class Wide {
  constructor(h, l) { this.h = h | 0; this.l = l | 0; }
  add(h, l) {
    const low = (this.l >>> 0) + (l >>> 0);
    this.h = this.h + h + (low > 0xffffffff ? 1 : 0) | 0;
    this.l = low | 0;
  }
  mul([h, l]) {
    const a0 = this.l & 0xffff, a1 = this.l >>> 16, b0 = l & 0xffff, b1 = l >>> 16;
    const low = a0 * b0, middle = a1 * b0 + (low >>> 16), other = a0 * b1 + (middle & 0xffff);
    const high = a1 * b1 + Math.floor(middle / 65536) + Math.floor(other / 65536);
    this.h = high + Math.imul(this.h, l) + Math.imul(this.l, h) | 0;
    this.l = (other & 0xffff) << 16 | low & 0xffff;
  }
  rotate(n) {
    if (n >= 32) { const h = this.h; this.h = this.l; this.l = h; n -= 32; }
    if (!n) return;
    const h = this.h << n | this.l >>> 32 - n;
    this.l = this.l << n | this.h >>> 32 - n;
    this.h = h;
  }
  xorShift(n) { // x ^= x >>> n
    if (n >= 32) { this.l ^= this.h >>> n - 32; return; }
    this.l ^= this.l >>> n | this.h << 32 - n;
    this.h ^= this.h >>> n;
  }
}

const word = new Wide(0, 0);
function round(acc, h, l) {
  word.h = h; word.l = l;
  word.mul(P2);
  acc.add(word.h, word.l);
  acc.rotate(31);
  acc.mul(P1);
}

export class XXH64 {
  constructor() {
    const a = new Wide(...P1), c = new Wide(0, 0), d = new Wide(0, 0);
    a.add(...P2);
    d.add(~P1[0], ~P1[1]);
    d.add(0, 1); // -P1
    this.lanes = [a, new Wide(...P2), c, d];
    this.rest = new Uint8Array(32);
    this.kept = 0;
    this.n = 0;
  }

  update(b) {
    this.n += b.length;
    let i = 0;
    if (this.kept) {
      i = Math.min(32 - this.kept, b.length);
      this.rest.set(b.subarray(0, i), this.kept);
      this.kept += i;
      if (this.kept < 32) return;
      this.stripes(this.rest, 0, 32);
      this.kept = 0;
    }
    const whole = i + (b.length - i & ~31);
    this.stripes(b, i, whole);
    this.rest.set(b.subarray(whole));
    this.kept = b.length - whole;
  }

  stripes(b, from, to) {
    const view = new DataView(b.buffer, b.byteOffset), lanes = this.lanes;
    for (let i = from; i < to; i += 32) {
      for (let k = 0; k < 4; k++) round(lanes[k], view.getInt32(i + 8 * k + 4, true), view.getInt32(i + 8 * k, true));
    }
  }

  // low returns the lower half of the checksum, unsigned.
  low() {
    const h = new Wide(...P5);
    if (this.n >= 32) {
      h.h = h.l = 0;
      const at = [1, 7, 12, 18];
      for (let k = 0; k < 4; k++) {
        const v = new Wide(this.lanes[k].h, this.lanes[k].l);
        v.rotate(at[k]);
        h.add(v.h, v.l);
      }
      for (const lane of this.lanes) {
        const v = new Wide(0, 0);
        round(v, lane.h, lane.l);
        h.h ^= v.h; h.l ^= v.l;
        h.mul(P1);
        h.add(...P4);
      }
    }
    h.add(Math.floor(this.n / 2 ** 32), this.n | 0);
    const view = new DataView(this.rest.buffer);
    let i = 0;
    for (; i + 8 <= this.kept; i += 8) {
      const v = new Wide(0, 0);
      round(v, view.getInt32(i + 4, true), view.getInt32(i, true));
      h.h ^= v.h; h.l ^= v.l;
      h.rotate(27);
      h.mul(P1);
      h.add(...P4);
    }
    if (i + 4 <= this.kept) {
      const v = new Wide(0, view.getInt32(i, true));
      v.mul(P1);
      h.h ^= v.h; h.l ^= v.l;
      h.rotate(23);
      h.mul(P2);
      h.add(...P3);
      i += 4;
    }
    for (; i < this.kept; i++) {
      const v = new Wide(0, this.rest[i]);
      v.mul(P5);
      h.h ^= v.h; h.l ^= v.l;
      h.rotate(11);
      h.mul(P1);
    }
    h.xorShift(33);
    h.mul(P2);
    h.xorShift(29);
    h.mul(P3);
    h.xorShift(32);
    return h.l >>> 0;
  }
}

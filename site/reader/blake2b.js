// BLAKE2b with a digest of 32 bytes and no key: RFC 7693. 64-bit words are pairs
// of 32-bit ones, the lower first.
const iv = new Uint32Array([
  0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a,
  0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19,
]);
const sigma = [ // section 2.7
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4], [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13], [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11], [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5], [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
].map((s) => s.map((i) => 2 * i));
sigma.push(sigma[0], sigma[1]);

const v = new Uint32Array(32), m = new Uint32Array(32);

function add(a, l, h) {
  const low = v[a] + l;
  v[a + 1] += h + (low > 0xffffffff ? 1 : 0);
  v[a] = low;
}

// mix is G of section 3.1 with the words x and y of the message.
function mix(a, b, c, d, x, y) {
  add(a, v[b], v[b + 1]);
  add(a, m[x], m[x + 1]);
  let l = v[d] ^ v[a], h = v[d + 1] ^ v[a + 1];
  v[d] = h; v[d + 1] = l; // by 32
  add(c, v[d], v[d + 1]);
  l = v[b] ^ v[c]; h = v[b + 1] ^ v[c + 1];
  v[b] = l >>> 24 | h << 8; v[b + 1] = h >>> 24 | l << 8;
  add(a, v[b], v[b + 1]);
  add(a, m[y], m[y + 1]);
  l = v[d] ^ v[a]; h = v[d + 1] ^ v[a + 1];
  v[d] = l >>> 16 | h << 16; v[d + 1] = h >>> 16 | l << 16;
  add(c, v[d], v[d + 1]);
  l = v[b] ^ v[c]; h = v[b + 1] ^ v[c + 1];
  v[b] = h >>> 31 | l << 1; v[b + 1] = l >>> 31 | h << 1; // by 63
}

// blake2b256 returns the digest of bytes.
export function blake2b256(bytes) {
  const h = iv.slice(), block = new Uint8Array(128), words = new DataView(block.buffer);
  h[0] ^= 0x01010000 ^ 32;
  for (let at = 0; ; at += 128) {
    const last = at + 128 >= bytes.length, end = Math.min(at + 128, bytes.length);
    block.fill(0);
    block.set(bytes.subarray(at, end));
    for (let i = 0; i < 32; i++) m[i] = words.getUint32(4 * i, true);
    v.set(h);
    v.set(iv, 16);
    v[24] ^= end;
    v[25] ^= Math.floor(end / 2 ** 32);
    if (last) { v[28] = ~v[28]; v[29] = ~v[29]; }
    for (const s of sigma) {
      mix(0, 8, 16, 24, s[0], s[1]); mix(2, 10, 18, 26, s[2], s[3]);
      mix(4, 12, 20, 28, s[4], s[5]); mix(6, 14, 22, 30, s[6], s[7]);
      mix(0, 10, 20, 30, s[8], s[9]); mix(2, 12, 22, 24, s[10], s[11]);
      mix(4, 14, 16, 26, s[12], s[13]); mix(6, 8, 18, 28, s[14], s[15]);
    }
    for (let i = 0; i < 16; i++) h[i] ^= v[i] ^ v[i + 16];
    if (last) break;
  }
  const out = new Uint8Array(32), view = new DataView(out.buffer);
  for (let i = 0; i < 8; i++) view.setUint32(4 * i, h[i], true);
  return out;
}

// Writes numbers.txt: IEEE 754 bits in hex and what JSON.stringify makes of
// them. Run with node 20: node numbers.mjs > numbers.txt
const view = new DataView(new ArrayBuffer(8));
const line = (v) => {
  view.setFloat64(0, v);
  console.log(view.getBigUint64(0).toString(16).padStart(16, "0") + " " + JSON.stringify(v));
};
const edges = [0, -0, 1, -1, 0.1, 0.2, 0.1 + 0.2, 1 / 3, 1e-6, 9.999999999999999e-7, 1e-7, 1.5e-7, 1e20, 1e21,
  999999999999999868928, 123456789012345680000, 1e22, 1e23, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
  9007199254740991, 9007199254740992, 9007199254740994, 4.35, 1e100, 1.25e-100, -1e-9, -1e21];
for (const v of edges) line(v);
// xorshift64*, so that the list is the same each time.
let s = 0x9e3779b97f4a7c15n;
for (let n = 0; n < 300; ) {
  s ^= s >> 12n; s ^= BigInt.asUintN(64, s << 25n); s ^= s >> 27n;
  view.setBigUint64(0, BigInt.asUintN(64, s * 0x2545f4914f6cdd1dn));
  // Every third number keeps a random exponent; the others are near 1.
  if (n % 3) view.setUint16(0, 0x3f00 + (view.getUint16(0) & 0x00ff) * 2);
  const v = view.getFloat64(0);
  if (Number.isFinite(v)) { line(v); n++; }
}

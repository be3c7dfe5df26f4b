// The reader unpacks what the scorer cannot: zstd, Parquet, SQLite. It runs in a
// worker of its own, started by the scorer's worker when such a file comes, so
// that foreign code and hostile files meet in a realm that has nothing but the
// file and answers with bytes. wasm/internal/jsio asks; each question is
// {op, id, ...} and has one answer, {error} or what the function here returns.
// The same question gives the same answer in every browser, and the rows are
// those of cloister/builder/internal/packed, byte for byte.
import { Rows } from './cells.js';
import { openDatabase } from './sqlite.js';
import { openParquet } from './parquet.js';
import { Unpacker, ready } from './zstd.js';

// What is open, by id, the one used last at the end. The program does not say
// when it is done with a file, so the oldest make room.
const open = new Map();
const mostOpen = 4;

function keep(id, what) {
  open.delete(id);
  open.set(id, what);
  if (open.size > mostOpen) {
    const [oldest, old] = open.entries().next().value;
    open.delete(oldest);
    old.free?.();
  }
  return what;
}

// opened describes a table; its bytes are the header, in the form of a row.
function opened({ id }, table) {
  keep(id, table);
  const header = new Rows();
  for (const name of table.header) header.cell(name);
  return { bytes: header.bytes(), rows: table.rows, kind: table.kind, note: table.note };
}

const answers = {
  // unzip takes packed bytes, the last ones if so said, and returns unpacked
  // ones; hungry asks for more, done is the end.
  unzip({ id, bytes, last }) {
    return keep(id, open.get(id) || new Unpacker()).read(bytes, last);
  },
  parquet: async (q) => opened(q, await openParquet(q.files[0])),
  sqlite: async (q) => opened(q, await openDatabase(q.files[0], q.files[1], q.metrics.split(' '), q.counters.split(' '))),
  // rows returns cells from row `from` on: of each row each cell as a number of
  // bytes plus one, 0 for null, and the bytes.
  rows({ id, from }) {
    const table = open.get(id);
    return table ? keep(id, table).read(from) : { gone: true };
  },
};

self.onmessage = async ({ data }) => {
  let answer;
  try {
    await ready;
    answer = await answers[data.op](data);
  } catch (e) {
    answer = { error: String(e?.message || e).slice(0, 500) };
  }
  self.postMessage(answer, answer.bytes ? [answer.bytes.buffer] : []);
};

// Asks the page's reader about files as the page does, in Node: of each line
// {op, files, ...} of standard input the answer goes to <first file>.out, a
// line of JSON and then the bytes: cells for a table, the content for zstd.
//
//	node reader.mjs build/site/reader.js < questions
import { openAsBlob } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

globalThis.self = globalThis;
let answered;
globalThis.postMessage = (a) => answered(a);
(0, eval)(await readFile(process.argv[2], 'utf8'));
const ask = (question) => new Promise((done) => { answered = done; self.onmessage({ data: question }); });

let id = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { op, names, chunk, ...more } = JSON.parse(line);
  const files = await Promise.all(names.map((n) => openAsBlob(n)));
  const pieces = [];
  let said = {};
  id++;
  if (op === 'unzip') {
    const bytes = new Uint8Array(await files[0].arrayBuffer());
    for (let at = 0, hungry = true; !said.done && !said.error;) {
      const take = hungry ? Math.min(chunk, bytes.length - at) : 0;
      at += take;
      said = await ask({ op, id, bytes: bytes.slice(at - take, at), last: at === bytes.length });
      hungry = said.hungry;
      if (said.bytes) pieces.push(said.bytes);
    }
  } else {
    const table = await ask({ op, id, files, ...more });
    said = { error: table.error, rows: table.rows, kind: table.kind, note: table.note };
    if (table.bytes) pieces.push(table.bytes);
    for (let from = 0; from < table.rows && !said.error;) {
      const a = await ask({ op: 'rows', id, from });
      said.error = a.error;
      if (a.bytes) pieces.push(a.bytes);
      from += a.rows;
    }
  }
  delete said.bytes;
  await writeFile(`${names[0]}.out`, Buffer.concat([Buffer.from(JSON.stringify(said) + '\n'), ...pieces]));
}

// node node.mjs WASM_EXEC WORKER PROGRAM BUNDLE runs a program as the page's
// worker would, with the worker's own script, and prints what it posts last.
import { readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';

const [exec, worker, program, bundle] = process.argv.slice(2);
globalThis.self = globalThis;
globalThis.FileReaderSync = class {};
globalThis.addEventListener = () => {};
globalThis.BroadcastChannel = class {
  postMessage() {}
};
globalThis.postMessage = (m) => {
  if (m.wrong === undefined) return;
  console.log(JSON.stringify(m));
  process.exit(0);
};
globalThis.cloisterBundle = new Uint8Array(readFileSync(bundle));
runInThisContext(readFileSync(exec, 'utf8'));
runInThisContext(readFileSync(worker, 'utf8'));
await self.onmessage({ data: { module: await WebAssembly.compile(readFileSync(program)) } });
console.log(JSON.stringify({ wrong: ['the program ended'] }));

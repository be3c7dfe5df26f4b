// A worker in Node: node node.mjs ours WASM_EXEC WORKER WASM, or node node.mjs web FOLDER
// (where onnxruntime-web is installed). JSON lines in and out; time is that of
// the process.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { handle, ours, web } from "./bench.mjs";

console.log = console.error; // standard output is the channel

const clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const memory = (name) => {
  try {
    const m = readFileSync("/proc/self/status", "utf8").match(new RegExp(name + ":\\s+(\\d+)"));
    return m ? 1024 * m[1] : 0;
  } catch {
    return 0;
  }
};
const startPeak = () => {
  globalThis.gc?.();
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {}
  return memory("VmRSS");
};
const read = (path) => new Uint8Array(readFileSync(path));
const write = (path, scores) => writeFileSync(path, new Uint8Array(scores.buffer));

const [kind, first, worker, wasm] = process.argv.slice(2);
let side;
if (kind === "ours") {
  const require = createRequire(import.meta.url);
  require(resolve(first));
  side = await ours(globalThis.Go, readFileSync(worker, "utf8"), readFileSync(wasm));
} else {
  side = web(createRequire(resolve(first, "x.js"))("onnxruntime-web"));
}
for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    const before = startPeak();
    reply = await handle(side, JSON.parse(line), clock, read, write);
    reply.rss = Math.max(0, memory("VmHWM") - before);
  } catch (e) {
    console.error(e);
    reply = { error: String(e?.message ?? e) };
  }
  writeSync(1, JSON.stringify(reply) + "\n");
}
process.exit(0);

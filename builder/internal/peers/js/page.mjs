// A worker in a tab: page.html?ours or page.html?web. The coordinator calls
// request and takes the processor time of the tab from the browser itself;
// the clock here only decides how long to go on.

import { handle, ours, web } from "./bench.mjs";

const clock = () => performance.now() / 1000;
const read = async (path) => {
  const got = await fetch("/files/" + path);
  if (!got.ok) throw new Error(path + ": " + got.status);
  return new Uint8Array(await got.arrayBuffer());
};
const write = async (path, scores) => {
  const got = await fetch("/files/" + path, { method: "PUT", body: scores });
  if (!got.ok) throw new Error(path + ": " + got.status);
};

let side;
if (location.search === "?ours") {
  await import("/wasm_exec.js");
  side = await ours(globalThis.Go, await (await fetch("/worker.js")).text(), await read("peers.wasm"));
} else {
  const ort = await import("/ort/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = "/ort/";
  side = web(ort);
}
// Files are held before the clock starts.
const held = new Map();
globalThis.fetched = async (path) => {
  held.clear();
  held.set(path, await read(path));
};
const take = async (path) => held.get(path) ?? read(path);
globalThis.request = async (r) => {
  try {
    return await handle(side, r, clock, take, write);
  } catch (e) {
    return { error: String(e?.message ?? e) };
  }
};
globalThis.ready = true;

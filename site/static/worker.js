// worker.js starts the scorer in a dedicated worker. The page posts the compiled
// module, so the worker needs no network; its policy allows none.
//
// boot.js joins wasm_exec.js and this file into one blob; loaded from its own
// address, whose response carries the same policy, it fetches the other itself.
'use strict';
if (typeof Go === 'undefined') importScripts('wasm_exec.js');

// The page counts refusals and requests of its workers too.
const sealChannel = new BroadcastChannel('cloister-seal');
self.addEventListener('securitypolicyviolation', (e) => {
  sealChannel.postMessage({ directive: e.effectiveDirective, what: e.blockedURI });
});
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) if (/^https?:/.test(e.name)) sealChannel.postMessage({ what: e.name });
}).observe({ type: 'resource' });

for (const name of ['fetch', 'fetchLater', 'XMLHttpRequest', 'WebSocket', 'WebSocketStream', 'EventSource', 'WebTransport', 'caches', 'indexedDB']) {
  for (let o = self; o; o = Object.getPrototypeOf(o)) delete o[name];
}

self.onmessage = async (first) => {
  self.onmessage = null;
  const go = new Go();
  // The scorer's inner loops are a second module over the program's memory,
  // which exists only once the program does: see wasm/worker/kernel.
  let loops;
  go.importObject.kernel = {};
  for (const { module, name } of WebAssembly.Module.imports(first.data.module)) {
    if (module === 'kernel') go.importObject.kernel[name] = (...a) => loops[name](...a);
  }
  const instance = await WebAssembly.instantiate(first.data.module, go.importObject);
  self.cloisterKernel = (bytes) => {
    try {
      loops = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: instance.exports.mem } }).exports;
    } catch {
      return false; // no vectors here: the program has loops of its own
    }
    return true;
  };
  const reader = new FileReaderSync();
  // cloisterReadInto copies bytes [from, to) of file to address ptr of the
  // program's memory and returns their number. Slices taken through syscall/js
  // would stay alive until Go collects garbage, which a scorer hardly does.
  self.cloisterReadInto = (file, from, to, ptr) => {
    const bytes = new Uint8Array(reader.readAsArrayBuffer(file.slice(from, to)));
    new Uint8Array(instance.exports.mem.buffer, ptr, bytes.length).set(bytes);
    return bytes.length;
  };
  // cloisterMemory is what the program takes up; every message says it.
  self.cloisterMemory = () => instance.exports.mem.buffer.byteLength;
  await go.run(instance);
  self.postMessage({ ended: true }); // the scorer serves for ever: it died
};

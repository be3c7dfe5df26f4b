// worker.js starts the scorer in a dedicated worker. The page posts the compiled
// module, so the worker needs no network; its policy allows none.
//
// boot.js joins confine.js, wasm_exec.js and this file into one blob; loaded from
// its own address, whose response carries the same policy, it fetches the others
// itself.
'use strict';
if (typeof Go === 'undefined') importScripts('confine.js', 'wasm_exec.js');

self.onmessage = async (first) => {
  // Messages that come before the program listens are kept for it.
  self.cloisterEarly = [];
  self.onmessage = (e) => { self.cloisterEarly.push(e.data); };
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
  // would stay alive until Go collects garbage, which a scorer hardly does, and
  // what was read until the browser does, which it puts off for 100 MB: sent to
  // a port that is closed, it is gone at once.
  self.cloisterReadInto = (file, from, to, ptr) => {
    const bytes = new Uint8Array(reader.readAsArrayBuffer(file.slice(from, to)));
    new Uint8Array(instance.exports.mem.buffer, ptr, bytes.length).set(bytes);
    const { length, buffer } = bytes;
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(null, [buffer]);
    port1.close();
    port2.close();
    return length;
  };
  // cloisterReader is the reader of packed files, a worker inside this one that
  // is started by the first question: hostile files meet foreign code there, and
  // nothing else. One question at a time, of plain values, some bytes of the
  // program's memory and the files that it is about.
  let unpacker = null, heard, came;
  const source = first.data.reader; // a port that brings the reader's program
  const program = new Promise((done) => { if (source) source.onmessage = (e) => done(e.data); });
  self.cloisterReader = {
    // ask calls answered(answer, length): the bytes of the answer wait for take.
    async ask(question, from, n, files, answered) {
      heard = answered;
      question.bytes = new Uint8Array(instance.exports.mem.buffer, from, n).slice();
      question.files = files;
      try {
        if (!unpacker) {
          const blob = await program;
          if (!(blob instanceof Blob)) throw new Error(blob);
          unpacker = new Worker(URL.createObjectURL(blob));
          unpacker.onmessage = ({ data }) => {
            came = data.bytes;
            delete data.bytes;
            heard(data, came ? came.length : 0);
          };
          unpacker.onerror = (e) => heard({ error: e.message || 'the reader of packed files did not start' }, 0);
        }
        unpacker.postMessage(question, [question.bytes.buffer]);
      } catch (e) {
        answered({ error: e.message }, 0);
      }
    },
    take(to) {
      new Uint8Array(instance.exports.mem.buffer, to, came.length).set(came);
      came = null;
    },
    stop() {
      unpacker?.terminate();
      unpacker = came = null;
    },
  };
  // cloisterMemory is what the program takes up; every message says it.
  self.cloisterMemory = () => instance.exports.mem.buffer.byteLength;
  await go.run(instance);
  self.postMessage({ ended: true }); // the scorer serves for ever: it died
};

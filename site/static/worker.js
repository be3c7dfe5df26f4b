// worker.js starts the scorer in a dedicated worker. The page posts the compiled
// module, so the worker needs no network; its policy allows none.
//
// boot.js joins confine.js, wasm_exec.js and this file into one blob; loaded from
// its own address, whose response carries the same policy, it fetches the others
// itself.
'use strict';
if (typeof Go === 'undefined') importScripts('confine.js', 'wasm_exec.js');

// cloisterJoin instantiates a program with the scorer's inner loops, a second module
// over the program's memory, which exists only once the program does: see
// wasm/worker/kernel.
const cloisterJoin = async (go, program) => {
  // Those for a row that comes alone, which take one number, are called through a
  // table, which is quicker than by a function here.
  const ofRow = ['forestrow', 'shallowrow', 'evenrow'];
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: ofRow.length });
  const section = (id, ...bytes) => [id, bytes.length, ...bytes];
  const calls = new WebAssembly.Module(new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0,
    ...section(1, 1, 0x60, 1, 0x7f, 0), // type 0: of an i32
    ...section(2, 1, 0, 0, 1, 0x70, 0, ofRow.length), // the table, without a name
    ...section(3, ofRow.length, ...ofRow.map(() => 0)),
    ...section(7, ofRow.length, ...ofRow.flatMap((name, i) => [name.length, ...new TextEncoder().encode(name), 0, i])),
    ...section(10, ofRow.length, ...ofRow.flatMap((_, i) => [9, 0, 0x20, 0, 0x41, i, 0x11, 0, 0, 0x0b])),
  ]));
  let loops;
  go.importObject.kernel = { ...new WebAssembly.Instance(calls, { '': { '': table } }).exports };
  for (const { module, name } of WebAssembly.Module.imports(program)) {
    if (module === 'kernel') go.importObject.kernel[name] ??= (...a) => loops[name](...a);
  }
  const instance = await WebAssembly.instantiate(program, go.importObject);
  self.cloisterKernel = (bytes) => {
    try {
      loops = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: instance.exports.mem } }).exports;
    } catch {
      return false; // no vectors here: the program has loops of its own
    }
    ofRow.forEach((name, i) => table.set(i, loops[name]));
    return true;
  };
  return instance;
};

self.onmessage = async (first) => {
  // Messages that come before the program listens are kept for it.
  self.cloisterEarly = [];
  self.onmessage = (e) => { self.cloisterEarly.push(e.data); };
  const go = new Go();
  const instance = await cloisterJoin(go, first.data.module);
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

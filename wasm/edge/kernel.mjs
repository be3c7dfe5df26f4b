// kernel.mjs gives every Go program that is started after it the scorer's inner
// loops: a second module over the program's memory, which exists only once the
// program does. The platform compiles no module from bytes, so these are
// deployed beside the program; the bytes that the program offers are the same.
// See wasm/worker/kernel.
import './wasm_exec.js';
import kernel from './kernel.wasm';

globalThis.Go = class extends globalThis.Go {
  #loops;

  constructor() {
    super();
    this.importObject.kernel = {};
    for (const { name } of WebAssembly.Module.exports(kernel)) this.importObject.kernel[name] = (...a) => this.#loops[name](...a);
  }

  run(instance, context) {
    // A program asks before it first waits, so this is its own instance's.
    globalThis.cloisterKernel = () => {
      this.#loops = new WebAssembly.Instance(kernel, { env: { memory: instance.exports.mem } }).exports;
      return true;
    };
    return super.run(instance, context);
  }
};

'use strict';
const mount = cloisterDOM.mount;
cloisterDOM.mount = (...args) => globalThis.drawer = mount(...args);
const go = new Go();
WebAssembly.instantiateStreaming(fetch('main.wasm'), go.importObject).then(m => go.run(m.instance));

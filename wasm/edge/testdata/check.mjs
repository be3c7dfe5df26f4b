// check.mjs runs the differential test of wasm/worker/kernel as the deployed
// shim would run its program, and answers with what it posts last.
import './kernel.mjs';
import program from './check.wasm';
import bundle from './flows.bin';

export default {
  async fetch(request) {
    if (new URL(request.url).pathname === '/healthz') return new Response('ok');
    globalThis.cloisterBundle = new Uint8Array(bundle);
    const said = new Promise((resolve) => { globalThis.postMessage = resolve; });
    const go = new Go();
    const ended = go.run(new WebAssembly.Instance(program, go.importObject));
    return Response.json(await Promise.race([said, ended.then(() => ({ wrong: ['the program ended'] }))]));
  },
};

// shim.mjs is the worker's entry. It runs one Go instance for all requests of
// its isolate: Go says which operation comes next, this file performs it with
// the bindings and says how it went. Go never waits for a promise, so requests
// may overlap. Scheduled events go to the library's own runtime.
import './kernel.mjs';
import { createRuntimeContext, loadModule } from './runtime.mjs';
import stock from './worker.mjs';

// An instance whose memory has grown beyond this is replaced when it is idle:
// WebAssembly memory never shrinks, and an isolate has 128 MB.
const recycleAt = 80 << 20;

let running = null; // promise of {shim, memory, busy}

async function start(env, ctx) {
  const shim = {};
  const go = new Go();
  let ready;
  const started = new Promise((resolve) => { ready = resolve; });
  const instance = new WebAssembly.Instance(await loadModule(), { ...go.importObject, workers: { ready } });
  const self = { shim, memory: instance.exports.mem, busy: 0 };
  const ended = go.run(instance, { ...createRuntimeContext({ env, ctx, binding: {} }), shim }).then(() => {
    running = null; // Go has exited, after a panic that nobody caught
    throw new Error('the program ended');
  });
  await Promise.race([started, ended]);
  ended.catch((e) => console.error(JSON.stringify({ level: 'error', failure: String(e) })));
  return self;
}

// platform performs storage operations for one request.
globalThis.cloisterPlatform = (bundles, assets) => {
  let opened = null;
  const perform = async (op) => {
    try {
      switch (op.kind) {
        case 'get': return await get(op);
        case 'asset': {
          opened = await assets.fetch(new Request('https://site.invalid' + op.key));
          if (opened.status !== 200) { await opened.body?.cancel(); opened = null; return { found: false }; }
          return { found: true, modified: true, size: Number(opened.headers.get('Content-Length') ?? -1) };
        }
        case 'read': {
          if (!opened) return { body: null };
          const body = new Uint8Array(await opened.arrayBuffer());
          if (op.length && body.byteLength > op.length) return { error: `${body.byteLength} bytes, at most ${op.length}` };
          return { body };
        }
        case 'put': {
          const onlyIf = op.ifMatch ? { etagMatches: op.ifMatch } : { etagDoesNotMatch: '*' };
          return { ok: await bundles.put(op.key, op.body, { sha256: op.sha256, onlyIf }) !== null };
        }
      }
      return { error: `unknown operation ${op.kind}` };
    } catch (e) {
      return { error: `${op.kind} ${op.key}: ${e.message ?? e}` };
    }
  };
  async function get(op) {
    const options = {};
    if (op.ifNoneMatch) options.onlyIf = { etagDoesNotMatch: op.ifNoneMatch };
    if (op.offset || op.length) options.range = { offset: op.offset, ...(op.length ? { length: op.length } : {}) };
    try {
      opened = await bundles.get(op.key, options);
    } catch (e) {
      const head = options.range && await bundles.head(op.key); // a range beyond the end is an error there
      if (!head || op.offset < head.size) throw e;
      opened = head;
    }
    if (!opened) return { found: false };
    return { found: true, modified: opened.body !== undefined, size: opened.size, etag: opened.etag };
  }
  perform.body = () => opened?.body ?? null;
  return perform;
};

// drainAt is how much of a refused body is read all the same: whoever sends it
// then gets the answer instead of a broken connection.
const drainAt = 16 << 20;

// readBody reads at most limit bytes and says whether there were more.
async function readBody(request, limit) {
  if (!request.body) return { body: null, tooLarge: false };
  const parts = [];
  let size = 0;
  for await (const part of request.body) {
    size += part.byteLength;
    if (size <= limit) parts.push(part);
    else if (size > limit + drainAt) break;
  }
  if (size > limit) return { body: null, tooLarge: limit > 0 };
  const body = new Uint8Array(size);
  let at = 0;
  for (const part of parts) { body.set(part, at); at += part.byteLength; }
  return { body, tooLarge: false };
}

async function answer(request, env, ctx) {
  const since = Date.now();
  const url = new URL(request.url);
  const go = await (running ??= start(env, ctx));
  const { body, tooLarge } = await readBody(request, go.shim.limit(request.method, url.pathname));
  go.busy++;
  const id = go.shim.open(request.method, url.pathname, url.search.slice(1), request.headers, body, tooLarge);
  // finish writes the log: never a payload, a query or a header.
  let finished = false;
  const finish = () => {
    if (finished) return;
    finished = true;
    const end = go.shim.close(id);
    if (--go.busy === 0 && go.memory.buffer.byteLength > recycleAt) running = null;
    console.log(JSON.stringify({
      level: end?.failure ? 'error' : 'info', method: request.method, path: url.pathname.slice(0, 200), status: end?.status,
      ms: Date.now() - since, mb: go.memory.buffer.byteLength >> 20, failure: end?.failure || undefined, ray: request.headers.get('CF-Ray') ?? undefined,
    }));
  };
  try {
    const perform = globalThis.cloisterPlatform(env.BUNDLES, env.ASSETS);
    let op = go.shim.step(id, null);
    while (op && op.kind !== 'respond') op = go.shim.step(id, await perform(op));
    if (!op) throw new Error('no answer');
    const init = { status: op.status, headers: op.headers };
    if (op.forward) { finish(); return new Response(perform.body(), init); }
    const first = go.shim.step(id, null);
    const second = first && go.shim.step(id, null);
    if (!second) { finish(); return new Response(first ? first.body : null, init); }
    const waiting = [first.body, second.body];
    return new Response(new ReadableStream({
      pull(out) {
        const next = waiting.shift() ?? go.shim.step(id, null)?.body;
        if (next) { out.enqueue(next); return; }
        finish();
        out.close();
      },
      cancel: finish,
    }), init);
  } catch (e) {
    finish();
    throw e;
  }
}

export default {
  async fetch(request, env, ctx) {
    if (env.MODE === 'stock') return stock.fetch(request, env, ctx);
    try {
      return await answer(request, env, ctx);
    } catch (e) {
      running = null;
      console.error(JSON.stringify({ level: 'error', failure: String(e?.stack ?? e) }));
      return new Response('{"status":500,"error":"something went wrong here; the log says what"}\n', {
        status: 500, headers: { 'Content-Type': 'application/json', 'Content-Security-Policy': "default-src 'none'", 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' },
      });
    }
  },
  scheduled: stock.scheduled,
};

// boot.js is the first script of both documents: index.html, the shell that
// holds the frame, and app.html, the program inside it.
//
// In both it closes what content policies do not cover (WebRTC, navigation,
// download links to a server). In app.html it then loads everything the program
// will ever need, shuts the seal, and only then starts the program, handing it
// the global `cloister`:
//
//	workerModule  WebAssembly.Module of the scorer
//	workerURL     for new Worker(): a blob, since the seal forbids loading one
//	worker        the first Worker, started; its property failed says what went wrong
//	readerPort    returns a MessagePort on which the program of the reader of
//	              packed files comes, a Blob, or why it does not, a string
//	memory()      bytes that the program takes up
//	bundle        Uint8Array of the default bundle or null, bundleName its name
//	bundles       [{name, version, title, schema, sha256, file}], the default first
//	sample        File of the example capture or null, sampleInfo what it is
//	seal          {sealed, bytesOut, attempts, blocked, notes, prove()}
//
// The seal is a second, stricter policy. Policies only ever add up, so nothing
// can open it again before the page is reloaded. wasm/seal_test.go tries every
// channel we know of against it, and holds `notes` to what it found open.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const isShell = document.documentElement.dataset.part === 'shell';
  if (!isShell && window.parent === window) { // opened by itself, outside the shell
    location.replace('./');
    return;
  }

  // Taken now, so that replacing a built-in later does not reach the guard.
  const { apply, ownKeys, deleteProperty, getOwnPropertyDescriptor } = Reflect;
  const getter = (type, name) => type && getOwnPropertyDescriptor(type.prototype, name)?.get;
  const read = (get, of) => apply(get, of, []);
  const prevent = Event.prototype.preventDefault;
  const startsWith = String.prototype.startsWith;

  const seal = { sealed: false, bytesOut: 0, attempts: 0, blocked: [], notes: [], prove };
  const listeners = new Set();

  // attempt notes something that was tried and refused.
  function attempt(directive, what) {
    seal.attempts++;
    if (seal.blocked.length < 200) seal.blocked.push({ directive, what });
    for (const f of listeners) f(what);
    dispatchEvent(new Event('cloister-seal'));
  }

  for (const name of ownKeys(window)) {
    if (typeof name === 'string' && /^(webkit|moz)?RTC/.test(name)) deleteProperty(window, name);
  }

  // No policy stops a document from navigating itself, or a download link from
  // asking a server. The navigate event sees both before anything is sent.
  const guarded = 'navigation' in window && 'NavigateEvent' in window;
  if (guarded) {
    const destination = getter(window.NavigateEvent, 'destination');
    const download = getter(window.NavigateEvent, 'downloadRequest');
    const target = getter(window.NavigationDestination, 'url');
    const same = getter(window.NavigationDestination, 'sameDocument');
    navigation.addEventListener('navigate', (e) => {
      const to = read(destination, e);
      if (read(same, to)) return; // a fragment: nothing is loaded
      const url = read(target, to);
      const saving = read(download, e) !== null && apply(startsWith, url, ['blob:']);
      if (saving) return; // an export, made in this page
      apply(prevent, e, []);
      attempt('navigation', url);
    });
  }

  // tighten adds a policy to this document; it can only take away.
  function tighten(policy) {
    const meta = document.createElement('meta');
    meta.httpEquiv = 'Content-Security-Policy';
    meta.content = policy;
    document.head.append(meta);
  }

  // watch counts what goes out and what is refused from now on. A request made
  // after sealing would be a leak: its size is at least that of its address.
  const seen = new Map(); // refused addresses: these are listed as resources too
  // Requests begun before are reported late sometimes; they are not counted.
  function watch(w, onOut) {
    const since = w.performance.now();
    w.addEventListener('securitypolicyviolation', (e) => {
      seen.set(e.blockedURI, (seen.get(e.blockedURI) || 0) + 1);
      attempt(e.effectiveDirective, e.blockedURI);
    });
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) if (e.startTime >= since && /^(https?|wss?):/.test(e.name)) onOut(e);
    }).observe({ type: 'resource' });
  }

  if (isShell) {
    window.cloisterShell = {
      // seal leaves the frame where it is for good: even an address of this
      // server could carry data in its query.
      seal(onOut, onRefused) {
        keepForOffline();
        tighten("default-src 'none'");
        watch(window, onOut);
        listeners.add(onRefused);
      },
    };
    addEventListener('DOMContentLoaded', bringAlong);
    return;
  }

  // keepForOffline has the browser keep this page for use without a network. It
  // is the last thing that the policy lets this document start. As a module
  // sw.js is asked for without cookies, and while the browser's cache has it, it
  // is not asked for at all: looking for a new one tells nobody anything.
  function keepForOffline() {
    const keeper = /^https?:$/.test(location.protocol) && navigator.serviceWorker;
    if (!keeper || keeper.controller) return;
    keeper.register('sw.js', { type: 'module', updateViaCache: 'all' }).catch(() => {}); // then it is not kept
  }

  // showSettings writes settings behind the # of the shell's address. Nothing is
  // loaded by that, and what is behind # is never sent.
  function showSettings(text) {
    const shell = isShell ? window : parent;
    shell.history.replaceState(null, '', shell.location.pathname + (text && '#' + text));
  }

  // bringAlong starts the program of a page of one file. It gets an origin of its
  // own, so that it reaches nothing of this document, and everything it needs by
  // message: on a disk there are no headers to confine a whole page.
  async function bringAlong() {
    if (!$('file:app.html')) return;
    const frame = $('frame');
    addEventListener('message', async (e) => {
      if (e.source !== frame.contentWindow) return;
      const tell = (what) => e.source.postMessage(what, '*');
      if (e.data.want) tell({ path: e.data.want, file: await embedded(e.data.want) });
      if (typeof e.data.settings === 'string') showSettings(e.data.settings);
      if (e.data.seal) cloisterShell.seal((entry) => tell({ out: entry.name }), (what) => tell({ refused: what }));
    });
    frame.sandbox = 'allow-scripts allow-downloads';
    frame.name = location.hash;
    frame.srcdoc = new TextDecoder().decode((await embedded('app.html')).bytes);
  }

  // embedded returns a file that the page brought along, null if it did not.
  async function embedded(path) {
    const held = $('file:' + path);
    if (!held) return null;
    const text = atob(held.textContent);
    const packed = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
    const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    return { type: held.dataset.type, bytes: await new Response(plain).arrayBuffer() };
  }

  // ---- app.html from here on

  const served = location.protocol !== 'about:'; // false in a page of one file
  const shell = served ? { settings: () => parent.location.hash, show: showSettings, seal: parent.cloisterShell?.seal } : distantShell();

  if (!served) { // an origin of its own has no storage: settings last as long as the page
    const kept = new Map();
    Object.defineProperty(window, 'localStorage', { value: {
      getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => { kept.set(k, String(v)); }, removeItem: (k) => { kept.delete(k); },
    } });
  }

  // distantShell speaks with the shell of a page of one file.
  function distantShell() {
    const waiting = new Map();
    let onOut = () => {}, onRefused = () => {};
    addEventListener('message', (e) => {
      if (e.source !== parent) return;
      const { path, file, out, refused } = e.data;
      if (path) waiting.get(path)?.(file);
      if (out) onOut({ name: out });
      if (refused) onRefused(refused);
    });
    return {
      file: (path) => new Promise((done) => { waiting.set(path, done); parent.postMessage({ want: path }, '*'); }),
      settings: () => window.name,
      show: (text) => parent.postMessage({ settings: text }, '*'),
      seal(out, refused) { onOut = out; onRefused = refused; parent.postMessage({ seal: true }, '*'); },
    };
  }

  // request returns the response for a file of this page's server, or of the
  // page itself.
  async function request(path, options) {
    if (served) return fetch(path, { credentials: 'omit', ...options });
    const file = await shell.file(path);
    return file ? new Response(file.bytes, { headers: { 'Content-Type': file.type } }) : new Response(null, { status: 404 });
  }

  function say(text) { const p = $('boot-text'); if (p) p.textContent = text; }
  function fail(title, detail) {
    const box = document.querySelector('.boot') || document.body;
    box.classList.add('boot-failed');
    box.setAttribute('role', 'alert');
    say(title);
    const pre = document.createElement('pre');
    pre.textContent = detail;
    box.append(pre);
    document.documentElement.dataset.state = 'failed';
  }

  let expected = 0, arrived = 0;
  // get returns what take makes of a file of this server. The bar moves as files
  // are done: looking at their chunks here would hold up whoever else wants them.
  async function get(path, take, options) {
    const r = await request(path, options);
    if (!r.ok) throw new Error(`${path}: the server answered ${r.status}`);
    const taken = await take(r);
    arrived += performance.getEntriesByName(r.url)[0]?.decodedBodySize || 0;
    const bar = $('boot-bar');
    if (bar && expected) bar.value = Math.min(1, arrived / expected);
    return taken;
  }
  const bytes = (path, options) => get(path, async (r) => new Uint8Array(await r.arrayBuffer()), options);
  const text = (path) => get(path, (r) => r.text());
  const compile = (path) => get(path, (r) => WebAssembly.compileStreaming(r));
  const script = (...parts) => new Blob(parts.flatMap((p) => [p, '\n']), { type: 'text/javascript' });

  // late returns a function that waits for the text of a file which few visits
  // need: it is asked for now, before the seal, and may take its time to come.
  async function late(path) {
    try {
      const r = await request(path, { priority: 'low' });
      if (!r.ok) throw new Error(`${path}: the server answered ${r.status}`);
      const text = r.text();
      text.catch(() => {}); // nobody may ever ask
      return () => text;
    } catch (e) {
      return () => Promise.reject(e);
    }
  }

  // stock returns a bundle that is not needed to start; without it the page does
  // with less.
  async function stock(b) {
    try {
      return { ...b, file: new File([await bytes('bundles/' + b.path, { priority: 'low' })], `${b.name}-${b.version}.bundle`) };
    } catch {
      return null;
    }
  }

  async function load() {
    const index = await get('bundles/index.json', (r) => r.json());
    const chosen = index.bundles.find((b) => b.name === index.default);
    expected = index.size;
    // Of each name the newest, which comes first. They are asked for last.
    const others = index.bundles.filter((b, i, all) => b.name !== index.default && all.findIndex((c) => c.name === b.name) === i);
    const [page, workerModule, confine, runtime, worker, reader, bundle, sample, ...stocked] = await Promise.all([
      compile('page.wasm'), compile('worker.wasm'), text('confine.js'), text('wasm_exec.js'), text('worker.js'), late('reader.js'),
      chosen && bytes('bundles/' + chosen.path), index.sample && bytes(index.sample.path),
      ...others.map(stock),
    ]);
    return {
      page,
      cloister: {
        workerModule,
        // The worker inherits the policy that holds where its blob was made and
        // used, which is the sealed one.
        workerURL: URL.createObjectURL(script(confine, runtime, worker)),
        readerPort() {
          const { port1, port2 } = new MessageChannel();
          reader().then((text) => script(confine, text)).catch((e) => `${e.message}: reload the page to read such files`).then((what) => port1.postMessage(what));
          return port2;
        },
        bundle: bundle || null,
        bundleName: chosen ? chosen.name : '',
        bundles: [chosen && { ...chosen, file: new File([bundle], `${chosen.name}-${chosen.version}.bundle`) }, ...stocked].filter(Boolean),
        sample: sample ? new File([sample], index.sample.name) : null,
        sampleInfo: index.sample ? index.sample.info : '',
        seal,
        settings: () => shell.settings().slice(1),
        keepSettings: shell.show,
      },
    };
  }

  // hire starts the first scorer, which gets ready while the program does. The
  // program takes it over, with what has gone wrong by then.
  function hire(cloister) {
    const worker = cloister.worker = new Worker(cloister.workerURL);
    worker.onmessage = worker.onerror = (e) => { worker.failed = e.message || 'it ended'; };
    const reader = cloister.readerPort();
    worker.postMessage({ module: cloister.workerModule, reader }, [reader]);
  }

  function shut() {
    // What was refused before it was sent is listed as a resource, too, and
    // may be so before its refusal is reported.
    const out = (e) => setTimeout(() => {
      if (seen.get(e.name)) {
        seen.set(e.name, seen.get(e.name) - 1);
        return;
      }
      seal.bytesOut += new TextEncoder().encode(e.name).length;
      dispatchEvent(new Event('cloister-seal'));
    }, 200);
    watch(window, out);
    new BroadcastChannel('cloister-seal').addEventListener('message', (e) => {
      if (e.data.directive) attempt(e.data.directive, e.data.what);
      else out({ name: String(e.data.what) });
    });
    shell.seal(out, (what) => attempt('shell', what));
    tighten("default-src 'none'; script-src 'wasm-unsafe-eval'; worker-src blob:; img-src data: blob:; " +
      "connect-src 'none'; form-action 'none'; base-uri 'none'");
    seal.notes = notes();
    seal.sealed = true;
  }

  // notes says what was closed and, after "Open: ", what a hostile script in
  // this page could still do. wasm/seal_test.go tries all of it and compares.
  function notes() {
    const chromium = navigator.userAgentData?.brands.find((b) => b.brand === 'Chromium');
    const allowlist = served && Number(chromium?.version) >= 152; // ships Connection-Allowlist
    const list = [
      'Closed by the policy of this page and its workers: requests, uploads, beacons, sockets, event streams, pictures, fonts, media, styles, scripts, frames, forms, new windows.',
      allowlist
        ? 'Closed by the connection list: peer connections, early connections and leaving for any other server.'
        : 'Peer connections are removed from this page; this browser has no policy against them.',
      guarded
        ? 'Closed by a guard in the page: leaving it, and download links to a server.'
        : 'Open: this browser lets a script leave the page, with data in the address it goes to.',
    ];
    if (!allowlist) {
      if (served) list.push('Open: a script could make a peer connection through a blank frame.');
      list.push('Open: a script could open a bare connection, whose host name it chooses, but send nothing over it.');
    }
    if (served) list.push('Open: a script could save a file of this server through a blank frame, and so ask this server for an address it chooses.');
    if (served && navigator.serviceWorker) list.push('Open: an hour after the page was kept for use without a network, a script could have the browser ask this server for sw.js again, with nothing added.');
    return list;
  }

  // prove tries to send one harmless word through the usual channels, now, in
  // this page, and returns [{channel, blocked, note}].
  async function prove() {
    const own = (n) => new URL('prove-' + n, location.href).href;
    const far = (n) => 'https://cloister.invalid/prove-' + n;
    const wait = (url, start) => new Promise((done) => {
      const timer = setTimeout(() => end(false, 'nothing refused it'), 1500);
      const heard = (what) => { if (what && (url.startsWith(what) || what.startsWith(url))) end(true, 'refused by the policy'); };
      function end(blocked, note) { clearTimeout(timer); listeners.delete(heard); done({ blocked, note }); }
      listeners.add(heard);
      try { start(url); } catch (e) { end(true, e.name); }
    });
    const channels = [
      ['request to this server', own('get'), (u) => { fetch(u).catch(() => {}); }],
      ['upload to this server', own('post'), (u) => { fetch(u, { method: 'POST', body: 'proof' }).catch(() => {}); }],
      ['request to another server', far('get'), (u) => { fetch(u, { mode: 'no-cors' }).catch(() => {}); }],
      ['beacon', far('beacon'), (u) => { navigator.sendBeacon(u, 'proof'); }],
      ['socket', far('socket').replace('https', 'wss'), (u) => { new WebSocket(u); }],
      ['event stream', far('events'), (u) => { new EventSource(u); }],
      ['picture', far('picture'), (u) => { new Image().src = u; }],
      ['request of a worker', own('worker'), (u) => { // it tells what was refused, as worker.js does
        const tell = "addEventListener('securitypolicyviolation', (e) => new BroadcastChannel('cloister-seal').postMessage({ directive: e.effectiveDirective, what: e.blockedURI }))";
        new Worker(URL.createObjectURL(new Blob([`${tell}; fetch(${JSON.stringify(u)}).catch(() => {})`], { type: 'text/javascript' })));
      }],
      ['leaving the page', own('leave'), (u) => { location.assign(u); }],
      ['peer connection', 'stun:cloister.invalid', () => { new RTCPeerConnection(); }],
    ];
    const results = [];
    for (const [channel, url, start] of channels) results.push({ channel, ...await wait(url, start) });
    return results;
  }

  async function start() {
    if (typeof WebAssembly !== 'object' || !WebAssembly.compileStreaming) {
      fail('This browser cannot run WebAssembly.', 'Cloister needs a browser of 2023 or later with WebAssembly switched on.');
      return;
    }
    let loaded;
    try {
      loaded = await load();
    } catch (e) {
      fail('The program could not be loaded.', `${e.message}\n\nReload the page to try again.`);
      return;
    }
    try {
      say('Starting…');
      shut();
      window.cloister = loaded.cloister;
      hire(loaded.cloister);
      document.documentElement.dataset.state = 'sealed';
      const go = new Go();
      const instance = await WebAssembly.instantiate(loaded.page, go.importObject);
      loaded.cloister.memory = () => instance.exports.mem.buffer.byteLength;
      document.documentElement.dataset.state = 'running';
      await go.run(instance);
      throw new Error('the program ended');
    } catch (e) {
      fail('The program stopped.', `${e.message}\n\nReload the page to start again.`);
    }
  }
  addEventListener('DOMContentLoaded', start);
})();

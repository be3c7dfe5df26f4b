// sw.js serves the page from this machine, so that it opens without a network.
// It is registered by boot.js as the last thing before the seal shuts.
//
// The list below names every file of one deployment by its SHA-256, with the
// headers it is served with; the build writes it. Being part of this script, it
// lies where no script of the page can change it, unlike the cache, to which
// every one has access: so nothing from there is served without its hash.
//
// What it sends are requests for listed addresses, without query, body, cookie
// or referrer. It ignores messages. wasm/seal_test.go and wasm/pwa_test.go hold
// it to that.
const list = { version: '', headers: [], files: {} };

const name = 'cloister-' + list.version;
const bundles = '/bundles/index.json';
const served = new Set(); // ids of the documents that have been served from here
let outdated = false; // the server has something else: everything comes from there

// checked returns bytes if they are what the list says of path, else null.
async function checked(path, bytes) {
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(sum, (b) => b.toString(16).padStart(2, '0')).join('') === list.files[path].sha256 ? bytes : null;
}

// ask requests a listed file of this server.
function ask(path, more) {
  return fetch(path, { credentials: 'omit', referrerPolicy: 'no-referrer', redirect: 'error', ...more });
}

// arrange fetches a file into the cache and returns its bytes, null if the
// server has others. What the browser has loaded already is not loaded again.
async function arrange(path) {
  for (const cache of ['force-cache', 'reload']) {
    const r = await ask(path, { cache });
    const bytes = r.ok && await checked(path, await r.arrayBuffer());
    if (!bytes) continue;
    await (await caches.open(name)).put(path, new Response(bytes));
    return bytes;
  }
  return null;
}

// discard gives back at once what a buffer takes up. This worker hardly computes:
// the browser would keep it in the page's process for as long as the page is open.
function discard(buffer) {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(null, [buffer]);
  port1.close();
  port2.close();
}

async function install() {
  if (!list.files['/']) throw new Error('this worker was not built');
  for (const path of Object.keys(list.files)) {
    // The programs come after the small files. They wait: the page is starting.
    if (path === '/page.wasm') await new Promise((done) => setTimeout(done, 2000));
    const bytes = await arrange(path);
    if (!bytes) throw new Error(path);
    discard(bytes);
  }
  await self.skipWaiting();
}

// replaced says whether the server answers, and with other bundles than listed.
async function replaced() {
  try {
    const r = await ask(bundles, { cache: 'no-cache', signal: AbortSignal.timeout(2000) });
    return r.ok && !await checked(bundles, await r.arrayBuffer());
  } catch {
    return false; // there is no network
  }
}

async function answer(e) {
  const url = new URL(e.request.url);
  const path = url.pathname === '/index.html' ? '/' : url.pathname;
  const file = url.origin === location.origin && e.request.method === 'GET' && Object.hasOwn(list.files, path) && list.files[path];
  const document = e.request.mode === 'navigate';
  if (!file) return refuse();
  // A document gets all its files from one deployment. One whose shell came from
  // the server, before this worker was ready, gets the rest from there, too. The
  // browser does not say which shell a frame belongs to, but there is one.
  if (path !== '/' && (document ? !served.size : !served.has(e.clientId))) return ask(path, { cache: 'no-cache' });
  if (document) {
    if (path === '/' && await replaced()) {
      outdated = true;
      await registration.unregister();
      return ask('/', { cache: 'no-cache' });
    }
    served.add(e.resultingClientId);
  }
  const held = await caches.match(path, { cacheName: name });
  const bytes = held && await checked(path, await held.arrayBuffer()) || await arrange(path).catch(() => null);
  if (!bytes) return refuse();
  const response = new Response(bytes, { headers: list.headers[file.headers] }); // has a copy
  discard(bytes);
  return response;
}

function refuse() {
  return new Response('This address is no part of the page that is kept for use without a network.\n', {
    status: 504, headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Security-Policy': "default-src 'none'; sandbox" },
  });
}

self.addEventListener('install', (e) => e.waitUntil(install()));
self.addEventListener('activate', (e) => e.waitUntil((async () => {
  for (const other of await caches.keys()) {
    if (other.startsWith('cloister-') && other !== name) await caches.delete(other);
  }
})()));
self.addEventListener('fetch', (e) => { if (!outdated) e.respondWith(answer(e)); });

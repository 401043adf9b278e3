// call: one call of one function of main.js, as r1-call.json says; its value goes to r1-value.json
'use strict';
const fs = require('fs'), vm = require('vm');
const call = JSON.parse(fs.readFileSync('r1-call.json', 'utf8'));

function find(name) {
	const exported = {exports: {}};
	globalThis.require = require;
	globalThis.module = exported;
	globalThis.exports = exported.exports;
	vm.runInThisContext(fs.readFileSync('main.js', 'utf8'), {filename: 'main.js'});
	const [first, ...rest] = name.split('.');
	if (!/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(first))
		throw new Error('no name: ' + first);
	// What is declared by let, const and class is no property of the global object
	let at = vm.runInThisContext(`typeof ${first} === 'undefined' ? undefined : ${first}`), self;
	if (at === undefined)
		at = exported.exports[first];
	for (const part of rest) {
		self = typeof at === 'function' && at.prototype && part in at.prototype ? new at() : at;
		at = self[part];
	}
	if (typeof at !== 'function')
		throw new Error('the program defines no ' + name);
	return at.bind(self);
}

function plain(v) {
	if (v === null || typeof v === 'boolean' || typeof v === 'string')
		return v;
	if (v === undefined)
		return null;
	if (typeof v === 'number') {
		if (!Number.isFinite(v))
			throw new Error('the value ' + v);
		return Object.is(v, -0) ? 0 : v;
	}
	if (typeof v === 'bigint' && v >= Number.MIN_SAFE_INTEGER && v <= Number.MAX_SAFE_INTEGER)
		return Number(v);
	if (Array.isArray(v))
		return v.map(plain);
	if (v instanceof Map)
		return Object.fromEntries([...v].map(([k, x]) => [String(k), plain(x)]));
	if (typeof v === 'object' && (Object.getPrototypeOf(v) === Object.prototype || Object.getPrototypeOf(v) === null))
		return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
	throw new Error('a value of type ' + (typeof v === 'object' ? v.constructor.name : typeof v));
}

Promise.resolve(find(call.entry)(...call.args)).then(v => {
	let text;
	try {
		text = JSON.stringify({value: plain(v)});
	} catch (e) {
		text = JSON.stringify({error: String(e.message)});
	}
	fs.writeFileSync('r1-value.json', text);
});

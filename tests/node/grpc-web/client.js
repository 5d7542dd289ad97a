// SPDX-License-Identifier: Apache-2.0
//
// client.js ORIGIN URL METHOD FORMAT [NAME=VALUE...]: a page of ORIGIN makes one call by grpc-web, with jsdom for its browser, whose XMLHttpRequest
// keeps the rules of CORS: it asks before, and shows only what may be read. Messages are plain bytes. Prints what came of it as one JSON
// object, for tests/conform/test_grpc_web.py.
'use strict';
const { JSDOM, VirtualConsole } = require('jsdom');

const [origin, url, name, format, ...pairs] = process.argv.slice(2);
const { window } = new JSDOM('', { url: origin, virtualConsole: new VirtualConsole() });
global.XMLHttpRequest = window.XMLHttpRequest;
const web = require('grpc-web');

const told = { messages: [], code: null, details: '', metadata: {} };
const method = new web.MethodDescriptor(`/test.Echo/${name}`, name === 'Count' ? 'server_streaming' : 'unary', Object, Object,
	(message) => Uint8Array.from(Buffer.from(message.text)),
	(bytes) => ({ text: Buffer.from(bytes).toString('latin1') }));
const client = new web.GrpcWebClientBase({ format });
const metadata = Object.fromEntries(pairs.map((pair) => pair.split('=')));
const text = name === 'Count' ? '3' : name === 'Fail' ? '7' : 'hello';

// What else is told of the same call comes in the same turn, or the next.
function finish() {
	setTimeout(() => {
		process.stdout.write(JSON.stringify(told) + '\n');
		process.exit(0);
	}, 50);
}

function failed(error) {
	Object.assign(told, { code: error.code, details: error.message });
	finish();
}

const call = name === 'Count' ?
	client.serverStreaming(url + method.getName(), { text }, metadata, method) :
	client.rpcCall(url + method.getName(), { text }, metadata, method, (error, response) => {
		if (error)
			return failed(error);
		told.messages.push(response.text);
		finish();
	});

call.on('status', (status) => { told.code ??= status.code; });
call.on('metadata', (head) => { told.metadata = head; });
if (name === 'Count') {
	call.on('data', (message) => told.messages.push(message.text));
	call.on('error', failed);
	call.on('end', finish);
}
setTimeout(() => process.exit(1), 20000);

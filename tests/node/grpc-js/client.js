// SPDX-License-Identifier: Apache-2.0
//
// client.js ADDRESS CALL [CA_FILE]: one call by @grpc/grpc-js to the origin of tests/conform/grpc_origin.py, whose messages are
// plain bytes. Prints what came of it as one JSON object, for tests/conform/test_grpc_js.py.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const [address, wanted, ca] = process.argv.slice(2);
const same = (bytes) => bytes;

function method(name, requestStream, responseStream) {
	return {
		path: `/weft.Judge/${name}`, requestStream, responseStream, requestSerialize: same, requestDeserialize: same,
		responseSerialize: same, responseDeserialize: same,
	};
}

const Judge = grpc.makeGenericClientConstructor({
	echo: method('Echo', false, false),
	count: method('Count', false, true),
	collect: method('Collect', true, false),
	chat: method('Chat', true, true),
	fail: method('Fail', false, false),
	wait: method('Wait', false, false),
}, 'Judge');
const client = new Judge(address, ca ? grpc.credentials.createSsl(fs.readFileSync(ca)) : grpc.credentials.createInsecure());
const told = { messages: [], head: null, trailers: null, code: 0, details: '' };

function tell(error) {
	if (error) {
		Object.assign(told, { code: error.code, details: error.details });
		told.trailers ??= error.metadata.getMap();
	}
	process.stdout.write(JSON.stringify(told) + '\n');
	client.close();
}

function listen(call) {
	call.on('metadata', (head) => { told.head = head.getMap(); });
	call.on('status', (status) => { told.trailers = status.metadata.getMap(); });
}

function take(call) {
	let error = null;
	listen(call);
	call.on('data', (message) => told.messages.push(message.toString('latin1')));
	call.on('error', (one) => { error = one; });
	call.on('status', () => setImmediate(() => tell(error)));
	return call;
}

// The answer of a call with one: told when the status has come, too.
function unary(start) {
	let result = null;
	let ended = false;
	const finish = () => {
		if (result && ended)
			tell(result.error);
	};
	const call = start((error, message) => {
		if (message)
			told.messages.push(message.toString('latin1'));
		result = { error };
		finish();
	});
	listen(call);
	call.on('status', () => { ended = true; finish(); });
	return call;
}

const metadata = new grpc.Metadata();
const calls = {
	echo() {
		metadata.set('x-echo', 'a value');
		metadata.set('x-echo-bin', Buffer.from([0, 1, 254, 255]));
		unary((done) => client.echo(Buffer.from('hello'), metadata, done));
	},
	large() {
		unary((done) => client.echo(Buffer.alloc(1 << 20, 'x'), metadata, done));
	},
	empty() {
		unary((done) => client.echo(Buffer.alloc(0), metadata, done));
	},
	count() {
		take(client.count(Buffer.from('5'), metadata));
	},
	collect() {
		const call = unary((done) => client.collect(metadata, done));
		for (const word of ['a', 'b', 'c'])
			call.write(Buffer.from(word));
		call.end();
	},
	chat() {
		// Each message is sent when the one before has come back: a proxy that gathers would hang here.
		const words = ['one', 'two', 'three'];
		const call = take(client.chat(metadata));
		call.on('data', () => {
			if (words.length)
				call.write(Buffer.from(words.shift()));
			else
				call.end();
		});
		call.write(Buffer.from('zero'));
	},
	fail() {
		unary((done) => client.fail(Buffer.from('9'), metadata, done));
	},
	unimplemented() {
		unary((done) => client.makeUnaryRequest('/weft.Judge/Nothing', same, same, Buffer.alloc(0), metadata, {}, done));
	},
	deadline() {
		// Of the call, not of the connection: that is there before.
		client.waitForReady(Date.now() + 20000, (failure) => {
			if (failure)
				throw failure;
			unary((done) => client.wait(Buffer.from('js deadline'), metadata, { deadline: Date.now() + 500 }, done));
		});
	},
	cancel() {
		const call = unary((done) => client.wait(Buffer.from('js cancel'), metadata, done));
		call.on('metadata', () => call.cancel());
	},
};
calls[wanted]();

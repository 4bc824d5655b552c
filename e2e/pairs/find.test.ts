import { expect } from 'chai';
import { findPair } from './find.ts';

const FLASK_A = `from flask import Flask\napp = Flask(__name__)\n@app.get('/echo')\ndef echo(): ...\napp.run(port=8080)`;
const FLASK_B = `from flask import Flask\nimport requests\n@app.get('/call-echo')\ndef call(): requests.get('http://127.0.0.1:8080/echo')\napp.run(port=8081)`;
const NODE_A = `require('http').createServer((req) => req.url.startsWith('/echo')).listen(5000)`;
const NODE_B = `require('http').createServer((req) => req.url.startsWith('/call-echo')).listen(5001)`;
const GO_A = `package main\nfunc main() { http.HandleFunc("/echo", echo); http.ListenAndServe(":8080", nil) }`;
const GO_B = `package main\nfunc main() { http.HandleFunc("/call-echo", call); http.ListenAndServe(":"+os.Getenv("PORT"), nil) }`;

const find = (files: Record<string, string>) => findPair(Object.entries(files).map(([path, text]) => ({ path, text })));

describe('The pair in a folder', () => {
  const FOUND: Record<string, [files: Record<string, string>, said: string, options: object]> = {
    'a Compose file': [
      {
        'compose.yaml': 'services: { service-a: {}, service-b: {} }',
        'service-a/app.py': FLASK_A,
        'service-b/app.py': FLASK_B,
      },
      'Compose file compose.yaml',
      { compose: 'compose.yaml' },
    ],
    'a Compose file with other names': [
      { 'docker-compose.yml': 'services:\n  echo_a: { build: a }\n  db: {}\n  caller_b: { build: b }' },
      'Compose file docker-compose.yml, services echo_a and caller_b',
      { compose: 'docker-compose.yml', 'a-service': 'echo_a', 'b-service': 'caller_b' },
    ],
    'a Compose file in which one service calls the other': [
      {
        'x/compose.yaml': 'services: { gateway: { environment: { URL: "http://echo:8080" } }, echo: { build: echo } }',
      },
      'Compose file x/compose.yaml, services echo and gateway',
      { compose: 'x/compose.yaml', 'a-service': 'echo', 'b-service': 'gateway' },
    ],
    'a Compose file for something else': [
      { 'monitoring/compose.yaml': 'services: { prometheus: {} }', 'a.py': FLASK_A, 'b.py': FLASK_B },
      'Python, a.py and b.py; ports 8080, 8081',
      { a: 'python3 a.py', 'a-dir': '.', b: 'python3 b.py', 'b-dir': '.' },
    ],
    'ports of constants': [
      {
        'a.py': "PORT = 5000\n'/echo'\nHTTPServer(('', PORT), Handler)",
        'b.py': "A_PORT = 5000\nB_PORT = 5001\n'/call-echo'\nHTTPServer(('', B_PORT), Handler)",
      },
      'Python, a.py and b.py; ports 5000, 5001',
      {
        ...{ a: 'python3 a.py', 'a-dir': '.', 'a-url': 'http://127.0.0.1:5000' },
        ...{ b: 'python3 b.py', 'b-dir': '.', 'b-url': 'http://127.0.0.1:5001' },
      },
    ],
    'a port of A in the source of B': [
      { 'a.js': NODE_A, 'b.js': `http.get({ host: 'localhost', port: 5000, path: '/echo' });\n${NODE_B}` },
      'Node, a.js and b.js; ports 5000, 5001',
      {
        ...{ a: 'node a.js', 'a-dir': '.', 'a-url': 'http://127.0.0.1:5000' },
        ...{ b: 'node b.js', 'b-dir': '.', 'b-url': 'http://127.0.0.1:5001' },
      },
    ],
    'a package.json that both have': [
      {
        ...{ 'package.json': '{"scripts":{"start":"node a.js"}}', 'a/src/a.js': NODE_A, 'b.js': NODE_B },
        'a/package.json': '{"scripts":{"start":"node src/a.js"}}',
      },
      'Node, a/src/a.js and b.js; ports 5000, 5001',
      {
        ...{ a: 'npm start', 'a-dir': 'a', 'a-url': 'http://127.0.0.1:5000' },
        ...{ b: 'node b.js', 'b-dir': '.', 'b-url': 'http://127.0.0.1:5001' },
      },
    ],
    'applications that their framework serves': [
      {
        'lab-test/a.py': "from fastapi import FastAPI\napi = FastAPI()\n@api.get('/echo')",
        'lab-test/b.py': "app = Flask(__name__)\n@app.get('/call-echo')",
      },
      'Python, lab-test/a.py and lab-test/b.py; ports 8080, 8081',
      {
        ...{ a: 'python3 -m uvicorn a:api --port "$PORT"', 'a-dir': 'lab-test' },
        ...{ b: 'python3 -m flask --app b run --port "$PORT"', 'b-dir': 'lab-test' },
      },
    ],
    'a missing route, by the names': [
      { 'service_a.py': FLASK_A, 'service_b.py': FLASK_B.replace('/call-echo', '/forward') },
      'Python, service_a.py and service_b.py; ports 8080, 8081',
      { a: 'python3 service_a.py', 'a-dir': '.', b: 'python3 service_b.py', 'b-dir': '.' },
    ],
    'a folder for each': [
      { 'service-a/app.py': FLASK_A, 'service-b/app.py': FLASK_B },
      'Python, service-a/app.py and service-b/app.py; ports 8080, 8081',
      { a: 'python3 app.py', 'a-dir': 'service-a', b: 'python3 app.py', 'b-dir': 'service-b' },
    ],
    'two files': [
      { 'service_a.py': FLASK_A, 'service_b.py': FLASK_B, 'requirements.txt': 'flask' },
      'Python, service_a.py and service_b.py; ports 8080, 8081',
      { a: 'python3 service_a.py', 'a-dir': '.', b: 'python3 service_b.py', 'b-dir': '.' },
    ],
    'two letters': [
      { 'a.py': FLASK_A, 'b.py': FLASK_B },
      'Python, a.py and b.py; ports 8080, 8081',
      { a: 'python3 a.py', 'a-dir': '.', b: 'python3 b.py', 'b-dir': '.' },
    ],
    'names that tell nothing': [
      { 'main.py': FLASK_A, 'second_main.py': FLASK_B },
      'Python, main.py and second_main.py; ports 8080, 8081',
      { a: 'python3 main.py', 'a-dir': '.', b: 'python3 second_main.py', 'b-dir': '.' },
    ],
    'folders in a folder': [
      { 'go-http/service-a/main.go': GO_A, 'go-http/service-a/go.mod': '', 'go-http/service-b/main.go': GO_B },
      'Go, go-http/service-a/main.go and go-http/service-b/main.go; ports 8080, 8081',
      { a: 'go run .', 'a-dir': 'go-http/service-a', b: 'go run main.go', 'b-dir': 'go-http/service-b' },
    ],
    'packages of Node': [
      {
        'service-a/package.json': '{"scripts":{"start":"node x.js"}}',
        ...{ 'service-a/x.js': NODE_A, 'service-b/index.js': NODE_B },
      },
      'Node, service-a/x.js and service-b/index.js; ports 5000, 5001',
      {
        ...{ a: 'npm start', 'a-dir': 'service-a', 'a-url': 'http://127.0.0.1:5000' },
        ...{ b: 'node index.js', 'b-dir': 'service-b', 'b-url': 'http://127.0.0.1:5001' },
      },
    ],
    'tests and helpers beside them': [
      { 'a.py': FLASK_A, 'b.py': FLASK_B, 'test_b.py': FLASK_B, 'client.py': "get('/call-echo')" },
      'Python, a.py and b.py; ports 8080, 8081',
      { a: 'python3 a.py', 'a-dir': '.', b: 'python3 b.py', 'b-dir': '.' },
    ],
    'two languages': [
      { 'service_a.py': FLASK_A, 'serviceB.js': NODE_B },
      'Python and Node, service_a.py and serviceB.js; ports 8080, 5001',
      {
        ...{ a: 'python3 service_a.py', 'a-dir': '.', b: 'node serviceB.js', 'b-dir': '.' },
        'b-url': 'http://127.0.0.1:5001',
      },
    ],
  };
  for (const [what, [files, said, options]] of Object.entries(FOUND)) {
    it(`is found: ${what}`, () => expect(find(files)).to.deep.equal({ said, options }));
  }

  const UNCLEAR: Record<string, [files: Record<string, string>, said: RegExp]> = {
    'nothing at all': [{}, /^The folder is empty\. Give --compose, or --a and --b/],
    'no program': [{ 'README.md': 'x' }, /^The folder has no program that listens, and no Compose file\./],
    'no B': [{ 'a.py': FLASK_A }, /a\.py could be A, and nothing with the route \/call-echo could be B\./],
    'both in one': [
      { 'app.py': FLASK_A + FLASK_B },
      /nothing with the route \/echo alone could be A, and app\.py could be B/,
    ],
    'two pairs': [
      { 'flask/one.py': FLASK_A, 'flask/two.py': FLASK_B, 'node/one.js': NODE_A, 'node/two.js': NODE_B },
      /flask\/one\.py, node\/one\.js could be A, and flask\/two\.py, node\/two\.js could be B\./,
    ],
  };
  for (const [what, [files, said]] of Object.entries(UNCLEAR)) {
    it(`is not guessed with ${what}`, () => expect(() => find(files)).to.throw(said));
  }

  it('has what it needs installed where it is isolated', () => {
    const files = { 'service-a/app.py': FLASK_A, 'service-b/index.js': NODE_B, 'service-b/package.json': '{}' };
    const listed = Object.entries({ ...files, 'requirements.txt': 'flask' }).map(([path, text]) => ({ path, text }));
    const { options, said } = findPair(listed, true);
    expect(said).to.match(/; installs requirements\.txt; installs service-b\/package\.json$/);
    expect(options).to.include({
      a: '../.venv/bin/python app.py',
      setup:
        'python3 -m venv .venv && .venv/bin/pip install --quiet -r requirements.txt && (cd service-b && npm install --no-audit --no-fund)',
    });
  });
});

import { expect } from 'chai';
import { readSettings } from '../src/settings.ts';

describe('The settings of service A', () => {
  const defaults = { host: '127.0.0.1', port: 8080, portName: 'SERVICE_A_PORT', logLevel: 'info' };
  const read: [given: NodeJS.ProcessEnv, settings: object][] = [
    [{}, defaults],
    [{ LISTEN_HOST: '', PORT: '', SERVICE_A_PORT: '', LOG_LEVEL: '' }, defaults],
    [{ LISTEN_HOST: '0.0.0.0' }, { host: '0.0.0.0' }],
    [{ LISTEN_HOST: '::1' }, { host: '::1' }],
    [{ SERVICE_A_PORT: '9000' }, { port: 9000, portName: 'SERVICE_A_PORT' }],
    [
      { SERVICE_A_PORT: '9000', PORT: '9001' },
      { port: 9001, portName: 'PORT' },
    ],
    [{ PORT: '0' }, { port: 0 }],
    [{ PORT: '65535' }, { port: 65535 }],
    [{ LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
  ];
  for (const [given, settings] of read) {
    it(`are read from ${JSON.stringify(given)}`, () => expect(readSettings(given)).to.include(settings));
  }

  const port = 'a whole number from 0 to 65535';
  const levels = 'one of trace, debug, info, warn, error, fatal, silent';
  const refused: [name: string, values: string[], allowed: string][] = [
    ['PORT', ['http', '65536', '-1', '80.5', '1e3', '0x50', ' 80', '8080a', '٣'], port],
    ['SERVICE_A_PORT', ['x'], port],
    ['LISTEN_HOST', ['localhost', '1.2.3', '127.0.0.1:80', '*'], 'an IP address'],
    ['LOG_LEVEL', ['loud', 'INFO', '30', 'toString'], levels],
  ];
  for (const [name, values, allowed] of refused) {
    for (const value of values) {
      it(`refuse ${name}=${value} in one sentence`, () => {
        const sentence = `${name} is ${JSON.stringify(value)}; it must be ${allowed}.`;
        expect(() => readSettings({ [name]: value })).to.throw(sentence);
      });
    }
  }
});

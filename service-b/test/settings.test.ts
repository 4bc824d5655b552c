import { expect } from 'chai';
import { readSettings } from '../src/settings.ts';

describe('The settings of service B', () => {
  const defaults = { serviceAUrl: 'http://localhost:8080', serviceATimeoutMs: 1000, longestAnswerMs: 1000 };
  const read: [given: NodeJS.ProcessEnv, settings: object][] = [
    [{}, { ...defaults, host: '127.0.0.1', port: 8081, portName: 'SERVICE_B_PORT', logLevel: 'info' }],
    [{ SERVICE_A_URL: '', SERVICE_A_TIMEOUT_MS: '', SERVICE_A_PORT: '' }, defaults],
    [{ SERVICE_A_PORT: '9000' }, { serviceAUrl: 'http://localhost:9000', port: 8081 }],
    [
      { SERVICE_A_PORT: 'tcp://10.96.0.1:8080', SERVICE_A_URL: 'http://service-a:8080' },
      { serviceAUrl: 'http://service-a:8080' },
    ],
    [{ SERVICE_A_PORT: '9000', SERVICE_A_URL: 'http://service-a:8080' }, { serviceAUrl: 'http://service-a:8080' }],
    [{ SERVICE_A_URL: 'http://[::1]:8080/' }, { serviceAUrl: 'http://[::1]:8080/' }],
    [{ SERVICE_A_TIMEOUT_MS: '60000' }, { serviceATimeoutMs: 60000, longestAnswerMs: 60000 }],
    [
      { SERVICE_B_PORT: '9001', PORT: '' },
      { port: 9001, portName: 'SERVICE_B_PORT' },
    ],
  ];
  for (const [given, settings] of read) {
    it(`are read from ${JSON.stringify(given)}`, () => expect(readSettings(given)).to.include(settings));
  }

  const urls = ['service-a:8080', 'service-a', 'ftp://service-a', 'https://a', 'http:a', 'http:///a', 'http://'];
  const refused: [name: string, values: string[], allowed: string][] = [
    ['SERVICE_B_PORT', ['65536'], 'a whole number from 0 to 65535'],
    ['SERVICE_A_PORT', ['tcp://10.96.0.1:8080', '65536'], 'a whole number from 0 to 65535'], // as Kubernetes sets it
    ['SERVICE_A_TIMEOUT_MS', ['0', '-5', '60001', '1s', '1.5', 'Infinity', 'NaN'], 'a whole number from 1 to 60000'],
    [
      'SERVICE_A_URL',
      [...urls, 'http://u:p@a', 'http://a/path', 'http://a?q', 'http://a:80 ', 'http://a\\b', 'http://a\tb'],
      'like http://service-a:8080',
    ],
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

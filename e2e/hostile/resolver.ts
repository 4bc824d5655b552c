/**
 * A DNS server for tests, on 127.0.0.53. What it answers is read from /lookup/names.json with each question: addresses by
 * name (a name that begins with `*` matches every name with this end), and `silent`, the names that it never answers. It needs
 * nothing but Node. The format is that of RFC 1035, section 4.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';

export interface Names {
  addresses: Record<string, string[]>;
  silent?: string[];
}

const HEADER_BYTES = 12;
const [A, AAAA] = [1, 28];

const server = createSocket('udp4', (question, from) => {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  while (question[at]! > 0) labels.push(question.toString('latin1', at + 1, (at += question[at]! + 1)));
  const [name, type] = [labels.join('.').toLowerCase(), question.readUInt16BE(at + 1)];
  const { addresses, silent = [] }: Names = JSON.parse(readFileSync('/lookup/names.json', 'utf8'));
  const isFor = (pattern: string) => (pattern.startsWith('*') ? name.endsWith(pattern.slice(1)) : name === pattern);
  if (silent.some(isFor)) return;

  const found = Object.keys(addresses).find(isFor);
  const fitting = (found ? addresses[found]! : []).filter((address) => type === (isIPv4(address) ? A : AAAA));
  const records = fitting.map((address) => {
    const bytes = isIPv4(address) ? address.split('.').map(Number) : ipv6Bytes(address);
    return Buffer.from([0xc0, HEADER_BYTES, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length, ...bytes]); // TTL 0
  });
  const header = Buffer.from([0, 0, 0x81, found ? 0x80 : 0x83, 0, 1, 0, records.length, 0, 0, 0, 0]); // 0x83: no such name
  question.copy(header, 0, 0, 2); // its id
  server.send(Buffer.concat([header, question.subarray(HEADER_BYTES, at + 5), ...records]), from.port, from.address);
});

/** Encodes an IPv6 address whose eight groups are all written out. */
const ipv6Bytes = (address: string) =>
  address.split(':').flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);

server.bind(53, '127.0.0.53');

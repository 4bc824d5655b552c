/** Where package managers fetch from, unless they are told otherwise. */
export const REGISTRIES = [
  ...['registry.npmjs.org', 'registry.yarnpkg.com', 'jsr.io', 'npm.jsr.io', 'deno.land'],
  ...['pypi.org', 'files.pythonhosted.org'],
  ...['proxy.golang.org', 'sum.golang.org'],
  ...['repo.maven.apache.org', 'repo1.maven.org', 'plugins.gradle.org', 'services.gradle.org'],
  ...['api.nuget.org', 'rubygems.org', 'index.rubygems.org', 'repo.packagist.org'],
  ...['crates.io', 'index.crates.io', 'static.crates.io'],
];

/** What tells package managers, and Node, of a proxy on the same loopback interface. */
export function proxyVariables(port: number): Record<string, string> {
  const url = `http://127.0.0.1:${port}`;
  const java = ['http', 'https']
    .map((scheme) => `-D${scheme}.proxyHost=127.0.0.1 -D${scheme}.proxyPort=${port}`)
    .join(' ');
  return {
    ...{ http_proxy: url, https_proxy: url, HTTP_PROXY: url, HTTPS_PROXY: url, NODE_USE_ENV_PROXY: '1' },
    ...{ MAVEN_OPTS: java, GRADLE_OPTS: java },
  };
}
